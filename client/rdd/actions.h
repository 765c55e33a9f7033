// Actions: jobs whose results come back to the program, as owning values.
#ifndef MILLRACE_CLIENT_RDD_ACTIONS_H_
#define MILLRACE_CLIENT_RDD_ACTIONS_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "client/rdd/rdd_base.h"
#include "common/base/call_guarded.h"
#include "common/record/key_order.h"
#include "executor/operator/actions.h"
#include "executor/operator/count_values.h"
#include "executor/operator/partition_ops.h"
#include "executor/operator/sort.h"
#include "executor/operator/take_ordered.h"

namespace millrace::internal {

absl::Status CorruptResult(const std::string& label);
absl::Status EmptyDataSet(const std::string& label);

// Calls use(value), which may throw, for each value of T, owned, that the tasks returned, in order.
template <class T, class Use>
absl::Status VisitResults(const std::vector<std::string>& results, const std::string& label,
                          Use use) {
  return CallGuarded(label, [&]() -> absl::Status {
    for (const std::string& result : results) {
      Decoder decoder(result);
      while (!decoder.done()) {
        Owned<T> value{};
        Decode(decoder, value);
        if (decoder.failed()) return CorruptResult(label);
        use(std::move(value));
      }
    }
    return absl::OkStatus();
  });
}

// Runs `root` on all partitions and visits what it returned.
template <class T, class Use>
absl::Status RunAndVisit(const RddBase& rdd, OperatorRef root, Use use) {
  const std::string label = root->label;
  const auto results = RunAction(rdd.context(), rdd.node(), std::move(root), label);
  if (!results.ok()) return results.status();
  return VisitResults<T>(*results, label, std::move(use));
}

// -- Records -------------------------------------------------------------------------------------

template <class T>
OperatorRef CollectRoot(uint64_t limit, const std::string& label) {
  return MakeSpec<CollectOperator<T>>(EncodeToString(limit), label);
}

template <class T>
absl::StatusOr<std::vector<Owned<T>>> Collect(const RDD<T>& rdd, const char* name, Location where) {
  std::vector<Owned<T>> records;
  const absl::Status status = RunAndVisit<T>(
      rdd, CollectRoot<T>(std::numeric_limits<uint64_t>::max(), OperatorLabel(name, where)),
      [&records](Owned<T> record) { records.push_back(std::move(record)); });
  if (!status.ok()) return status;
  return records;
}

// The partitions that a Take looks at, round by round: first as many as there are task slots, then
// more and more.
class TakeRounds {
 public:
  explicit TakeRounds(const RddBase& rdd);
  // Empty when all were looked at.
  std::vector<int> Next();

 private:
  const int num_partitions_;
  int width_;
  int next_ = 0;
};

// The first `limit` records of `rdd`, by `collect`, which returns a partition's first `limit`.
template <class T>
absl::StatusOr<std::vector<Owned<T>>> TakeFirst(const RDD<T>& rdd, const OperatorRef& collect,
                                                uint64_t limit) {
  std::vector<Owned<T>> taken;
  TakeRounds rounds(rdd);
  for (;;) {
    std::vector<int> partitions = rounds.Next();
    if (rdd && (partitions.empty() || taken.size() >= limit)) return taken;
    const auto results =
        RunAction(rdd.context(), rdd.node(), collect, collect->label, std::move(partitions));
    if (!results.ok()) return results.status();
    const absl::Status status =
        VisitResults<T>(*results, collect->label, [&taken, limit](Owned<T> record) {
          if (taken.size() < limit) taken.push_back(std::move(record));
        });
    if (!status.ok()) return status;
  }
}

template <class T>
absl::StatusOr<std::vector<Owned<T>>> Take(const RDD<T>& rdd, int64_t n, const char* name,
                                           Location where) {
  const auto limit = static_cast<uint64_t>(n > 0 ? n : 0);
  return TakeFirst(rdd, CollectRoot<T>(limit, OperatorLabel(name, where)), limit);
}

template <class T, class Less>
absl::StatusOr<std::vector<Owned<T>>> TakeOrdered(const RDD<T>& rdd, int64_t n, Less less,
                                                  const char* name, Location where) {
  CheckShippable<Less>();
  const auto wanted = static_cast<uint64_t>(n > 0 ? n : 0);
  const std::string label = OperatorLabel(name, where);
  FirstRecords<Owned<T>, Less> first(wanted, less);
  absl::Status status = RunAndVisit<T>(
      rdd,
      MakeSpec<TakeOrderedOperator<T, Less>>(EncodeFunctions(less) + EncodeToString(wanted), label),
      [&first](Owned<T> record) { first.Offer(std::move(record)); });
  if (!status.ok()) return status;
  std::vector<Owned<T>> sorted;
  status = CallGuarded(label, [&] {
    sorted = first.TakeSorted();
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return sorted;
}

template <class T>
absl::StatusOr<T> OnlyRecord(absl::StatusOr<std::vector<T>> records, const char* name,
                             Location where) {
  if (!records.ok()) return records.status();
  if (records->empty()) return EmptyDataSet(OperatorLabel(name, where));
  return std::move(records->front());
}

// -- Folds ---------------------------------------------------------------------------------------

template <class T>
absl::StatusOr<int64_t> Count(const RDD<T>& rdd, Location where) {
  int64_t total = 0;
  const absl::Status status =
      RunAndVisit<int64_t>(rdd, MakeSpec<CountOperator<T>>("", OperatorLabel("Count", where)),
                           [&total](int64_t count) { total += count; });
  if (!status.ok()) return status;
  return total;
}

template <class T, class F>
absl::StatusOr<Owned<T>> Reduce(const RDD<T>& rdd, F f, Location where) {
  CheckShippable<F>();
  static_assert(FoldStep<F, T, T, Owned<T>>, "Reduce: the function must take (T, T) and return T");
  const std::string label = OperatorLabel("Reduce", where);
  std::optional<Owned<T>> total;
  const absl::Status status = RunAndVisit<T>(
      rdd, MakeSpec<ReduceOperator<T, F>>(EncodeFunctions(f), label), [&total, &f](Owned<T> part) {
        if (!total.has_value()) {
          total = std::move(part);
          return;
        }
        MergeInto<T>(f, *total, std::move(part));
      });
  if (!status.ok()) return status;
  if (!total.has_value()) return EmptyDataSet(label);
  return *std::move(total);
}

// Each partition is folded by `add` from `zero`, the results by `merge`, from `zero` too.
template <class T, class A, class Add, class Merge>
absl::StatusOr<A> Aggregate(const RDD<T>& rdd, A zero, Add add, Merge merge, const char* name,
                            Location where) {
  CheckShippable<Add>();
  CheckShippable<Merge>();
  static_assert(FoldStep<Add, A, T, A>,
                "Aggregate, Fold: add must take (A, T) and return A, the type of zero");
  static_assert(FoldStep<Merge, A, A, A>,
                "Aggregate, Fold: merge must take (A, A) and return A, the type of zero");
  const FunctionParams params = EncodeFunctions(add) + EncodeToString(zero) +
                                EncodeToString(false /* not only if there are records */);
  A total = std::move(zero);
  const absl::Status status = RunAndVisit<A>(
      rdd, MakeSpec<AggregateOperator<T, A, Add>>(params, OperatorLabel(name, where)),
      [&total, &merge](A part) {
        A merged = OwnedAs<A>(CallWith2(merge, std::move(total), std::move(part)));
        total = std::move(merged);
      });
  if (!status.ok()) return status;
  return total;
}

// Numbers are added up in the widest type of their kind.
template <class T>
using SumOf = std::conditional_t<std::is_floating_point_v<T>,
                                 std::conditional_t<std::is_same_v<T, long double>, T, double>,
                                 std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>;

// -- Values and how often they occur -------------------------------------------------------------

struct KeyHash {
  template <class K>
  size_t operator()(const K& key) const {
    return static_cast<size_t>(StableHash(key));
  }
};

// In order where K has one.
template <class K, class V>
struct ResultMapType {
  using type = std::unordered_map<K, V, KeyHash>;
};
template <Ordered K, class V>
struct ResultMapType<K, V> {
  // std::less has no place for NaN.
  using type = std::map<K, V, std::conditional_t<kMayBeNan<K>, KeyOrder, std::less<K>>>;
};
template <class K, class V>
using ResultMap = typename ResultMapType<K, V>::type;

template <class T>
absl::StatusOr<ResultMap<Owned<T>, int64_t>> CountByValue(const RDD<T>& rdd, const char* name,
                                                          Location where) {
  CheckKey<T>();
  ResultMap<Owned<T>, int64_t> counts;
  const absl::Status status = RunAndVisit<std::pair<T, int64_t>>(
      rdd, MakeSpec<CountValuesOperator<T>>("", OperatorLabel(name, where)),
      [&counts](std::pair<Owned<T>, int64_t> part) {
        counts[std::move(part.first)] += part.second;
      });
  if (!status.ok()) return status;
  return counts;
}

template <class K, class V>
absl::StatusOr<ResultMap<Owned<K>, Owned<V>>> CollectAsMap(const RDD<std::pair<K, V>>& rdd,
                                                           Location where) {
  auto pairs = Collect(rdd, "CollectAsMap", where);
  if (!pairs.ok()) return pairs.status();
  ResultMap<Owned<K>, Owned<V>> map;
  const absl::Status status = CallGuarded(OperatorLabel("CollectAsMap", where), [&] {
    for (auto& [key, value] : *pairs) map.insert_or_assign(std::move(key), std::move(value));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return map;
}

// The only partition that can hold the key, if the data set is partitioned by hash; else all.
std::vector<int> PartitionsOfKey(const RddBase& rdd, uint64_t key_hash);

template <class K, class V>
absl::StatusOr<std::vector<Owned<V>>> Lookup(const RDD<std::pair<K, V>>& rdd, const Owned<K>& key,
                                             Location where) {
  const std::string label = OperatorLabel("Lookup", where);
  const auto results = RunAction(rdd.context(), rdd.node(),
                                 MakeSpec<LookupOperator<K, V>>(EncodeToString(key), label), label,
                                 PartitionsOfKey(rdd, StableHash(key)));
  if (!results.ok()) return results.status();
  std::vector<Owned<V>> values;
  const absl::Status status = VisitResults<V>(
      *results, label, [&values](Owned<V> value) { values.push_back(std::move(value)); });
  if (!status.ok()) return status;
  return values;
}

// -- Effects -------------------------------------------------------------------------------------

template <class T, class F>
absl::Status Foreach(const RDD<T>& rdd, F f, Location where) {
  CheckShippable<F>();
  static_assert(CallableWith<F, T>,
                "Foreach: the function must take the data set's record type (or its Owned form)");
  const std::string label = OperatorLabel("Foreach", where);
  return RunAction(rdd.context(), rdd.node(),
                   MakeSpec<ForeachOperator<T, F>>(EncodeFunctions(f), label), label)
      .status();
}

template <class T, class F>
absl::Status ForeachPartition(const RDD<T>& rdd, F f, Location where) {
  CheckShippable<F>();
  static_assert(std::is_invocable_v<const F&, PartitionReader<T>&>,
                "ForeachPartition: the function must take (PartitionReader<T>& records)");
  const std::string label = OperatorLabel("ForeachPartition", where);
  return RunAction(rdd.context(), rdd.node(),
                   MakeSpec<ForeachPartitionOperator<T, F>>(EncodeFunctions(f), label), label)
      .status();
}

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_ACTIONS_H_
