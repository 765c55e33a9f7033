// The typed layer of streams with state.
#ifndef MILLRACE_CLIENT_DSTREAM_STATE_STREAMS_H_
#define MILLRACE_CLIENT_DSTREAM_STATE_STREAMS_H_

#include <chrono>
#include <concepts>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "client/dstream/lift.h"
#include "client/rdd/basic.h"
#include "client/rdd/state.h"
#include "common/function/bind_front.h"

namespace millrace::internal {

// `in` with its records read as To, whose encoding is the same (owning and view types).
template <class To, class From>
RddRef ReadAs(const RDD<From>& in) {
  if constexpr (std::is_same_v<To, From>) {
    return in.node();
  } else {
    static_assert(std::is_same_v<Owned<To>, Owned<From>>,
                  "the initial state's records must be std::pair<K, S>");
    if (!in) return nullptr;
    static const OperatorRef& pass =
        *new OperatorRef(MakeSpec<AlignedUnionOperator>("", "Initial state"));
    static const OperatorRef& write = *new OperatorRef(
        MakeSpec<RoundRobinWriteOperator<From>>("", "Initial state", BindingKind::kOutput));
    static const OperatorRef& read = *new OperatorRef(
        MakeSpec<ShuffleRecordsOperator<To>>("", "Initial state", BindingKind::kShuffle));
    return MakeRedistributed(in.context(), pass, write, read, RecordOperators<To>(), in.node(),
                             std::max(1, in.NumPartitions()));
  }
}

template <class S, class K, class V, class F, class N>
DStream<std::pair<K, S>> UpdateStateStream(const DStream<std::pair<K, V>>& in, F f, const N& n,
                                           RddRef initial, Location where) {
  auto update = [context = ContextOf(in.ref()),
                 transform =
                     MakeUpdateState<K, V, S>(std::move(f), StreamPartitions(in.ref(), n), where)](
                    const StateUpdateRef& update, const RddRef& records,
                    const RddRef& initial) -> absl::StatusOr<RddRef> {
    return transform(context, update, records, initial);
  };
  const std::string label = OperatorLabel("UpdateStateByKey", where);
  return DStream<std::pair<K, S>>(AddState({"UpdateStateByKey", where}, in.ref(),
                                           StateWithoutRecords::kIsUpdated, std::move(initial),
                                           std::move(update), StateFormatOf<K, S>(label)));
}

// Each batch is combined by key; the window's values are kept and changed by the batches that leave
// and come, all spread over partitions in the same way.
template <class K, class V, class F, class Inverse, class Filter, class N>
DStream<std::pair<K, V>> InverseWindow(const char* name, Location where,
                                       const DStream<std::pair<K, V>>& in, F f, Inverse inverse,
                                       Filter filter, std::chrono::milliseconds length,
                                       std::chrono::milliseconds slide, const N& n) {
  auto batches = Lift(name, where, in, MakeReduceByKey<K, V>(f, n, where, name));
  auto update = [context = ContextOf(in.ref()), partitioner = Resolve(n).spec,
                 transform = MakeWindowState<K, V>(
                     std::move(f), std::move(inverse), std::move(filter), Resolve(n).function, name,
                     where)](const StateUpdateRef& update, const std::vector<RddRef>& leaving,
                             const std::vector<RddRef>& coming) -> absl::StatusOr<RddRef> {
    return transform(context, update, leaving, coming, partitioner);
  };
  return DStream<std::pair<K, V>>(AddWindowState({name, where}, batches.ref(), length, slide,
                                                 std::move(update),
                                                 StateFormatOf<K, V>(OperatorLabel(name, where))));
}

// The filter of a window where a partitioner may stand too.
template <class F>
concept WindowFilter = !PartitionerOrCount<F> && !std::same_as<F, Location>;

template <class T>
struct IsNotZero {
  bool operator()(const std::pair<T, int64_t>& count) const { return count.second != 0; }
};

// The messages of a MapWithState function.
template <class F, class K, class V, class S>
constexpr void CheckStateMapper() {
  CheckShippable<F>();
  CheckState<S>();
  static_assert(StateMapper<F, K, V, S>,
                "MapWithState: the function must take ([Time, ]key, std::optional<V>, State<S>&), "
                "with the K and V of the stream");
}

// The parameters of a function object's one operator(), of a function, and of what BindFront and Fn
// make of them.
template <class... Args>
struct Parameters {};

template <class Member>
struct ParametersOfMember;
template <class R, class C, class... Args>
struct ParametersOfMember<R (C::*)(Args...) const> {
  using type = Parameters<Args...>;
};
template <class R, class C, class... Args>
struct ParametersOfMember<R (C::*)(Args...)> {
  using type = Parameters<Args...>;
};
template <class R, class C, class... Args>
struct ParametersOfMember<R (C::*)(Args...) const noexcept> {
  using type = Parameters<Args...>;
};
template <class R, class... Args>
struct ParametersOfMember<R (*)(Args...)> {
  using type = Parameters<Args...>;
};

template <size_t n, class P>
struct DropParameters {
  using type = P;
};
template <size_t n, class First, class... Rest>
requires(n > 0) struct DropParameters<n, Parameters<First, Rest...>>
    : DropParameters<n - 1, Parameters<Rest...>> {
};

template <class F>
struct ParametersOf {
  static_assert(!std::is_class_v<F>,
                "StateSpec: the type of the state cannot be told from a generic or overloaded "
                "function: write MapWithState<S>(f), or State<S>& for the last parameter's type");
  static_assert(std::is_class_v<F>,
                "StateSpec: the function must be an object: write millrace::Fn<&MyFunction> "
                "instead of &MyFunction");
  using type = Parameters<State<char>&>;
};
template <class F>
requires requires { &F::operator(); }
struct ParametersOf<F> : ParametersOfMember<decltype(&F::operator())> {};
template <auto function>
struct ParametersOf<NamedFunction<function>> : ParametersOfMember<decltype(function)> {};
template <class F, class... Values>
struct ParametersOf<BoundFunction<F, Values...>>
    : DropParameters<sizeof...(Values), typename ParametersOf<F>::type> {};

// The S of the State<S>& among them.
template <class P>
struct StateParameter {
  static_assert(!std::is_same_v<P, P>,
                "StateSpec: the function must take ([Time, ]key, std::optional<V>, State<S>&)");
  using type = char;
};
template <class First, class... Rest>
struct StateParameter<Parameters<First, Rest...>> : StateParameter<Parameters<Rest...>> {};
template <class S, class... Rest>
struct StateParameter<Parameters<State<S>&, Rest...>> {
  using type = S;
};

template <class F>
using StateOf = typename StateParameter<typename ParametersOf<F>::type>::type;

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_DSTREAM_STATE_STREAMS_H_
