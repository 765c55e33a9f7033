// Map, Filter, FlatMap, MapPartitions, Glom, Union, Repartition, Coalesce and the folds of a whole
// data set into one record. Each MakeX makes a transformation once; DStream applies it each batch.
#ifndef MILLRACE_CLIENT_RDD_BASIC_H_
#define MILLRACE_CLIENT_RDD_BASIC_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "client/rdd/lineage.h"
#include "client/rdd/partitioner.h"
#include "client/rdd/rdd_base.h"
#include "executor/operator/map.h"
#include "executor/operator/partition_ops.h"

namespace millrace::internal {

template <class T, class F>
auto MakeMap(F f, Location where) {
  CheckShippable<F>();
  static_assert(CallableWith<F, T>,
                "Map: the function must take the stream's record type (or its Owned form)");
  static_assert(!std::is_void_v<ResultOf<F, T>>,
                "Map: the function returns nothing, so there is nothing to map to; RDD::Foreach "
                "(in DStream::ForeachRDD) calls functions for what they do");
  using Op = MapOperator<T, F>;
  return Narrow<T, typename Op::Out>{MakeSpec<Op>(EncodeFunctions(f), OperatorLabel("Map", where))};
}

template <class T, class F>
auto MakeFilter(F f, Location where) {
  CheckShippable<F>();
  static_assert(PredicateOf<F, T>,
                "Filter: the function must take the stream's record type and return bool (or "
                "absl::StatusOr<bool>)");
  return Narrow<T, T>{
      MakeSpec<FilterOperator<T, F>>(EncodeFunctions(f), OperatorLabel("Filter", where)),
      /*keeps_partitioner=*/true};
}

template <class T, class F>
auto MakeFlatMap(F f, Location where) {
  CheckShippable<F>();
  static_assert(RangeFunction<F, T>,
                "FlatMap: the function must take the stream's record type and return a range; or "
                "write FlatMap<U>([](T record, millrace::Emitter<U>& emit) {...})");
  using Op = FlatMapOperator<T, F>;
  return Narrow<T, typename Op::Out>{
      MakeSpec<Op>(EncodeFunctions(f), OperatorLabel("FlatMap", where))};
}

template <class T, class U, class F>
auto MakeEmitMap(F f, Location where) {
  CheckShippable<F>();
  static_assert(std::is_invocable_v<const F&, T, Emitter<U>&> ||
                    std::is_invocable_v<const F&, Owned<T>, Emitter<U>&>,
                "FlatMap<U>: the function must take (T record, millrace::Emitter<U>& emit), and "
                "return nothing or absl::Status");
  return Narrow<T, U>{
      MakeSpec<EmitMapOperator<T, U, F>>(EncodeFunctions(f), OperatorLabel("FlatMap", where))};
}

template <class T, class U, class F>
auto MakeMapPartitions(F f, Location where) {
  CheckShippable<F>();
  static_assert(std::is_invocable_v<const F&, PartitionReader<T>&, Emitter<U>&>,
                "MapPartitions<U>: the function must take (PartitionReader<T>& records, "
                "Emitter<U>& emit)");
  return Narrow<T, U>{MakeSpec<MapPartitionsOperator<T, U, F>>(
      EncodeFunctions(f), OperatorLabel("MapPartitions", where))};
}

template <class T, class U, class F>
auto MakeMapPartitionsWithIndex(F f, Location where) {
  CheckShippable<F>();
  static_assert(std::is_invocable_v<const F&, int, PartitionReader<T>&, Emitter<U>&>,
                "MapPartitionsWithIndex<U>: the function must take (int partition, "
                "PartitionReader<T>& records, Emitter<U>& emit)");
  return Narrow<T, U>{MakeSpec<MapPartitionsOperator<T, U, F>>(
      EncodeFunctions(f), OperatorLabel("MapPartitionsWithIndex", where))};
}

template <class T>
auto MakeGlom(Location where) {
  return Narrow<T, std::vector<T>>{MakeSpec<GlomOperator<T>>("", OperatorLabel("Glom", where))};
}

template <class T>
struct UnionTransform {
  RDD<T> operator()(const std::vector<RDD<T>>& parents) const {
    if (parents.empty()) return RDD<T>();
    std::vector<RddRef> nodes;
    for (const RDD<T>& parent : parents) nodes.push_back(parent.node());
    return RDD<T>(parents.front().context(),
                  MakeUnion(parents.front().context(), RecordOperators<T>(), std::move(nodes)));
  }
};

// A full shuffle into exactly `num_partitions`, which is positive, dealt out evenly.
template <class T>
struct RepartitionTransform {
  OperatorRef write;
  OperatorRef read;
  int num_partitions;
  std::string label;

  RDD<T> operator()(const RDD<T>& in) const {
    const absl::Status valid = CheckPartitionCount(num_partitions);
    if (in && !valid.ok()) {
      return RDD<T>(in.context(), MakeFailed(in.context(), RecordOperators<T>(), valid, label));
    }
    static const OperatorRef& pass =
        *new OperatorRef(MakeSpec<AlignedUnionOperator>("", "Repartition"));
    return RDD<T>(in.context(), MakeRedistributed(in.context(), pass, write, read,
                                                  RecordOperators<T>(), in.node(), num_partitions));
  }
};

template <class T>
RepartitionTransform<T> MakeRepartition(int num_partitions, Location where) {
  const std::string label = OperatorLabel("Repartition", where);
  return {MakeSpec<RoundRobinWriteOperator<T>>("", label, BindingKind::kOutput),
          MakeSpec<ShuffleRecordsOperator<T>>("", label, BindingKind::kShuffle), num_partitions,
          label};
}

// At most `num_partitions`, without a shuffle: neighbours are read one after the other.
template <class T>
RDD<T> Coalesce(const RDD<T>& in, int num_partitions) {
  if (num_partitions >= in.NumPartitions()) return in;
  return RDD<T>(in.context(),
                MakeConcat(in.context(), RecordOperators<T>(), in.node(),
                           CoalesceGroups(in.NumPartitions(), std::max(1, num_partitions))));
}

// Pairs under the single key, brought together in one partition.
template <class V>
KeyedInput SingleKeyInput(const RddRef& parent, const std::string& label) {
  return {
      parent,
      MakeSpec<ShuffleWriteOperator<SingleKey, V, HashPartition>>("", label, BindingKind::kOutput),
      MakeSpec<ShuffleReadOperator<SingleKey, V>>("", label, BindingKind::kShuffle),
      MakeSpec<AddHashOperator<SingleKey, V>>("", label)};
}

// One record: the number of records, 0 for an empty data set.
template <class T>
struct CountTransform {
  // Dependent on T, for RDD is not complete here.
  using Result = RDD<std::conditional_t<kIsRecord<T>, int64_t, T>>;

  OperatorRef partial;
  OperatorRef sum;
  KeyedInput input;

  Result operator()(const RDD<T>& in) const {
    const ContextRef& context = in.context();
    KeyedInput keyed = input;
    keyed.parent = MakeNarrow(context, partial, RecordOperators<std::pair<SingleKey, int64_t>>(),
                              in.node(), false);
    return Result(context, MakeKeyed(context, sum, RecordOperators<int64_t>(), {keyed},
                                     HashPartitionerSpec(1), /*keeps_keys=*/false));
  }
};

template <class T>
CountTransform<T> MakeCount(Location where) {
  const std::string label = OperatorLabel("Count", where);
  return {MakeSpec<PartialCountOperator<T>>("", label), MakeSpec<SumCountsOperator>("", label),
          SingleKeyInput<int64_t>(nullptr, label)};
}

// One record: the sum of numbers, 0 for an empty data set.
template <class Number = int64_t>
CountTransform<Number> MakeSum(Location where) {
  CountTransform<Number> sum = MakeCount<Number>(where);
  using Plus = std::plus<int64_t>;
  sum.partial = MakeSpec<PartialReduceOperator<Number, Plus>>(
      EncodeFunctions(ReducePolicy<Number, Plus>{Plus()}), sum.partial->label);
  return sum;
}

// At most one record: all records folded by f; none for an empty data set.
template <class T, class F>
struct ReduceTransform {
  using Policy = ReducePolicy<T, F>;
  OperatorRef partial;
  OperatorRef combine;
  OperatorRef drop_key;
  KeyedInput input;

  RDD<T> operator()(const RDD<T>& in) const {
    return RDD<T>(in.context(), MakeNarrow(in.context(), drop_key, RecordOperators<T>(),
                                           UnderKey(in).node(), /*keeps_partitioner=*/false));
  }
  // The result still with its key, to be combined with others.
  RDD<std::pair<SingleKey, T>> UnderKey(const RDD<T>& in) const {
    const ContextRef& context = in.context();
    const auto& pair_type = RecordOperators<std::pair<SingleKey, T>>();
    KeyedInput keyed = input;
    keyed.parent = MakeNarrow(context, partial, pair_type, in.node(), false);
    return RDD<std::pair<SingleKey, T>>(
        context, MakeKeyed(context, combine, pair_type, {keyed}, HashPartitionerSpec(1)));
  }
};

template <class A, class B>
struct SecondOf {
  B operator()(std::pair<A, B> pair) const { return std::move(pair.second); }
};
template <class A, class B>
struct FirstOf {
  A operator()(std::pair<A, B> pair) const { return std::move(pair.first); }
};

template <class T, class F>
ReduceTransform<T, F> MakeReduce(F f, Location where, const char* name = "Reduce") {
  CheckShippable<F>();
  static_assert(FoldStep<F, T, T, Owned<T>>, "Reduce: the function must take (T, T) and return T");
  using Transform = ReduceTransform<T, F>;
  const std::string label = OperatorLabel(name, where);
  const FunctionParams params = EncodeFunctions(typename Transform::Policy{f});
  return {MakeSpec<PartialReduceOperator<T, F>>(params, label),
          MakeSpec<CombineOperator<SingleKey, typename Transform::Policy>>(params, label),
          MakeSpec<MapOperator<std::pair<SingleKey, T>, SecondOf<SingleKey, T>>>("", label),
          SingleKeyInput<T>(nullptr, label)};
}

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_BASIC_H_
