// From operations on data sets to operations on streams: the thin typed layer over StreamRef.
#ifndef MILLRACE_CLIENT_DSTREAM_LIFT_H_
#define MILLRACE_CLIENT_DSTREAM_LIFT_H_

#include <chrono>
#include <concepts>
#include <iterator>
#include <memory>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "client/dstream/stream_ref.h"
#include "client/rdd/basic.h"
#include "client/rdd/by_key.h"
#include "client/rdd/join.h"
#include "client/rdd/lineage.h"
#include "client/rdd/partitioner.h"
#include "client/rdd/rdd_base.h"
#include "common/record/record_traits.h"
#include "executor/operator/partition_ops.h"

namespace millrace {

template <class T>
class DStream;

namespace internal {

// RDD<U> and absl::StatusOr<RDD<U>> -> U
template <class R>
struct DataSetRecord {
  static_assert(!std::is_same_v<R, R>,
                "Transform: the function must return an RDD<U> or absl::StatusOr<RDD<U>>; what is "
                "done with the records of a batch is DStream::ForeachRDD's");
};
template <class U>
struct DataSetRecord<RDD<U>> {
  using type = U;
};
template <class U>
struct DataSetRecord<absl::StatusOr<RDD<U>>> {
  using type = U;
};

template <class U>
absl::StatusOr<RddRef> NodeOf(const RDD<U>& rdd) {
  return rdd.node();
}
template <class U>
absl::StatusOr<RddRef> NodeOf(const absl::StatusOr<RDD<U>>& rdd) {
  if (!rdd.ok()) return rdd.status();
  return rdd->node();
}

// `transform`, an RDD<T> -> RDD<U> made once (client/rdd), applied to each batch of `in`.
template <class T, class Transform>
auto Lift(const char* name, Location where, const DStream<T>& in, Transform transform) {
  using Out = std::invoke_result_t<const Transform&, const RDD<T>&>;
  auto apply = [context = ContextOf(in.ref()), transform = std::move(transform)](
                   Time, std::span<const RddRef> data_sets) -> absl::StatusOr<RddRef> {
    return NodeOf(transform(RDD<T>(context, data_sets[0])));
  };
  return DStream<typename DataSetRecord<Out>::type>(
      AddTransformed({name, where}, in.ref(), std::move(apply)));
}

// The same for a transformation of two data sets.
template <class T, class W, class Transform>
auto Lift2(const char* name, Location where, const DStream<T>& a, const DStream<W>& b,
           Transform transform) {
  using Out = std::invoke_result_t<const Transform&, const RDD<T>&, const RDD<W>&>;
  auto apply = [context = ContextOf(a.ref()), transform = std::move(transform)](
                   Time, std::span<const RddRef> data_sets) -> absl::StatusOr<RddRef> {
    return NodeOf(transform(RDD<T>(context, data_sets[0]), RDD<W>(context, data_sets[1])));
  };
  return DStream<typename DataSetRecord<Out>::type>(
      AddCombined({name, where}, {a.ref(), b.ref()}, std::move(apply)));
}

template <class F, class... Rdds>
concept TakesTime = std::is_invocable_v<F&, Rdds&..., Time>;

// f(data sets...[, time]), called with lvalues so that it may take them in any way.
template <class F, class... Rdds>
decltype(auto) CallOnDriver(F& f, Time time, Rdds&... rdds) {
  if constexpr (TakesTime<F, Rdds...>) {
    return f(rdds..., time);
  } else {
    return f(rdds...);
  }
}

// The user's f over the data sets of streams of Ts. It runs on the driver and may capture anything,
// so it is shared rather than copied.
template <class F, class... Ts>
auto TransformStreams(const char* name, Location where, F f, const DStream<Ts>&... streams) {
  static_assert(TakesTime<F, RDD<Ts>...> || std::is_invocable_v<F&, RDD<Ts>&...>,
                "Transform: the function must take the streams' data sets (RDD<T>...), and may "
                "take the batch's Time after them");
  using Out = std::remove_cvref_t<decltype(CallOnDriver<F, RDD<Ts>...>(
      std::declval<F&>(), Time(), std::declval<RDD<Ts>&>()...))>;
  const std::vector<StreamRef> parents{streams.ref()...};
  auto apply = [context = ContextOf(parents.front()), shared = std::make_shared<F>(std::move(f))](
                   Time time, std::span<const RddRef> data_sets) -> absl::StatusOr<RddRef> {
    return [&]<size_t... i>(std::index_sequence<i...>) {
      std::tuple<RDD<Ts>...> rdds(RDD<Ts>(context, data_sets[i])...);
      return NodeOf(CallOnDriver(*shared, time, std::get<i>(rdds)...));
    }
    (std::index_sequence_for<Ts...>());
  };
  return DStream<typename DataSetRecord<Out>::type>(
      AddCombined({name, where}, parents, std::move(apply)));
}

// Streams spread keys over as many partitions in every batch, whatever the batch holds: what one
// batch combined can then be combined with another's without a shuffle.
template <PartitionerOrCount P>
auto StreamPartitions(const StreamRef& stream, const P& partitioner) {
  if constexpr (std::integral<P>) {
    return partitioner > 0 ? static_cast<int>(partitioner) : ContextOf(stream)->default_parallelism;
  } else if constexpr (std::same_as<P, HashPartitioner>) {
    return StreamPartitions(stream, partitioner.num_partitions);
  } else {
    return partitioner;
  }
}

template <class T>
DStream<T> LiftWindow(const char* name, Location where, const DStream<T>& in,
                      std::chrono::milliseconds length, std::chrono::milliseconds slide) {
  return DStream<T>(AddWindow({name, where}, in.ref(), length, slide,
                              [context = ContextOf(in.ref())](std::vector<RddRef> data_sets) {
                                return MakeUnion(context, RecordOperators<T>(),
                                                 std::move(data_sets));
                              }));
}

// A window over what `combine`, an RDD<T> -> RDD<T> made once, has made of each batch, combined by
// it once more. Keys stay where they are.
template <class T, class Combine>
DStream<T> LiftAggregateWindow(const char* name, Location where, const DStream<T>& batches,
                               std::chrono::milliseconds length, std::chrono::milliseconds slide,
                               Combine combine) {
  static const OperatorRef& drop = *new OperatorRef(MakeSpec<DropRecordsOperator<T>>("", "Window"));
  auto apply = [context = ContextOf(batches.ref()), combine = std::move(combine)](
                   std::vector<RddRef> parts, const RddRef& prepared) -> absl::StatusOr<RddRef> {
    const RecordTypeOperators& type = RecordOperators<T>();
    if (prepared != nullptr) {
      parts.push_back(MakeNarrow(context, drop, type, prepared, /*keeps_partitioner=*/true));
    }
    return NodeOf(combine(RDD<T>(context, MakeUnion(context, type, std::move(parts)))));
  };
  return DStream<T>(
      AddAggregateWindow({name, where}, batches.ref(), length, slide, std::move(apply)));
}

// Each batch's records as one, or none, under the single key.
template <class T, class F>
DStream<std::pair<SingleKey, T>> LiftReduceUnderKey(const char* name, Location where,
                                                    const DStream<T>& in, F f) {
  return Lift(name, where, in,
              [reduce = MakeReduce<T>(std::move(f), where, name)](const RDD<T>& rdd) {
                return reduce.UnderKey(rdd);
              });
}

// All records of the window as one, or none.
template <class T, class F>
DStream<T> ReduceWindow(const char* name, Location where, const DStream<T>& in, F f,
                        std::chrono::milliseconds length, std::chrono::milliseconds slide) {
  using Pair = std::pair<SingleKey, T>;
  auto windows = LiftAggregateWindow(name, where, LiftReduceUnderKey(name, where, in, f), length,
                                     slide, MakeReduceByKey<SingleKey, T>(f, 1, where, name));
  return Lift(name, where, windows, MakeMap<Pair>(SecondOf<SingleKey, T>(), where));
}

template <class T>
DStream<T> UnionStreams(const char* name, Location where, const std::vector<DStream<T>>& streams) {
  std::vector<StreamRef> parents;
  for (const DStream<T>& stream : streams) parents.push_back(stream.ref());
  auto apply = [context = ContextOf(parents.front())](
                   Time, std::span<const RddRef> data_sets) -> absl::StatusOr<RddRef> {
    return MakeUnion(context, RecordOperators<T>(), {data_sets.begin(), data_sets.end()});
  };
  return DStream<T>(AddCombined({name, where}, parents, std::move(apply)));
}

template <class K, PartitionerOrCount N, class... Vs>
auto CoGroupStreams(const char* name, Location where, const N& n,
                    const DStream<std::pair<K, Vs>>&... streams) {
  return TransformStreams(
      name, where,
      [transform = MakeCoGroup<K, Vs...>(n, where)](const RDD<std::pair<K, Vs>>&... data_sets) {
        return transform(data_sets...);
      },
      streams...);
}

// Values of one key that were grouped apart, put into one list.
template <class V>
struct ConcatPolicy {
  using In = std::vector<V>;
  using Group = std::vector<V>;
  using Out = std::vector<V>;

  Group Make(In&& values) const { return std::move(values); }
  void Merge(Group& group, In&& values) const {
    group.insert(group.end(), std::make_move_iterator(values.begin()),
                 std::make_move_iterator(values.end()));
  }
  Out Emit(Group& group) const { return std::move(group); }
};

}  // namespace internal
}  // namespace millrace

#endif  // MILLRACE_CLIENT_DSTREAM_LIFT_H_
