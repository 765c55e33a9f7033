// ReduceByKey, GroupByKey, CombineByKey, CountByValue, PartitionBy, MapValues.
#ifndef MILLRACE_CLIENT_RDD_BY_KEY_H_
#define MILLRACE_CLIENT_RDD_BY_KEY_H_

#include <functional>
#include <utility>
#include <vector>

#include "client/rdd/basic.h"
#include "client/rdd/partitioner.h"
#include "client/rdd/rdd_base.h"
#include "executor/operator/keyed.h"
#include "executor/operator/map.h"

namespace millrace::internal {

// Brings the records of a key together and combines them: K, V become K, Out. The first policy
// takes the data set's values, the second what travelled; they differ unless nothing is made of a
// value before its first merge.
template <class K, class V, class Out, class Partitioner>
struct CombineTransform {
  KeyedInput input;
  OperatorRef combine_here;     // Of values, when the data set is partitioned already.
  OperatorRef combine_arrived;  // Of what the map side made.
  ResolvedPartitioner<Partitioner> partitioner;

  RDD<std::pair<K, Out>> operator()(const RDD<std::pair<K, V>>& in) const {
    const ContextRef& context = in.context();
    const auto spec = partitioner.SpecFor(context, {in.node()});
    const bool is_here = IsPartitionedBy(in.node(), *spec);
    KeyedInput keyed = input;
    keyed.parent = in.node();
    return RDD<std::pair<K, Out>>(context,
                                  MakeKeyed(context, is_here ? combine_here : combine_arrived,
                                            RecordOperators<std::pair<K, Out>>(), {keyed}, spec));
  }
};

// `First` combines on the map side, `Second` on the reduce side.
template <class K, class First, class Second, class N>
auto MakeCombine(const char* name, const First& first, const Second& second, const N& n,
                 Location where) {
  CheckKey<K>();
  using V = typename First::In;
  auto partitioner = Resolve(n);
  using Partitioner = decltype(partitioner.function);
  const std::string label = OperatorLabel(name, where);
  KeyedInput input{
      nullptr,
      MakeSpec<CombineWriteOperator<K, First, Partitioner>>(
          EncodeFunctions(first, partitioner.function), label, BindingKind::kOutput),
      MakeSpec<ShuffleReadOperator<K, typename Second::In>>("", label, BindingKind::kShuffle),
      MakeSpec<AddHashOperator<K, V>>("", label)};
  return CombineTransform<K, V, typename Second::Out, Partitioner>{
      std::move(input), MakeSpec<CombineOperator<K, First>>(EncodeFunctions(first), label),
      MakeSpec<CombineOperator<K, Second>>(EncodeFunctions(second), label), std::move(partitioner)};
}

template <class K, class V, class F, class N>
auto MakeReduceByKey(F f, const N& n, Location where, const char* name = "ReduceByKey") {
  CheckShippable<F>();
  static_assert(FoldStep<F, V, V, Owned<V>>,
                "ReduceByKey: the function must take (V, V) and return V");
  const ReducePolicy<V, F> policy{f};
  return MakeCombine<K>(name, policy, policy, n, where);
}

template <class K, class V, class Create, class MergeValue, class MergeCombiners, class N>
auto MakeCombineByKey(Create create, MergeValue merge_value, MergeCombiners merge_combiners,
                      const N& n, Location where) {
  CheckShippable<Create>();
  CheckShippable<MergeValue>();
  CheckShippable<MergeCombiners>();
  static_assert(CallableWith<Create, V>, "CombineByKey: create must take V and return C");
  using C = Owned<ResultOf<Create, V>>;
  static_assert(FoldStep<MergeValue, C, V, C>,
                "CombineByKey: merge_value must take (C, V) and return C, which create returns");
  static_assert(
      FoldStep<MergeCombiners, C, C, C>,
      "CombineByKey: merge_combiners must take (C, C) and return C, which create returns");
  return MakeCombine<K>("CombineByKey",
                        CombinePolicy<V, C, Create, MergeValue>{create, merge_value},
                        MergePolicy<C, MergeCombiners>{merge_combiners}, n, where);
}

// A shuffle of pairs as they are, for operators that want every record.
template <class K, class V, class Partitioner>
KeyedInput PlainInput(const RddRef& parent, const Partitioner& partitioner,
                      const std::string& label) {
  return {parent,
          MakeSpec<ShuffleWriteOperator<K, V, Partitioner>>(EncodeFunctions(partitioner), label,
                                                            BindingKind::kOutput),
          MakeSpec<ShuffleReadOperator<K, V>>("", label, BindingKind::kShuffle),
          MakeSpec<AddHashOperator<K, V>>("", label)};
}

template <class K, class V, class N>
auto MakeGroupByKey(const N& n, Location where) {
  CheckKey<K>();
  auto partitioner = Resolve(n);
  using Partitioner = decltype(partitioner.function);
  const std::string label = OperatorLabel("GroupByKey", where);
  const OperatorRef group = MakeSpec<CombineOperator<K, GroupPolicy<V>>>("", label);
  return CombineTransform<K, V, std::vector<V>, Partitioner>{
      PlainInput<K, V>(nullptr, partitioner.function, label), group, group, std::move(partitioner)};
}

// Each record in the partition of its key, in the order of arrival.
template <class K, class V, class Partitioner>
struct PartitionByTransform {
  KeyedInput input;
  OperatorRef drop_hash;
  ResolvedPartitioner<Partitioner> partitioner;

  RDD<std::pair<K, V>> operator()(const RDD<std::pair<K, V>>& in) const {
    const ContextRef& context = in.context();
    const auto spec = partitioner.SpecFor(context, {in.node()});
    if (IsPartitionedBy(in.node(), *spec)) return in;
    KeyedInput keyed = input;
    keyed.parent = in.node();
    return RDD<std::pair<K, V>>(
        context, MakeKeyed(context, drop_hash, RecordOperators<std::pair<K, V>>(), {keyed}, spec));
  }
};

template <class K, class V, class N>
auto MakePartitionBy(const N& n, Location where) {
  auto partitioner = Resolve(n);
  using Partitioner = decltype(partitioner.function);
  const std::string label = OperatorLabel("PartitionBy", where);
  return PartitionByTransform<K, V, Partitioner>{
      PlainInput<K, V>(nullptr, partitioner.function, label),
      MakeSpec<DropHashOperator<K, V>>("", label), std::move(partitioner)};
}

// combine, with a value to start each combiner from: merge_value(C, V) -> C.
template <class C, class MergeValue>
struct StartFrom {
  C zero;
  MergeValue merge_value;

  template <class V>
  requires CallableWith2<MergeValue, C, V> C operator()(V value) const {
    return OwnedAs<C>(CallWith2(merge_value, C(zero), std::move(value)));
  }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(zero);
    if constexpr (!std::is_empty_v<MergeValue>) archive(merge_value);
  }
};

template <class K, class V, class C, class MergeValue, class MergeCombiners, class N>
auto MakeAggregateByKey(C zero, MergeValue merge_value, MergeCombiners merge_combiners, const N& n,
                        Location where, const char* name = "AggregateByKey") {
  CheckShippable<MergeValue>();
  CheckShippable<MergeCombiners>();
  static_assert(FoldStep<MergeValue, C, V, C>,
                "AggregateByKey: merge_value must take (C, V) and return C, the type of zero");
  static_assert(FoldStep<MergeCombiners, C, C, C>,
                "AggregateByKey: merge_combiners must take (C, C) and return C, the type of zero");
  using Create = StartFrom<C, MergeValue>;
  return MakeCombine<K>(
      name,
      CombinePolicy<V, C, Create, MergeValue>{Create{std::move(zero), merge_value}, merge_value},
      MergePolicy<C, MergeCombiners>{merge_combiners}, n, where);
}

// (value, count) for each distinct value.
template <class T>
struct WithOne {
  std::pair<T, int64_t> operator()(T record) const { return {std::move(record), 1}; }
};

template <class T, class N>
auto MakeCountByValue(const N& n, Location where) {
  auto with_one = Narrow<T, std::pair<T, int64_t>>{
      MakeSpec<MapOperator<T, WithOne<T>>>("", OperatorLabel("CountByValue", where))};
  auto sum = MakeReduceByKey<T, int64_t>(std::plus<>(), n, where, "CountByValue");
  return [with_one, sum](const RDD<T>& in) { return sum(with_one(in)); };
}

// f on the values; keys and partitioner stay.
template <class K, class V, class F>
struct OnValue {
  F f;

  auto operator()(std::pair<K, V> record) const {
    using R = ResultOf<F, V>;
    if constexpr (kIsStatusOr<R>) {
      using U = typename R::value_type;
      R result = CallWith(f, record.second);
      if (!result.ok()) return absl::StatusOr<std::pair<K, U>>(result.status());
      return absl::StatusOr<std::pair<K, U>>(
          std::pair<K, U>(std::move(record.first), *std::move(result)));
    } else {
      return std::pair<K, R>(std::move(record.first), CallWith(f, record.second));
    }
  }
  template <class Archive>
  void serialize(Archive& archive) {
    if constexpr (!std::is_empty_v<F>) archive(f);
  }
};

template <class K, class V, class F>
auto MakeMapValues(F f, Location where) {
  CheckShippable<F>();
  static_assert(CallableWith<F, V>, "MapValues: the function must take the value's type");
  using Function = OnValue<K, V, F>;
  using Op = MapOperator<std::pair<K, V>, Function>;
  return Narrow<std::pair<K, V>, typename Op::Out>{
      MakeSpec<Op>(EncodeFunctions(Function{f}), OperatorLabel("MapValues", where)),
      /*keeps_partitioner=*/true};
}

// f makes a range of values; each is paired with the key.
template <class K, class V, class F>
struct OnValueFlat {
  F f;
  using Range = RecordResultOf<F, V>;
  using U = RangeRecord<Range>;

  absl::Status operator()(std::pair<K, V> record, Emitter<std::pair<K, U>>& emit) const {
    auto&& result = CallWith(f, record.second);
    if constexpr (kIsStatusOr<ResultOf<F, V>>) {
      if (!result.ok()) return result.status();
      for (auto&& value : *result) emit(std::pair<K, U>(record.first, value));
    } else {
      for (auto&& value : result) emit(std::pair<K, U>(record.first, value));
    }
    return absl::OkStatus();
  }
  template <class Archive>
  void serialize(Archive& archive) {
    if constexpr (!std::is_empty_v<F>) archive(f);
  }
};

template <class K, class V, class F>
auto MakeFlatMapValues(F f, Location where) {
  CheckShippable<F>();
  static_assert(RangeFunction<F, V>,
                "FlatMapValues: the function must take the value's type and return a range");
  using Function = OnValueFlat<K, V, F>;
  using Out = std::pair<K, typename Function::U>;
  return Narrow<std::pair<K, V>, Out>{
      MakeSpec<EmitMapOperator<std::pair<K, V>, Out, Function>>(
          EncodeFunctions(Function{f}), OperatorLabel("FlatMapValues", where)),
      /*keeps_partitioner=*/true};
}

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_BY_KEY_H_
