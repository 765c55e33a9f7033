// SortByKey and SortBy.
#ifndef MILLRACE_CLIENT_RDD_SORT_H_
#define MILLRACE_CLIENT_RDD_SORT_H_

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "client/rdd/by_key.h"
#include "client/rdd/key_by.h"
#include "client/rdd/partitioner.h"
#include "client/rdd/rdd_base.h"
#include "common/base/call_guarded.h"
#include "common/record/key_order.h"
#include "executor/operator/sample.h"
#include "executor/operator/sort.h"

namespace millrace::internal {

// How many keys a partition is asked for, to choose the bounds of `num_ranges` ranges.
uint64_t SampleKeyCount(int num_partitions, int num_ranges);

// Runs the sampling root on every partition.
absl::StatusOr<std::vector<std::string>> RunSample(const ContextRef& context, const RddRef& node,
                                                   OperatorRef root);

// Keys at which the sampled data set falls into `num_ranges` ranges of about as many records:
// ascending, each once, fewer than asked for when keys are few.
template <class K>
std::vector<Owned<K>> ChooseBounds(const std::vector<KeySample<K>>& samples, int num_ranges) {
  // A sampled key stands for as many records as its partition has for each key sampled there.
  std::vector<std::pair<Owned<K>, double>> keys;
  double total = 0;
  for (const KeySample<K>& sample : samples) {
    const double weight =
        static_cast<double>(sample.record_count) / static_cast<double>(sample.keys.size());
    for (const Owned<K>& key : sample.keys) keys.emplace_back(key, weight);
    total += static_cast<double>(sample.record_count);
  }
  // Stable, for it stays within the keys even if a < of the user's is no order.
  std::stable_sort(keys.begin(), keys.end(),
                   [](const auto& a, const auto& b) { return KeyLess(a.first, b.first); });
  std::vector<Owned<K>> bounds;
  const double step = total / num_ranges;
  double passed = 0;
  double target = step;
  for (const auto& [key, weight] : keys) {
    passed += weight;
    if (passed < target || static_cast<int>(bounds.size()) + 1 >= num_ranges) continue;
    if (!bounds.empty() && !KeyLess(bounds.back(), key)) continue;
    bounds.push_back(key);
    target += step;
  }
  return bounds;
}

// Spreads `rdd` over `num_ranges` ranges of keys. Runs a job that samples the keys.
template <class K, class V>
absl::StatusOr<RangePartition<K>> MakeRangePartition(const RDD<std::pair<K, V>>& rdd,
                                                     int num_ranges, bool ascending,
                                                     const std::string& label) {
  RangePartition<K> partition;
  partition.ascending = ascending;
  if (num_ranges <= 1) return partition;
  Encoder params;
  params.PutFixed(SampleKeyCount(rdd.NumPartitions(), num_ranges));
  params.PutFixed(static_cast<uint64_t>(rdd.id()));
  auto results = RunSample(rdd.context(), rdd.node(),
                           MakeSpec<SampleKeysOperator<K, V>>(params.ToString(), label));
  if (!results.ok()) return results.status();
  std::vector<KeySample<K>> samples(results->size());
  for (size_t i = 0; i < samples.size(); ++i) {
    if (!DecodeFromBytes((*results)[i], samples[i])) {
      return absl::DataLossError(label + ": a sample cannot be decoded");
    }
  }
  const absl::Status status = CallGuarded(label, [&] {
    partition.bounds = ChooseBounds<K>(samples, num_ranges);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return partition;
}

// All records in the order of their keys: sorted partitions, whose keys rise (or fall) from one to
// the next. Equal keys stay in the order in which they were. Made at once, for it samples `rdd`.
template <class K, class V>
RDD<std::pair<K, V>> SortByKey(const RDD<std::pair<K, V>>& rdd, bool ascending, int n,
                               const std::string& label) {
  static_assert(Ordered<Owned<K>>, "SortByKey: the key type needs operator<");
  using Pair = std::pair<K, V>;
  const ContextRef& context = rdd.context();
  if (!rdd) return rdd;
  const auto partition = MakeRangePartition(rdd, n > 0 ? n : rdd.NumPartitions(), ascending, label);
  if (!partition.ok()) {
    return RDD<Pair>(context,
                     MakeFailed(context, RecordOperators<Pair>(), partition.status(), label));
  }
  auto spec = std::make_shared<PartitionerSpec>();
  spec->kind = Registration<NamedPartitioner<RangePartition<K>>>::entry().name();
  spec->params = EncodeToString(*partition);
  spec->num_partitions = static_cast<int>(partition->bounds.size()) + 1;
  return RDD<Pair>(
      context, MakeKeyed(context, MakeSpec<SortOperator<K, V>>(EncodeToString(ascending), label),
                         RecordOperators<Pair>(), {PlainInput<K, V>(rdd.node(), *partition, label)},
                         std::move(spec)));
}

// All records in the order of f(record).
template <class T, class F>
RDD<T> SortBy(const RDD<T>& rdd, F f, bool ascending, int n, Location where) {
  const std::string label = OperatorLabel("SortBy", where);
  const auto keyed = MakeKeyBy<T>(std::move(f), "SortBy", where)(rdd);
  using K = typename PairParts<typename std::remove_cvref_t<decltype(keyed)>::value_type>::Key;
  const auto drop_key =
      Narrow<std::pair<K, T>, T>{MakeSpec<MapOperator<std::pair<K, T>, SecondOf<K, T>>>("", label)};
  return drop_key(SortByKey(keyed, ascending, n, label));
}

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_SORT_H_
