// Distinct, and what one data set has in common with another.
#ifndef MILLRACE_CLIENT_RDD_SETS_H_
#define MILLRACE_CLIENT_RDD_SETS_H_

#include <utility>

#include "client/rdd/by_key.h"
#include "client/rdd/partitioner.h"
#include "client/rdd/rdd_base.h"
#include "executor/operator/semi_join.h"

namespace millrace::internal {

// The value beside a key that is all there is to a record.
using Mark = char;

template <class T>
struct WithMark {
  std::pair<T, Mark> operator()(T record) const { return {std::move(record), Mark{0}}; }
};

struct KeepFirst {
  using In = Mark;
  using Group = Mark;
  using Out = Mark;
  Group Make(In&& value) const { return value; }
  void Merge(Group& /*group*/, In&& /*value*/) const {}
  Out Emit(Group& group) const { return group; }
};

template <class T>
Narrow<T, std::pair<T, Mark>> MakeMarked(const std::string& label) {
  return {MakeSpec<MapOperator<T, WithMark<T>>>("", label)};
}
template <class T>
Narrow<std::pair<T, Mark>, T> MakeUnmarked(const std::string& label) {
  return {MakeSpec<MapOperator<std::pair<T, Mark>, FirstOf<T, Mark>>>("", label)};
}

// Each record once.
template <class T, class N>
auto MakeDistinct(const N& n, Location where) {
  const std::string label = OperatorLabel("Distinct", where);
  return [mark = MakeMarked<T>(label), unmark = MakeUnmarked<T>(label),
          combine = MakeCombine<T>("Distinct", KeepFirst(), KeepFirst(), n, where)](
             const RDD<T>& in) { return unmark(combine(mark(in))); };
}

// The pairs of the first data set whose keys the second one has, or has not.
template <class K, class V, class W, class Partitioner>
struct SemiJoinTransform {
  OperatorRef op;
  KeyedInput left;
  KeyedInput right;
  ResolvedPartitioner<Partitioner> partitioner;

  RDD<std::pair<K, V>> operator()(const RDD<std::pair<K, V>>& a,
                                  const RDD<std::pair<K, W>>& b) const {
    const ContextRef& context = a.context();
    KeyedInput left_input = left;
    KeyedInput right_input = right;
    left_input.parent = a.node();
    right_input.parent = b.node();
    return RDD<std::pair<K, V>>(
        context,
        MakeKeyed(context, op, RecordOperators<std::pair<K, V>>(), {left_input, right_input},
                  partitioner.SpecFor(context, {a.node(), b.node()})));
  }
};

template <class K, class V, class W, KeepKeys keep, class N>
auto MakeSemiJoin(const char* name, const N& n, Location where) {
  CheckKey<K>();
  auto partitioner = Resolve(n);
  using Partitioner = decltype(partitioner.function);
  const std::string label = OperatorLabel(name, where);
  return SemiJoinTransform<K, V, W, Partitioner>{
      MakeSpec<SemiJoinOperator<K, V, W, keep>>("", label),
      PlainInput<K, V>(nullptr, partitioner.function, label),
      PlainInput<K, W>(nullptr, partitioner.function, label), std::move(partitioner)};
}

// The records of the first data set that the second has not, as often as the first has them.
template <class T, class N>
auto MakeSubtract(const N& n, Location where) {
  const std::string label = OperatorLabel("Subtract", where);
  return [mark = MakeMarked<T>(label), unmark = MakeUnmarked<T>(label),
          join = MakeSemiJoin<T, Mark, Mark, KeepKeys::kMissing>("Subtract", n, where)](
             const RDD<T>& a, const RDD<T>& b) { return unmark(join(mark(a), mark(b))); };
}

// The records that both data sets have, each once.
template <class T, class N>
auto MakeIntersection(const N& n, Location where) {
  const std::string label = OperatorLabel("Intersection", where);
  return [mark = MakeMarked<T>(label), unmark = MakeUnmarked<T>(label),
          distinct = MakeCombine<T>("Intersection", KeepFirst(), KeepFirst(), n, where),
          join = MakeSemiJoin<T, Mark, Mark, KeepKeys::kPresent>("Intersection", n, where)](
             const RDD<T>& a, const RDD<T>& b) { return unmark(join(distinct(mark(a)), mark(b))); };
}

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_SETS_H_
