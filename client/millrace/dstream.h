// DStream<T>: a data set for each batch, and what can be done with it.
#ifndef MILLRACE_CLIENT_MILLRACE_DSTREAM_H_
#define MILLRACE_CLIENT_MILLRACE_DSTREAM_H_

#include <millrace/rdd.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/dstream/lift.h"
#include "client/dstream/state_streams.h"
#include "client/dstream/stream_ref.h"
#include "client/rdd/basic.h"
#include "client/rdd/by_key.h"
#include "client/rdd/checkpoint.h"
#include "client/rdd/join.h"
#include "client/sink/stream_output.h"
#include "common/base/source_location.h"
#include "common/record/storage_level.h"
#include "common/time/duration_param.h"
#include "common/time/time.h"

namespace millrace {

template <class F, class S, class N, class KeyType>
class StateSpec;
template <class Out, class K, class S>
class MapWithStateStream;

// A cheap handle of a stream: copyable, taken by value or reference alike. Operations declare new
// streams and outputs; nothing runs before StreamingContext::Start, and nothing may be declared
// after it. What is wrong with a declaration comes back from Start.
//
// Functions of the operations run on workers and carry their data openly (see millrace/function.h);
// those of Transform and ForeachRDD run on the driver and may capture anything. Durations are any
// std::chrono durations that convert to milliseconds without loss. `n` is a number of partitions
// (0: millrace.default.parallelism, else one a task slot) or a partitioner.
template <class T>
class DStream {
 public:
  using RecordType = T;
  using Location = internal::Location;
  using Duration = internal::DurationParam;
  // Of a stream of pairs.
  using K = typename internal::PairParts<T>::Key;
  using V = typename internal::PairParts<T>::Value;
  template <class U>
  using ValueOf = typename internal::PairParts<U>::Value;

  // For operations; programs get streams from a StreamingContext and from other streams.
  explicit DStream(internal::StreamRef ref) : ref_(std::move(ref)) {}
  const internal::StreamRef& ref() const { return ref_; }

  // How often the stream has a data set.
  std::chrono::milliseconds slide_interval() const { return internal::SlideOf(ref_); }

  // -- One record at a time ---------------------------------------------------------------------

  // f: T -> U or absl::StatusOr<U>, whose error fails the task.
  template <class F>
  auto Map(F f, Location at = Location::Current()) const {
    return internal::Lift("Map", at, *this, internal::MakeMap<T>(std::move(f), at));
  }
  // All elements of what f returns. f: T -> range of U; the range may view the record.
  template <class F>
  auto FlatMap(F f, Location at = Location::Current()) const {
    return internal::Lift("FlatMap", at, *this, internal::MakeFlatMap<T>(std::move(f), at));
  }
  // All that f emits. f: (T, Emitter<U>&) -> void or absl::Status.
  template <class U, class F>
  DStream<U> FlatMap(F f, Location at = Location::Current()) const {
    return internal::Lift("FlatMap", at, *this, internal::MakeEmitMap<T, U>(std::move(f), at));
  }
  // f: T -> bool; true keeps the record.
  template <class F>
  DStream<T> Filter(F f, Location at = Location::Current()) const {
    return internal::Lift("Filter", at, *this, internal::MakeFilter<T>(std::move(f), at));
  }
  // All that f emits. f: (PartitionReader<T>&, Emitter<U>&) -> void or absl::Status, once a
  // partition, empty ones too; the reader can be read once.
  template <class U, class F>
  DStream<U> MapPartitions(F f, Location at = Location::Current()) const {
    return internal::Lift("MapPartitions", at, *this,
                          internal::MakeMapPartitions<T, U>(std::move(f), at));
  }
  // One vector a partition.
  DStream<std::vector<T>> Glom(Location at = Location::Current()) const {
    return internal::Lift("Glom", at, *this, internal::MakeGlom<T>(at));
  }

  // -- Whole batches ----------------------------------------------------------------------------

  // Exactly `n` partitions (at least 1), evenly filled; a full shuffle.
  DStream<T> Repartition(int n, Location at = Location::Current()) const {
    internal::CheckPartitions({"Repartition", at}, ref_, n);
    return internal::Lift("Repartition", at, *this, internal::MakeRepartition<T>(n, at));
  }
  // The records of both, those of `other` behind; none is dropped. Both have one slide.
  DStream<T> Union(const DStream<T>& other, Location at = Location::Current()) const {
    return internal::UnionStreams("Union", at, std::vector<DStream<T>>{*this, other});
  }
  // One record: the number of records, 0 for an empty batch.
  DStream<int64_t> Count(Location at = Location::Current()) const {
    return internal::Lift("Count", at, *this, internal::MakeCount<T>(at));
  }
  // (value, its number) for each distinct value.
  template <internal::PartitionerOrCount N = int>
  DStream<std::pair<T, int64_t>> CountByValue(const N& n = N{},
                                              Location at = Location::Current()) const {
    return internal::Lift("CountByValue", at, *this,
                          internal::MakeCountByValue<T>(Partitions(n), at));
  }
  // f: (T, T) -> T, associative and commutative. No record for an empty batch.
  template <class F>
  DStream<T> Reduce(F f, Location at = Location::Current()) const {
    return internal::Lift("Reduce", at, *this, internal::MakeReduce<T>(std::move(f), at));
  }
  // The data set that f makes of each batch's. f: (RDD<T>[, Time]) -> RDD<U> or
  // absl::StatusOr<RDD<U>>, on the driver, once a batch; an error or an empty handle fails the
  // batch.
  template <class F>
  auto Transform(F f, Location at = Location::Current()) const {
    return internal::TransformStreams("Transform", at, std::move(f), *this);
  }
  // The same of two streams of one slide. f: (RDD<T>, RDD<W>[, Time]) -> the same.
  template <class W, class F>
  auto TransformWith(const DStream<W>& other, F f, Location at = Location::Current()) const {
    return internal::TransformStreams("TransformWith", at, std::move(f), *this, other);
  }

  // -- Windows: the last `length` of the stream, each `slide` (the stream's own unless given) -----
  // Both are positive multiples of the stream's slide. At the start windows hold what there is.

  // All records of the window, the oldest batch's first.
  DStream<T> Window(Duration length, Location at = Location::Current()) const {
    return Window(length, slide_interval(), at);
  }
  DStream<T> Window(Duration length, Duration slide, Location at = Location::Current()) const {
    return internal::LiftWindow("Window", at, *this, length, slide);
  }
  // One record: the number of records in the window, 0 for an empty one.
  DStream<int64_t> CountByWindow(Duration length, Duration slide,
                                 Location at = Location::Current()) const {
    auto counts = internal::Lift("CountByWindow", at, *this, internal::MakeCount<T>(at));
    auto sums =
        internal::ReduceWindow("CountByWindow", at, counts, std::plus<int64_t>(), length, slide);
    return internal::Lift("CountByWindow", at, sums, internal::MakeSum(at));
  }
  // f: (T, T) -> T, associative and commutative. No record for an empty window. What a slide costs
  // does not depend on the window's length.
  template <class F>
  DStream<T> ReduceByWindow(F f, Duration length, Duration slide,
                            Location at = Location::Current()) const {
    return internal::ReduceWindow("ReduceByWindow", at, *this, std::move(f), length, slide);
  }
  // `inverse` takes out what `f` put in: what leaves the window costs as much as what comes. Needs
  // a checkpoint directory. From the first record on there is a result for empty windows too.
  template <class F, internal::FunctionLike Inverse>
  DStream<T> ReduceByWindow(F f, Inverse inverse, Duration length, Duration slide,
                            Location at = Location::Current()) const {
    auto keyed = internal::LiftReduceUnderKey("ReduceByWindow", at, *this, f);
    auto states =
        internal::InverseWindow("ReduceByWindow", at, keyed, std::move(f), std::move(inverse),
                                internal::KeepAll(), length, slide, 1);
    using Pair = std::pair<internal::SingleKey, T>;
    return internal::Lift(
        "ReduceByWindow", at, states,
        internal::MakeMap<Pair>(internal::SecondOf<internal::SingleKey, T>(), at));
  }
  // (value, its number) for each value in the window. Needs a checkpoint directory.
  template <internal::PartitionerOrCount N = int>
  DStream<std::pair<T, int64_t>> CountByValueAndWindow(Duration length, Duration slide,
                                                       const N& n = N{},
                                                       Location at = Location::Current()) const {
    auto with_one = internal::Lift("CountByValueAndWindow", at, *this,
                                   internal::MakeMap<T>(internal::WithOne<T>(), at));
    return internal::InverseWindow("CountByValueAndWindow", at, with_one, std::plus<int64_t>(),
                                   std::minus<int64_t>(), internal::IsNotZero<T>(), length, slide,
                                   Partitions(n));
  }
  // The data sets of all batch times in [from, to], oldest first, as they were made or made now.
  // FailedPrecondition before Start.
  absl::StatusOr<std::vector<RDD<T>>> Slice(Time from, Time to) const {
    const auto nodes = internal::SliceOf(ref_, from, to);
    if (!nodes.ok()) return nodes.status();
    std::vector<RDD<T>> slice;
    for (const internal::RddRef& node : *nodes) {
      slice.emplace_back(internal::ContextOf(ref_), node);
    }
    return slice;
  }

  // -- The stream itself ------------------------------------------------------------------------

  // Workers keep each batch's records once they were computed, for as long as they are remembered.
  DStream<T> Persist(StorageLevel level = StorageLevel::kMemoryOnly,
                     Location at = Location::Current()) const {
    internal::SetPersist({"Persist", at}, ref_, level);
    return *this;
  }
  // Persist(StorageLevel::kMemoryOnly).
  DStream<T> Cache(Location at = Location::Current()) const {
    return Persist(StorageLevel::kMemoryOnly, at);
  }
  // How often the stream is saved to the checkpoint directory: a multiple of its slide. Needs the
  // directory. Of a stream with state that is the state; without this one it is saved every first
  // multiple from 10 s on. Of other streams it is the data set of each batch that is a multiple of
  // `interval`, behind the batch's outputs: batches that look back at it later read it from there,
  // also those of the next driver, whatever it was made of. Such a stream is persisted, and what is
  // saved is removed when no batch will look back at it. What cannot be written is logged.
  DStream<T> Checkpoint(Duration interval, Location at = Location::Current()) const {
    internal::SetCheckpoint({"Checkpoint", at}, ref_, interval, internal::MakeDataSetFormat<T>(at));
    return *this;
  }
  // The stream's name in messages and in what is saved of it.
  DStream<T> Name(const std::string& name, Location at = Location::Current()) const {
    internal::SetName({"Name", at}, ref_, name);
    return *this;
  }

  // -- Streams of pairs -------------------------------------------------------------------------

  // One record a key. f: (V, V) -> V, associative and commutative; called before the shuffle and
  // after it.
  template <class F, internal::PartitionerOrCount N = int>
  DStream<T> ReduceByKey(F f, const N& n = N{}, Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::Lift("ReduceByKey", at, *this,
                          internal::MakeReduceByKey<K, V>(std::move(f), Partitions(n), at));
  }
  // (key, all its values), in no order. The values of one key must fit into memory.
  template <internal::PartitionerOrCount N = int>
  DStream<std::pair<K, std::vector<V>>> GroupByKey(const N& n = N{},
                                                   Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::Lift("GroupByKey", at, *this,
                          internal::MakeGroupByKey<K, V>(Partitions(n), at));
  }
  // (key, its values as a C). create: V -> C, merge_value: (C, V) -> C, merge_combiners: (C, C) ->
  // C, which brings together what different tasks made.
  template <class Create, class MergeValue, class MergeCombiners,
            internal::PartitionerOrCount N = int>
  auto CombineByKey(Create create, MergeValue merge_value, MergeCombiners merge_combiners,
                    const N& n = N{}, Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::Lift(
        "CombineByKey", at, *this,
        internal::MakeCombineByKey<K, V>(std::move(create), std::move(merge_value),
                                         std::move(merge_combiners), Partitions(n), at));
  }
  // f: V -> U or absl::StatusOr<U>; keys stay where they are.
  template <class F>
  auto MapValues(F f, Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::Lift("MapValues", at, *this, internal::MakeMapValues<K, V>(std::move(f), at));
  }
  // (key, element) for all elements of what f returns. f: V -> range of U; keys stay where they
  // are.
  template <class F>
  auto FlatMapValues(F f, Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::Lift("FlatMapValues", at, *this,
                          internal::MakeFlatMapValues<K, V>(std::move(f), at));
  }

  // Each value of a key with each of the other stream's, batch by batch: of keys that both have.
  // `other` is a stream of pairs with the same key type and slide.
  template <class U, internal::PartitionerOrCount N = int>
  DStream<std::pair<K, std::pair<V, ValueOf<U>>>> Join(const DStream<U>& other, const N& n = N{},
                                                       Location at = Location::Current()) const {
    internal::CheckSameKey<T, U>();
    return JoinAs<internal::JoinKind::kInner>("Join", other, n, at);
  }
  // ... and of keys that this stream alone has, with std::nullopt.
  template <class U, internal::PartitionerOrCount N = int>
  DStream<std::pair<K, std::pair<V, std::optional<ValueOf<U>>>>> LeftOuterJoin(
      const DStream<U>& other, const N& n = N{}, Location at = Location::Current()) const {
    internal::CheckSameKey<T, U>();
    return JoinAs<internal::JoinKind::kLeftOuter>("LeftOuterJoin", other, n, at);
  }
  // ... and of keys that the other stream alone has.
  template <class U, internal::PartitionerOrCount N = int>
  DStream<std::pair<K, std::pair<std::optional<V>, ValueOf<U>>>> RightOuterJoin(
      const DStream<U>& other, const N& n = N{}, Location at = Location::Current()) const {
    internal::CheckSameKey<T, U>();
    return JoinAs<internal::JoinKind::kRightOuter>("RightOuterJoin", other, n, at);
  }
  // ... and of keys that either alone has.
  template <class U, internal::PartitionerOrCount N = int>
  DStream<std::pair<K, std::pair<std::optional<V>, std::optional<ValueOf<U>>>>> FullOuterJoin(
      const DStream<U>& other, const N& n = N{}, Location at = Location::Current()) const {
    internal::CheckSameKey<T, U>();
    return JoinAs<internal::JoinKind::kFullOuter>("FullOuterJoin", other, n, at);
  }
  // For every key of any of the streams, the values of each; none is an empty vector. With several
  // others (key, tuple of vectors), by the default number of partitions.
  template <class U, internal::PartitionerOrCount N = int>
  DStream<std::pair<K, std::pair<std::vector<V>, std::vector<ValueOf<U>>>>> CoGroup(
      const DStream<U>& other, const N& n = N{}, Location at = Location::Current()) const {
    internal::CheckSameKey<T, U>();
    return internal::CoGroupStreams<K>("CoGroup", at, Partitions(n), *this, other);
  }
  template <class U1, class U2>
  auto CoGroup(const DStream<U1>& other1, const DStream<U2>& other2,
               Location at = Location::Current()) const {
    internal::CheckSameKey<T, U1, U2>();
    return internal::CoGroupStreams<K>("CoGroup", at, Partitions(0), *this, other1, other2);
  }
  template <class U1, class U2, class U3>
  auto CoGroup(const DStream<U1>& other1, const DStream<U2>& other2, const DStream<U3>& other3,
               Location at = Location::Current()) const {
    internal::CheckSameKey<T, U1, U2, U3>();
    return internal::CoGroupStreams<K>("CoGroup", at, Partitions(0), *this, other1, other2, other3);
  }
  // More of them: the caller's place cannot be taken behind an open number of arguments.
  template <class U1, class U2, class U3, class U4, class... Us>
  auto CoGroup(const DStream<U1>& other1, const DStream<U2>& other2, const DStream<U3>& other3,
               const DStream<U4>& other4, const DStream<Us>&... others) const {
    internal::CheckSameKey<T, U1, U2, U3, U4, Us...>();
    return internal::CoGroupStreams<K>("CoGroup", Location(), Partitions(0), *this, other1, other2,
                                       other3, other4, others...);
  }

  // f: (V, V) -> V, associative and commutative, over what the window holds of each key; keys that
  // have left it are gone. What a slide costs does not depend on the window's length.
  template <class F>
  DStream<T> ReduceByKeyAndWindow(F f, Duration length, Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return ReduceByKeyAndWindow(std::move(f), length, slide_interval(), 0, at);
  }
  template <class F, internal::PartitionerOrCount N = int>
  DStream<T> ReduceByKeyAndWindow(F f, Duration length, Duration slide, const N& n = N{},
                                  Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    const char* const name = "ReduceByKeyAndWindow";
    const auto reduce = internal::MakeReduceByKey<K, V>(std::move(f), Partitions(n), at, name);
    auto batches = internal::Lift(name, at, *this, reduce);
    return internal::LiftAggregateWindow(name, at, batches, length, slide, reduce);
  }
  // `inverse` takes out what `f` put in. A key that was seen once stays, with what `f` and
  // `inverse` made of it, unless `filter`: (const std::pair<K, V>&) -> bool is false for it. Needs
  // a checkpoint directory.
  template <class F, internal::FunctionLike Inverse, internal::PartitionerOrCount N = int>
  auto ReduceByKeyAndWindow(F f, Inverse inverse, Duration length, Duration slide, const N& n = N{},
                            Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return ReduceByKeyAndWindow(std::move(f), std::move(inverse), length, slide, n,
                                internal::KeepAll(), at);
  }
  template <class F, internal::FunctionLike Inverse, internal::PartitionerOrCount N, class Filter>
  auto ReduceByKeyAndWindow(F f, Inverse inverse, Duration length, Duration slide, const N& n,
                            Filter filter, Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::InverseWindow("ReduceByKeyAndWindow", at, *this, std::move(f),
                                   std::move(inverse), std::move(filter), length, slide,
                                   Partitions(n));
  }
  template <class F, internal::FunctionLike Inverse, internal::WindowFilter Filter>
  auto ReduceByKeyAndWindow(F f, Inverse inverse, Duration length, Duration slide, Filter filter,
                            Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return ReduceByKeyAndWindow(std::move(f), std::move(inverse), length, slide, 0,
                                std::move(filter), at);
  }
  // (key, all its values in the window), in no order.
  template <internal::PartitionerOrCount N = int>
  DStream<std::pair<K, std::vector<V>>> GroupByKeyAndWindow(
      Duration length, Duration slide, const N& n = N{}, Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    const char* const name = "GroupByKeyAndWindow";
    const internal::ConcatPolicy<V> concat;
    auto batches =
        internal::Lift(name, at, *this, internal::MakeGroupByKey<K, V>(Partitions(n), at));
    return internal::Lift(name, at, internal::LiftWindow(name, at, batches, length, slide),
                          internal::MakeCombine<K>(name, concat, concat, Partitions(n), at));
  }

  // All known keys with their states. f: ([Time, ]key, std::span<const V>, std::optional<S>) ->
  // std::optional<S>, for every known key in every batch, with all its new values; std::nullopt
  // drops the key. `initial`: the state before the first batch. S is an owning type. Needs a
  // checkpoint directory.
  template <class S, class F>
  DStream<std::pair<K, S>> UpdateStateByKey(F f, Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::UpdateStateStream<S>(*this, std::move(f), 0, nullptr, at);
  }
  template <class S, class F, internal::PartitionerOrCount N>
  DStream<std::pair<K, S>> UpdateStateByKey(F f, const N& n,
                                            Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::UpdateStateStream<S>(*this, std::move(f), n, nullptr, at);
  }
  template <class S, class F, class InitialKey>
  DStream<std::pair<K, S>> UpdateStateByKey(F f, const RDD<std::pair<InitialKey, S>>& initial,
                                            Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return UpdateStateByKey<S>(std::move(f), 0, initial, at);
  }
  template <class S, class F, internal::PartitionerOrCount N, class InitialKey>
  DStream<std::pair<K, S>> UpdateStateByKey(F f, const N& n,
                                            const RDD<std::pair<InitialKey, S>>& initial,
                                            Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return internal::UpdateStateStream<S>(*this, std::move(f), n,
                                          internal::ReadAs<std::pair<K, S>>(initial), at);
  }

  // What the spec's function returns, and the states by StateSnapshots(). See StateSpec. Needs a
  // checkpoint directory.
  template <class F, class S, class N, class KeyType>
  auto MapWithState(const StateSpec<F, S, N, KeyType>& spec,
                    Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    internal::CheckStateMapper<F, K, V, S>();
    using Out = typename internal::MapWithStateOperator<K, V, S, F, false>::Mapped;
    return MapWithStateStream<Out, K, S>::template Make<V>(*this, spec, at);
  }
  // For a generic f, of which S cannot be told.
  template <class S, class F>
  auto MapWithState(F f, Location at = Location::Current()) const {
    internal::CheckPairs<T>();
    return MapWithState(StateSpec<F, S, int, internal::NoPair>(std::move(f)), at);
  }

  // -- Outputs ----------------------------------------------------------------------------------

  // The first `n` records of each batch in their text form, on standard output, each batch in one
  // piece: a line of 43 dashes, `Time: T ms`, dashes, a line a record, `...` when there are more,
  // and an empty line.
  void Print(int64_t n = 10, Location at = Location::Current()) const {
    internal::AddOutput({"Print", at}, ref_, internal::PrintFunction<T>(ref_, n, at));
  }
  // A directory a batch, prefix-TIME[.suffix], TIME in milliseconds: a file part-00000 and so on
  // for each partition, with a line for each record, its text form, and _SUCCESS. It appears in one
  // piece; a batch that runs again replaces its own.
  void SaveAsTextFiles(std::string prefix, std::string suffix = "",
                       Location at = Location::Current()) const {
    internal::AddOutput(
        {"SaveAsTextFiles", at}, ref_,
        internal::SaveTextFunction<T>(ref_, std::move(prefix), std::move(suffix), at));
  }
  // The same with encoded records; Context::ObjectFile reads them.
  void SaveAsObjectFiles(std::string prefix, std::string suffix = "",
                         Location at = Location::Current()) const {
    internal::AddOutput(
        {"SaveAsObjectFiles", at}, ref_,
        internal::SaveObjectFunction<T>(ref_, std::move(prefix), std::move(suffix), at));
  }
  // f: (RDD<T>[, Time]) -> void or absl::Status, on the driver. An error or exception fails the
  // batch's output; later batches go on.
  template <class F>
  void ForeachRDD(F f, Location at = Location::Current()) const {
    internal::AddOutput({"ForeachRDD", at}, ref_, internal::ForeachFunction<T>(ref_, std::move(f)));
  }

 private:
  template <internal::PartitionerOrCount N>
  auto Partitions(const N& n) const {
    return internal::StreamPartitions(ref_, n);
  }
  template <internal::JoinKind kind, class U, class N>
  auto JoinAs(const char* name, const DStream<U>& other, const N& n, Location at) const {
    return internal::Lift2(name, at, *this, other,
                           internal::MakeJoin<K, V, ValueOf<U>, kind>(name, Partitions(n), at));
  }

  internal::StreamRef ref_;
};

}  // namespace millrace

#include <millrace/state_spec.h>

#endif  // MILLRACE_CLIENT_MILLRACE_DSTREAM_H_
