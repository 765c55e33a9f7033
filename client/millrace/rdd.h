// RDD<T>: an immutable, partitioned data set that remembers how it is computed.
#ifndef MILLRACE_CLIENT_MILLRACE_RDD_H_
#define MILLRACE_CLIENT_MILLRACE_RDD_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/millrace/function.h"
#include "client/rdd/basic.h"
#include "client/rdd/by_key.h"
#include "client/rdd/rdd_base.h"
#include "client/rdd/values.h"
#include "common/base/source_location.h"
#include "common/record/storage_level.h"
#include "executor/operator/actions.h"

namespace millrace {
namespace internal {

// What a keyed operation asks of a record type.
template <class T>
struct PairTypes;
template <class K, class V>
struct PairTypes<std::pair<K, V>> {
  using Key = K;
  using Value = V;
};
template <class T>
using KeyOf = typename PairTypes<T>::Key;
template <class T>
using ValueOf = typename PairTypes<T>::Value;

// Decodes what tasks returned, in order, into `append`.
template <class T, class Append>
absl::Status DecodeResults(const std::vector<std::string>& results, Append append) {
  for (const std::string& result : results) {
    Decoder decoder(result);
    while (!decoder.done()) {
      Owned<T> record{};
      Decode(decoder, record);
      if (decoder.failed()) return absl::DataLossError("a task's result cannot be decoded");
      append(std::move(record));
    }
  }
  return absl::OkStatus();
}

}  // namespace internal

// A cheap handle: copyable, taken by value or reference alike. Nothing is computed until an action
// asks for a result; actions return absl::Status or absl::StatusOr of owning types, with an error
// that names the operator, its place in the program, and the cause. An empty handle (default
// constructed) holds no data set: `if (rdd)` tells.
template <class T>
class RDD : public internal::RddBase {
 public:
  using value_type = T;
  using Location = internal::Location;
  using internal::RddBase::RddBase;

  // -- Transformations: one record at a time ----------------------------------------------------

  // f: T -> U or absl::StatusOr<U>, whose error fails the task.
  template <class F>
  auto Map(F f, Location at = Location::Current()) const {
    return internal::MakeMap<T>(std::move(f), at)(*this);
  }
  // f: T -> bool; true keeps the record.
  template <class F>
  RDD<T> Filter(F f, Location at = Location::Current()) const {
    return internal::MakeFilter<T>(std::move(f), at)(*this);
  }
  // f: T -> range of U.
  template <class F>
  auto FlatMap(F f, Location at = Location::Current()) const {
    return internal::MakeFlatMap<T>(std::move(f), at)(*this);
  }
  // f: (T, Emitter<U>&) -> void or absl::Status.
  template <class U, class F>
  RDD<U> FlatMap(F f, Location at = Location::Current()) const {
    return internal::MakeEmitMap<T, U>(std::move(f), at)(*this);
  }
  // f: (PartitionReader<T>&, Emitter<U>&) -> void or absl::Status, once for each partition.
  template <class U, class F>
  RDD<U> MapPartitions(F f, Location at = Location::Current()) const {
    return internal::MakeMapPartitions<T, U>(std::move(f), at)(*this);
  }
  // One vector for each partition.
  RDD<std::vector<T>> Glom(Location at = Location::Current()) const {
    return internal::MakeGlom<T>(at)(*this);
  }

  // -- Transformations: partitions --------------------------------------------------------------

  RDD<T> Union(const RDD<T>& other) const {
    return internal::UnionTransform<T>()({*this, other});
  }
  // Exactly `n` partitions, evenly filled; a full shuffle.
  RDD<T> Repartition(int n, Location at = Location::Current()) const {
    return internal::MakeRepartition<T>(n, at)(*this);
  }
  // At most `n` partitions, without a shuffle: neighbours are read one after the other.
  RDD<T> Coalesce(int n) const {
    if (n >= NumPartitions()) return *this;
    return RDD<T>(context(), internal::MakeConcat(context(), internal::RecordOperators<T>(), node(),
                                                  internal::CoalesceGroups(NumPartitions(), n)));
  }
  template <class N = int>
  RDD<std::pair<T, int64_t>> ValueCounts(const N& n = 0,
                                         Location at = Location::Current()) const {
    return internal::MakeCountByValue<T>(n, at)(*this);
  }

  // -- Transformations of pairs -----------------------------------------------------------------
  // `n`: a number of partitions or a partitioner.

  template <class F, class N = int>
  auto ReduceByKey(F f, const N& n = 0, Location at = Location::Current()) const {
    return internal::MakeReduceByKey<internal::KeyOf<T>, internal::ValueOf<T>>(std::move(f), n,
                                                                               at)(*this);
  }
  template <class N = int>
  auto GroupByKey(const N& n = 0, Location at = Location::Current()) const {
    return internal::MakeGroupByKey<internal::KeyOf<T>, internal::ValueOf<T>>(n, at)(*this);
  }
  // create: V -> C, merge_value: (C, V) -> C, merge_combiners: (C, C) -> C.
  template <class Create, class MergeValue, class MergeCombiners, class N = int>
  auto CombineByKey(Create create, MergeValue merge_value, MergeCombiners merge_combiners,
                    const N& n = 0, Location at = Location::Current()) const {
    return internal::MakeCombineByKey<internal::KeyOf<T>, internal::ValueOf<T>>(
        std::move(create), std::move(merge_value), std::move(merge_combiners), n, at)(*this);
  }
  template <class F>
  auto MapValues(F f, Location at = Location::Current()) const {
    return internal::MakeMapValues<internal::KeyOf<T>, internal::ValueOf<T>>(std::move(f),
                                                                             at)(*this);
  }
  template <class F>
  auto FlatMapValues(F f, Location at = Location::Current()) const {
    return internal::MakeFlatMapValues<internal::KeyOf<T>, internal::ValueOf<T>>(std::move(f),
                                                                                 at)(*this);
  }

  // -- Persistence ------------------------------------------------------------------------------

  // Workers keep the partitions from their first computation on. Returns the same data set.
  const RDD<T>& Persist(StorageLevel level) const {
    internal::PersistNode(context(), node(), level);
    return *this;
  }
  const RDD<T>& Cache() const { return Persist(StorageLevel::kMemoryOnly); }
  const RDD<T>& Unpersist() const {
    internal::UnpersistNode(node());
    return *this;
  }

  // -- Actions ----------------------------------------------------------------------------------

  absl::StatusOr<std::vector<Owned<T>>> Collect(Location at = Location::Current()) const {
    auto results = RunCollect(std::numeric_limits<uint64_t>::max(), AllPartitions(), "Collect", at);
    if (!results.ok()) return results.status();
    return Decoded(*results);
  }
  absl::StatusOr<int64_t> Count(Location at = Location::Current()) const {
    const std::string label = internal::OperatorLabel("Count", at);
    auto results = internal::RunAction(
        context(), node(), internal::MakeSpec<internal::CountOperator<T>>("", label), label);
    if (!results.ok()) return results.status();
    int64_t total = 0;
    const absl::Status decoded = internal::DecodeResults<int64_t>(
        *results, [&total](int64_t count) { total += count; });
    if (!decoded.ok()) return decoded;
    return total;
  }
  // The first `n` records, in partition order. Looks at as few partitions as it can: first as many
  // as there are task slots, then more and more.
  absl::StatusOr<std::vector<Owned<T>>> Take(int64_t n, Location at = Location::Current()) const {
    std::vector<Owned<T>> taken;
    int next = 0;
    int width = std::max(1, context()->default_parallelism);
    while (next < NumPartitions() && static_cast<int64_t>(taken.size()) < n) {
      std::vector<int> partitions;
      for (; next < NumPartitions() && static_cast<int>(partitions.size()) < width; ++next) {
        partitions.push_back(next);
      }
      const auto missing = static_cast<uint64_t>(n) - taken.size();
      auto results = RunCollect(missing, std::move(partitions), "Take", at);
      if (!results.ok()) return results.status();
      const absl::Status decoded =
          internal::DecodeResults<T>(*results, [&taken, n](Owned<T> record) {
            if (static_cast<int64_t>(taken.size()) < n) taken.push_back(std::move(record));
          });
      if (!decoded.ok()) return decoded;
      width *= 4;
    }
    return taken;
  }
  // NotFound when the data set is empty.
  absl::StatusOr<Owned<T>> First(Location at = Location::Current()) const {
    auto taken = Take(1, at);
    if (!taken.ok()) return taken.status();
    if (taken->empty()) return absl::NotFoundError("First: the data set is empty");
    return std::move(taken->front());
  }
  absl::StatusOr<bool> IsEmpty(Location at = Location::Current()) const {
    auto taken = Take(1, at);
    if (!taken.ok()) return taken.status();
    return taken->empty();
  }
  // f: (T, T) -> T, associative and commutative. NotFound when the data set is empty.
  template <class F>
  absl::StatusOr<Owned<T>> Reduce(F f, Location at = Location::Current()) const {
    internal::CheckShippable<F>();
    const std::string label = internal::OperatorLabel("Reduce", at);
    auto results = internal::RunAction(
        context(), node(),
        internal::MakeSpec<internal::ReduceOperator<T, F>>(internal::EncodeFunctions(f), label),
        label);
    if (!results.ok()) return results.status();
    std::optional<Owned<T>> total;
    const absl::Status decoded =
        internal::DecodeResults<T>(*results, [&total, &f](Owned<T> part) {
          if (total.has_value()) {
            Owned<T> merged =
                internal::ToOwned(internal::CallWith2(f, std::move(*total), std::move(part)));
            total = std::move(merged);
          } else {
            total = std::move(part);
          }
        });
    if (!decoded.ok()) return decoded;
    if (!total.has_value()) return absl::NotFoundError("Reduce: the data set is empty");
    return *std::move(total);
  }
  // f is called on workers, for what it does elsewhere; -> void or absl::Status.
  template <class F>
  absl::Status Foreach(F f, Location at = Location::Current()) const {
    internal::CheckShippable<F>();
    const std::string label = internal::OperatorLabel("Foreach", at);
    return internal::RunAction(context(), node(),
                               internal::MakeSpec<internal::ForeachOperator<T, F>>(
                                   internal::EncodeFunctions(f), label),
                               label)
        .status();
  }

 private:
  std::vector<int> AllPartitions() const {
    std::vector<int> all;
    for (int p = 0; p < NumPartitions(); ++p) all.push_back(p);
    return all;
  }
  absl::StatusOr<std::vector<std::string>> RunCollect(uint64_t limit, std::vector<int> partitions,
                                                      const char* name, Location at) const {
    const std::string label = internal::OperatorLabel(name, at);
    internal::Encoder params;
    params.PutFixed(limit);
    return internal::RunAction(
        context(), node(),
        internal::MakeSpec<internal::CollectOperator<T>>(params.ToString(), label), label,
        std::move(partitions));
  }
  static absl::StatusOr<std::vector<Owned<T>>> Decoded(const std::vector<std::string>& results) {
    std::vector<Owned<T>> records;
    const absl::Status decoded = internal::DecodeResults<T>(
        results, [&records](Owned<T> record) { records.push_back(std::move(record)); });
    if (!decoded.ok()) return decoded;
    return records;
  }
};

}  // namespace millrace

#endif  // MILLRACE_CLIENT_MILLRACE_RDD_H_
