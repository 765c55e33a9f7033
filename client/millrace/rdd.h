// RDD<T>: an immutable, partitioned data set that remembers how it is computed.
#ifndef MILLRACE_CLIENT_MILLRACE_RDD_H_
#define MILLRACE_CLIENT_MILLRACE_RDD_H_

#include <millrace/function.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/rdd/actions.h"
#include "client/rdd/basic.h"
#include "client/rdd/by_key.h"
#include "client/rdd/checkpoint.h"
#include "client/rdd/join.h"
#include "client/rdd/key_by.h"
#include "client/rdd/rdd_base.h"
#include "client/rdd/reshape.h"
#include "client/rdd/save.h"
#include "client/rdd/sets.h"
#include "client/rdd/sort.h"
#include "common/base/source_location.h"
#include "common/record/key_order.h"
#include "common/record/storage_level.h"

namespace millrace {

// A cheap handle: copyable, taken by value or reference alike. Nothing is computed until an action
// asks for a result; actions return absl::Status or absl::StatusOr of owning types, with an error
// that names the operator, its place in the program, and the cause. An empty handle (default
// constructed) holds no data set: `if (rdd)` tells; what is made of it is empty too, and an action
// on it is FailedPrecondition.
//
// `n` is a number of partitions (0: what the parents have, or millrace.default.parallelism) or a
// partitioner (client/rdd/partitioner.h). Functions run on workers and carry their data openly
// (millrace/function.h); they may take the records' type or its Owned form.
template <class T>
class RDD : public internal::RddBase {
 public:
  using value_type = T;
  using Location = internal::Location;
  // Of a data set of pairs.
  using K = typename internal::PairParts<T>::Key;
  using V = typename internal::PairParts<T>::Value;
  template <class U>
  using ValueOf = typename internal::PairParts<U>::Value;
  using internal::RddBase::RddBase;

  // -- One record at a time ---------------------------------------------------------------------

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
  // All elements of what f returns. f: T -> range of U; the range may view the record.
  template <class F>
  auto FlatMap(F f, Location at = Location::Current()) const {
    return internal::MakeFlatMap<T>(std::move(f), at)(*this);
  }
  // All that f emits. f: (T, Emitter<U>&) -> void or absl::Status.
  template <class U, class F>
  RDD<U> FlatMap(F f, Location at = Location::Current()) const {
    return internal::MakeEmitMap<T, U>(std::move(f), at)(*this);
  }
  // (f(record), record). f: T -> key.
  template <class F>
  auto KeyBy(F f, Location at = Location::Current()) const {
    return internal::MakeKeyBy<T>(std::move(f), "KeyBy", at)(*this);
  }
  // Takes each record with the probability `fraction`, or with replacement so often on average. The
  // same seed takes the same records.
  RDD<T> Sample(bool with_replacement, double fraction, std::optional<uint64_t> seed = std::nullopt,
                Location at = Location::Current()) const {
    return internal::Sample(*this, with_replacement, fraction, seed, at);
  }

  // -- Partitions -------------------------------------------------------------------------------

  // All that f emits. f: (PartitionReader<T>&, Emitter<U>&) -> void or absl::Status, once a
  // partition, empty ones too; the reader can be read once.
  template <class U, class F>
  RDD<U> MapPartitions(F f, Location at = Location::Current()) const {
    return internal::MakeMapPartitions<T, U>(std::move(f), at)(*this);
  }
  // f: (int partition, PartitionReader<T>&, Emitter<U>&) -> the same.
  template <class U, class F>
  RDD<U> MapPartitionsWithIndex(F f, Location at = Location::Current()) const {
    return internal::MakeMapPartitionsWithIndex<T, U>(std::move(f), at)(*this);
  }
  // One vector a partition.
  RDD<std::vector<T>> Glom(Location at = Location::Current()) const {
    return internal::MakeGlom<T>(at)(*this);
  }
  // Exactly `n` partitions, evenly filled; a full shuffle.
  RDD<T> Repartition(int n, Location at = Location::Current()) const {
    return internal::MakeRepartition<T>(n, at)(*this);
  }
  // At most `n` partitions, without a shuffle: neighbours are read one after the other.
  RDD<T> Coalesce(int n) const { return internal::Coalesce(*this, n); }
  // (record, its place in the data set). Counts the partitions at once.
  RDD<std::pair<T, int64_t>> ZipWithIndex(Location at = Location::Current()) const {
    return internal::ZipWithIndex(*this, at);
  }

  // -- Several data sets ------------------------------------------------------------------------

  // The records of both; none is dropped.
  RDD<T> Union(const RDD<T>& other) const { return internal::UnionTransform<T>()({*this, other}); }
  // Each record once.
  template <internal::PartitionerOrCount N = int>
  RDD<T> Distinct(const N& n = N{}, Location at = Location::Current()) const {
    return internal::MakeDistinct<T>(n, at)(*this);
  }
  // The records that both have, each once.
  template <internal::PartitionerOrCount N = int>
  RDD<T> Intersection(const RDD<T>& other, const N& n = N{},
                      Location at = Location::Current()) const {
    return internal::MakeIntersection<T>(n, at)(*this, other);
  }
  // The records that `other` has not.
  template <internal::PartitionerOrCount N = int>
  RDD<T> Subtract(const RDD<T>& other, const N& n = N{}, Location at = Location::Current()) const {
    return internal::MakeSubtract<T>(n, at)(*this, other);
  }
  // Each record with each of the other data set.
  template <class U>
  RDD<std::pair<T, U>> Cartesian(const RDD<U>& other, Location at = Location::Current()) const {
    return internal::Cartesian(*this, other, at);
  }

  // -- Order ------------------------------------------------------------------------------------
  // Both sample the data set at once, to choose ranges of keys for `n` partitions (0: as many as
  // there are). NaN stands behind all numbers.

  // In the order of f(record), which needs operator<.
  template <class F>
  RDD<T> SortBy(F f, bool ascending = true, int n = 0, Location at = Location::Current()) const {
    return internal::SortBy(*this, std::move(f), ascending, n, at);
  }
  // In the order of keys, which need operator<.
  RDD<T> SortByKey(bool ascending = true, int n = 0, Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::SortByKey<K, V>(*this, ascending, n, internal::OperatorLabel("SortByKey", at));
  }

  // -- Data sets of pairs -----------------------------------------------------------------------

  // One record a key. f: (V, V) -> V, associative and commutative; called before the shuffle and
  // after it.
  template <class F, internal::PartitionerOrCount N = int>
  RDD<T> ReduceByKey(F f, const N& n = N{}, Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::MakeReduceByKey<K, V>(std::move(f), n, at)(*this);
  }
  // (key, all its values), in no order. The values of one key must fit into memory.
  template <internal::PartitionerOrCount N = int>
  RDD<std::pair<K, std::vector<V>>> GroupByKey(const N& n = N{},
                                               Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::MakeGroupByKey<K, V>(n, at)(*this);
  }
  // (key, all records of which f gives it). f: T -> key.
  template <class F, internal::PartitionerOrCount N = int>
  auto GroupBy(F f, const N& n = N{}, Location at = Location::Current()) const {
    return internal::MakeKeyBy<T>(std::move(f), "GroupBy", at)(*this).GroupByKey(n, at);
  }
  // (key, its values as a C). create: V -> C, merge_value: (C, V) -> C, merge_combiners: (C, C) ->
  // C, which brings together what different tasks made.
  template <class Create, class MergeValue, class MergeCombiners,
            internal::PartitionerOrCount N = int>
  auto CombineByKey(Create create, MergeValue merge_value, MergeCombiners merge_combiners,
                    const N& n = N{}, Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::MakeCombineByKey<K, V>(std::move(create), std::move(merge_value),
                                            std::move(merge_combiners), n, at)(*this);
  }
  // merge_value: (C, V) -> C, from `zero` on; merge_combiners: (C, C) -> C.
  template <class C, class MergeValue, class MergeCombiners, internal::PartitionerOrCount N = int>
  auto AggregateByKey(C zero, MergeValue merge_value, MergeCombiners merge_combiners,
                      const N& n = N{}, Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::MakeAggregateByKey<K, V>(internal::BoundValue<C>::Keep(std::move(zero)),
                                              std::move(merge_value), std::move(merge_combiners), n,
                                              at)(*this);
  }
  // f: (V, V) -> V, from `zero` on in each partition.
  template <class F, internal::PartitionerOrCount N = int>
  auto FoldByKey(Owned<V> zero, F f, const N& n = N{}, Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::MakeAggregateByKey<K, V>(std::move(zero), f, f, n, at, "FoldByKey")(*this);
  }
  // f: V -> U or absl::StatusOr<U>; keys stay where they are.
  template <class F>
  auto MapValues(F f, Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::MakeMapValues<K, V>(std::move(f), at)(*this);
  }
  // (key, element) for all elements of what f returns. f: V -> range of U; keys stay where they
  // are.
  template <class F>
  auto FlatMapValues(F f, Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::MakeFlatMapValues<K, V>(std::move(f), at)(*this);
  }
  // The first of each pair; none is dropped. Values: the second.
  RDD<K> Keys(Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::MakeKeys<K, V>(at)(*this);
  }
  RDD<V> Values(Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::MakeValues<K, V>(at)(*this);
  }
  // Each record in the partition that the partitioner gives its key.
  template <internal::PartitionerOrCount N>
  RDD<T> PartitionBy(const N& n, Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::MakePartitionBy<K, V>(n, at)(*this);
  }
  // The records whose keys `other` has not.
  template <class U, internal::PartitionerOrCount N = int>
  RDD<T> SubtractByKey(const RDD<U>& other, const N& n = N{},
                       Location at = Location::Current()) const {
    internal::CheckSameKey<T, U>();
    return internal::MakeSemiJoin<K, V, ValueOf<U>, internal::KeepKeys::kMissing>(
        "SubtractByKey", n, at)(*this, other);
  }

  // Each value of a key with each of the other data set's: of keys that both have. `other` has
  // pairs with the same key type. What is partitioned alike already is not shuffled again.
  template <class U, internal::PartitionerOrCount N = int>
  RDD<std::pair<K, std::pair<V, ValueOf<U>>>> Join(const RDD<U>& other, const N& n = N{},
                                                   Location at = Location::Current()) const {
    internal::CheckSameKey<T, U>();
    return JoinAs<internal::JoinKind::kInner>("Join", other, n, at);
  }
  // ... and of keys that this data set alone has, with std::nullopt.
  template <class U, internal::PartitionerOrCount N = int>
  RDD<std::pair<K, std::pair<V, std::optional<ValueOf<U>>>>> LeftOuterJoin(
      const RDD<U>& other, const N& n = N{}, Location at = Location::Current()) const {
    internal::CheckSameKey<T, U>();
    return JoinAs<internal::JoinKind::kLeftOuter>("LeftOuterJoin", other, n, at);
  }
  // ... and of keys that the other data set alone has.
  template <class U, internal::PartitionerOrCount N = int>
  RDD<std::pair<K, std::pair<std::optional<V>, ValueOf<U>>>> RightOuterJoin(
      const RDD<U>& other, const N& n = N{}, Location at = Location::Current()) const {
    internal::CheckSameKey<T, U>();
    return JoinAs<internal::JoinKind::kRightOuter>("RightOuterJoin", other, n, at);
  }
  // ... and of keys that either alone has.
  template <class U, internal::PartitionerOrCount N = int>
  RDD<std::pair<K, std::pair<std::optional<V>, std::optional<ValueOf<U>>>>> FullOuterJoin(
      const RDD<U>& other, const N& n = N{}, Location at = Location::Current()) const {
    internal::CheckSameKey<T, U>();
    return JoinAs<internal::JoinKind::kFullOuter>("FullOuterJoin", other, n, at);
  }
  // For every key of any data set, the values of each; none is an empty vector.
  template <class U, internal::PartitionerOrCount N = int>
  RDD<std::pair<K, std::pair<std::vector<V>, std::vector<ValueOf<U>>>>> CoGroup(
      const RDD<U>& other, const N& n = N{}, Location at = Location::Current()) const {
    internal::CheckSameKey<T, U>();
    return internal::MakeCoGroup<K, V, ValueOf<U>>(n, at)(*this, other);
  }
  template <class U1, class U2>
  auto CoGroup(const RDD<U1>& other1, const RDD<U2>& other2,
               Location at = Location::Current()) const {
    internal::CheckSameKey<T, U1, U2>();
    return internal::MakeCoGroup<K, V, ValueOf<U1>, ValueOf<U2>>(0, at)(*this, other1, other2);
  }
  template <class U1, class U2, class U3>
  auto CoGroup(const RDD<U1>& other1, const RDD<U2>& other2, const RDD<U3>& other3,
               Location at = Location::Current()) const {
    internal::CheckSameKey<T, U1, U2, U3>();
    return internal::MakeCoGroup<K, V, ValueOf<U1>, ValueOf<U2>, ValueOf<U3>>(0, at)(
        *this, other1, other2, other3);
  }
  // More of them: the caller's place cannot be taken behind an open number of arguments.
  template <class U1, class U2, class U3, class U4, class... Us>
  auto CoGroup(const RDD<U1>& other1, const RDD<U2>& other2, const RDD<U3>& other3,
               const RDD<U4>& other4, const RDD<Us>&... others) const {
    internal::CheckSameKey<T, U1, U2, U3, U4, Us...>();
    return internal::MakeCoGroup<K, V, ValueOf<U1>, ValueOf<U2>, ValueOf<U3>, ValueOf<U4>,
                                 ValueOf<Us>...>(0, Location())(*this, other1, other2, other3,
                                                                other4, others...);
  }

  // -- Persistence ------------------------------------------------------------------------------

  // Workers keep the partitions from their first computation on. Returns the same data set.
  RDD<T> Persist(StorageLevel level = StorageLevel::kMemoryOnly) const {
    internal::PersistNode(context(), node(), level);
    return *this;
  }
  // Persist(StorageLevel::kMemoryOnly).
  RDD<T> Cache() const { return Persist(StorageLevel::kMemoryOnly); }
  // Workers drop what they keep of it.
  RDD<T> Unpersist() const {
    internal::UnpersistNode(node());
    return *this;
  }

  // The same records, which are written to the checkpoint directory at once and read from there:
  // what they were computed from is forgotten. The files stay when the program ends. A job of its
  // own, so Persist a data set first that is used otherwise too. Without a checkpoint directory
  // (Context::SetCheckpointDir) each action on the result is FailedPrecondition.
  RDD<T> Checkpoint(Location at = Location::Current()) const {
    return internal::Checkpoint(*this, at);
  }

  // -- Actions: records -------------------------------------------------------------------------

  // All records, in partition order.
  absl::StatusOr<std::vector<Owned<T>>> Collect(Location at = Location::Current()) const {
    return internal::Collect(*this, "Collect", at);
  }
  // The first `n` records, in partition order. Looks at as few partitions as it can.
  absl::StatusOr<std::vector<Owned<T>>> Take(int64_t n, Location at = Location::Current()) const {
    return internal::Take(*this, n, "Take", at);
  }
  // NotFound when the data set is empty.
  absl::StatusOr<Owned<T>> First(Location at = Location::Current()) const {
    return internal::OnlyRecord(internal::Take(*this, 1, "First", at), "First", at);
  }
  // Looks at as few partitions as it can.
  absl::StatusOr<bool> IsEmpty(Location at = Location::Current()) const {
    auto taken = internal::Take(*this, 1, "IsEmpty", at);
    if (!taken.ok()) return taken.status();
    return taken->empty();
  }
  // The `n` greatest records by `less`, the greatest first. less: (T, T) -> bool; operator< unless
  // given, with NaN behind all numbers.
  template <class Less = internal::KeyOrder>
  absl::StatusOr<std::vector<Owned<T>>> Top(int64_t n, Less less = Less(),
                                            Location at = Location::Current()) const {
    internal::CheckShippable<Less>();
    return internal::TakeOrdered(*this, n, internal::Reversed<Less>{std::move(less)}, "Top", at);
  }
  // The `n` least records by `less`, the least first.
  template <class Less = internal::KeyOrder>
  absl::StatusOr<std::vector<Owned<T>>> TakeOrdered(int64_t n, Less less = Less(),
                                                    Location at = Location::Current()) const {
    return internal::TakeOrdered(*this, n, std::move(less), "TakeOrdered", at);
  }
  // The greatest and the least record by `less`. NotFound when the data set is empty.
  template <class Less = internal::KeyOrder>
  absl::StatusOr<Owned<T>> Max(Less less = Less(), Location at = Location::Current()) const {
    internal::CheckShippable<Less>();
    return internal::OnlyRecord(
        internal::TakeOrdered(*this, 1, internal::Reversed<Less>{std::move(less)}, "Max", at),
        "Max", at);
  }
  template <class Less = internal::KeyOrder>
  absl::StatusOr<Owned<T>> Min(Less less = Less(), Location at = Location::Current()) const {
    return internal::OnlyRecord(internal::TakeOrdered(*this, 1, std::move(less), "Min", at), "Min",
                                at);
  }
  // The values of a key.
  absl::StatusOr<std::vector<Owned<V>>> Lookup(const Owned<K>& key,
                                               Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::Lookup<K, V>(*this, key, at);
  }

  // -- Actions: folds ---------------------------------------------------------------------------

  // The number of records.
  absl::StatusOr<int64_t> Count(Location at = Location::Current()) const {
    return internal::Count(*this, at);
  }
  // f: (T, T) -> T, associative and commutative. NotFound when the data set is empty.
  template <class F>
  absl::StatusOr<Owned<T>> Reduce(F f, Location at = Location::Current()) const {
    return internal::Reduce(*this, std::move(f), at);
  }
  // f: (T, T) -> T. Starts from `zero` in each partition, and again to bring their results
  // together.
  template <class F>
  absl::StatusOr<Owned<T>> Fold(Owned<T> zero, F f, Location at = Location::Current()) const {
    return internal::Aggregate(*this, std::move(zero), f, f, "Fold", at);
  }
  // add: (A, T) -> A, merge: (A, A) -> A; from `zero` as Fold.
  template <class A, class Add, class Merge>
  auto Aggregate(A zero, Add add, Merge merge, Location at = Location::Current()) const {
    return internal::Aggregate(*this, internal::BoundValue<A>::Keep(std::move(zero)),
                               std::move(add), std::move(merge), "Aggregate", at);
  }
  // Of numbers; 0 when there are none.
  auto Sum(Location at = Location::Current()) const requires std::is_arithmetic_v<T> {
    return internal::Aggregate(*this, internal::SumOf<T>{0}, std::plus<>(), std::plus<>(), "Sum",
                               at);
  }
  // How often each value occurs, in a map.
  auto CountByValue(Location at = Location::Current()) const {
    return internal::CountByValue(*this, "CountByValue", at);
  }
  // How many records each key has, in a map.
  auto CountByKey(Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::CountByValue(Keys(at), "CountByKey", at);
  }
  // One of the values of each key, the last, in a map.
  auto CollectAsMap(Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::CollectAsMap<K, V>(*this, at);
  }

  // -- Actions: effects -------------------------------------------------------------------------

  // f: T -> void or absl::Status, called on workers for what it does elsewhere.
  template <class F>
  absl::Status Foreach(F f, Location at = Location::Current()) const {
    return internal::Foreach(*this, std::move(f), at);
  }
  // f: (PartitionReader<T>&) -> void or absl::Status, once a partition.
  template <class F>
  absl::Status ForeachPartition(F f, Location at = Location::Current()) const {
    return internal::ForeachPartition(*this, std::move(f), at);
  }
  // Writes the directory `path` with a file of lines for each partition, part-00000 and so on: the
  // records' text form. AlreadyExists when there is one, but in Transform and ForeachRDD it is
  // replaced.
  absl::Status SaveAsTextFile(const std::string& path, Location at = Location::Current()) const {
    return internal::SaveAsText(*this, path, at);
  }
  // The same with encoded records; Context::ObjectFile reads them.
  absl::Status SaveAsObjectFile(const std::string& path, Location at = Location::Current()) const {
    return internal::SaveAsObjects(*this, path, at);
  }

 private:
  template <internal::JoinKind kind, class U, class N>
  auto JoinAs(const char* name, const RDD<U>& other, const N& n, Location at) const {
    return internal::MakeJoin<K, V, ValueOf<U>, kind>(name, n, at)(*this, other);
  }
};

}  // namespace millrace

#endif  // MILLRACE_CLIENT_MILLRACE_RDD_H_
