// Join, outer joins and CoGroup.
#ifndef MILLRACE_CLIENT_RDD_JOIN_H_
#define MILLRACE_CLIENT_RDD_JOIN_H_

#include <array>
#include <utility>
#include <vector>

#include "client/rdd/by_key.h"
#include "client/rdd/partitioner.h"
#include "client/rdd/rdd_base.h"
#include "executor/operator/join.h"

namespace millrace::internal {

// Brings two keyed data sets together by `op`, whose records are (key, Values).
template <class K, class V, class W, class Values, class Partitioner>
struct JoinTransform {
  OperatorRef op;
  KeyedInput left;
  KeyedInput right;
  ResolvedPartitioner<Partitioner> partitioner;

  RDD<std::pair<K, Values>> operator()(const RDD<std::pair<K, V>>& a,
                                       const RDD<std::pair<K, W>>& b) const {
    const ContextRef& context = a.context();
    KeyedInput left_input = left;
    KeyedInput right_input = right;
    left_input.parent = a.node();
    right_input.parent = b.node();
    return RDD<std::pair<K, Values>>(
        context,
        MakeKeyed(context, op, RecordOperators<std::pair<K, Values>>(), {left_input, right_input},
                  partitioner.SpecFor(context, {a.node(), b.node()})));
  }
};

template <class K, class V, class W, JoinKind kind, class N>
auto MakeJoin(const char* name, const N& n, Location where) {
  CheckKey<K>();
  auto partitioner = Resolve(n);
  using Partitioner = decltype(partitioner.function);
  const std::string label = OperatorLabel(name, where);
  using Values = typename JoinedValues<V, W, kind>::type;
  return JoinTransform<K, V, W, Values, Partitioner>{
      MakeSpec<JoinOperator<K, V, W, kind>>("", label),
      PlainInput<K, V>(nullptr, partitioner.function, label),
      PlainInput<K, W>(nullptr, partitioner.function, label), std::move(partitioner)};
}

// CoGroup of any number of data sets.
template <class Partitioner, class K, class... Vs>
struct CoGroupTransform {
  using Op = CoGroupOperator<K, Vs...>;
  using Out = typename Op::Out;
  OperatorRef op;
  std::array<KeyedInput, sizeof...(Vs)> inputs;
  ResolvedPartitioner<Partitioner> partitioner;

  RDD<Out> operator()(const RDD<std::pair<K, Vs>>&... data_sets) const {
    const std::vector<RddRef> nodes{data_sets.node()...};
    const ContextRef& context = std::get<0>(std::tie(data_sets...)).context();
    std::vector<KeyedInput> keyed(inputs.begin(), inputs.end());
    for (size_t i = 0; i < keyed.size(); ++i) keyed[i].parent = nodes[i];
    return RDD<Out>(context, MakeKeyed(context, op, RecordOperators<Out>(), keyed,
                                       partitioner.SpecFor(context, nodes)));
  }
};

template <class K, class... Vs, class N>
auto MakeCoGroup(const N& n, Location where) {
  CheckKey<K>();
  auto partitioner = Resolve(n);
  using Partitioner = decltype(partitioner.function);
  const std::string label = OperatorLabel("CoGroup", where);
  return CoGroupTransform<Partitioner, K, Vs...>{
      MakeSpec<CoGroupOperator<K, Vs...>>("", label),
      {PlainInput<K, Vs>(nullptr, partitioner.function, label)...},
      std::move(partitioner)};
}

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_JOIN_H_
