// UpdateStateByKey, MapWithState and windows with an inverse: data sets made from a batch's records
// and the state that the batch before left on the workers.
#ifndef MILLRACE_CLIENT_RDD_STATE_H_
#define MILLRACE_CLIENT_RDD_STATE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "client/rdd/by_key.h"
#include "client/rdd/partitioner.h"
#include "client/rdd/rdd_base.h"
#include "client/rdd/state_format.h"
#include "common/record/schema.h"
#include "executor/operator/saved_state_source.h"
#include "executor/operator/state_ops.h"

namespace millrace::internal {

using StateUpdateRef = std::shared_ptr<const StateUpdate>;

// A stage that updates state: computed once, on all partitions, its output kept by the workers.
RddRef MakeStateful(const ContextRef& context, OperatorRef op, const RecordTypeOperators& type,
                    const std::vector<KeyedInput>& inputs,
                    const std::shared_ptr<const PartitionerSpec>& partitioner, bool keeps_keys,
                    StateUpdateRef update);

template <class S>
constexpr void CheckState() {
  CheckRecord<S>();
  static_assert(std::is_same_v<S, Owned<S>>,
                "Millrace: state outlives the batch whose bytes a view views: write std::string "
                "for std::string_view in the state's type");
}

// Of a state S for each K, saved with the times of the keys' last records or without.
template <class K, class S, bool with_times>
StateFormat MakeStateFormat(const std::string& label) {
  using Value = std::conditional_t<with_times, std::pair<S, int64_t>, S>;
  using Saved = std::pair<K, Value>;
  return {SchemaOf<Owned<Saved>>(),
          MakeSpec<SavedStateOperator<K, S, with_times>>("", label, BindingKind::kSplit),
          MakeSpec<AddHashOperator<K, Value>>("", label),
          MakeSpec<SaveStateOperator<K, S, with_times, Saved>>("", label, BindingKind::kState),
          MakeSpec<LoadStateOperator<K, S, with_times, Saved>>("", label, BindingKind::kState),
          &RecordOperators<Saved>()};
}

// Of UpdateStateByKey and windows: their states, without times.
template <class K, class V>
StateFormat StateFormatOf(const std::string& label) {
  return MakeStateFormat<K, Owned<V>, false>(label);
}

// Of MapWithState.
template <class K, class S>
StateFormat TimedStateFormatOf(const std::string& label) {
  return MakeStateFormat<K, S, true>(label);
}

// The data set of a saved state: the keys that it has, partitioned as it was saved.
RddRef ReadSavedState(const ContextRef& context, const StateFormat& format,
                      const SavedChain& saved);
// An update that starts with it.
RddRef LoadSavedState(const ContextRef& context, const StateFormat& format, const SavedChain& saved,
                      StateUpdateRef update);

// UpdateStateByKey. `in` is null in a batch without a data set, `initial` in all but the batch that
// begins with it: that of the program, or what was saved of an earlier run.
template <class K, class V, class S, class Partitioner>
struct UpdateStateTransform {
  OperatorRef op;
  KeyedInput records;
  KeyedInput initial_state;
  ResolvedPartitioner<Partitioner> partitioner;

  RddRef operator()(const ContextRef& context, const StateUpdateRef& update, const RddRef& in,
                    const RddRef& initial) const {
    std::vector<KeyedInput> inputs;
    if (in != nullptr || initial != nullptr) {
      inputs.push_back(records);
      inputs.back().parent =
          in != nullptr ? in : MakeUnion(context, RecordOperators<std::pair<K, V>>(), {});
    }
    if (initial != nullptr) {
      inputs.push_back(initial_state);
      inputs.back().parent = initial;
    }
    return MakeStateful(context, op, RecordOperators<std::pair<K, S>>(), inputs,
                        StatePartitioner(context, partitioner.spec), /*keeps_keys=*/true, update);
  }

  static std::shared_ptr<const PartitionerSpec> StatePartitioner(
      const ContextRef& context, const std::shared_ptr<const PartitionerSpec>& chosen) {
    return chosen != nullptr ? chosen : HashPartitionerSpec(context->default_parallelism);
  }
};

template <class K, class V, class S, class F, class N>
auto MakeUpdateState(F f, const N& n, Location where) {
  CheckShippable<F>();
  CheckKey<K>();
  CheckState<S>();
  static_assert(StateUpdater<F, K, V, S>,
                "UpdateStateByKey<S>: the function must take ([Time, ]key, std::span<const V>, "
                "std::optional<S>) and return std::optional<S>");
  auto partitioner = Resolve(n);
  using Partitioner = decltype(partitioner.function);
  const std::string label = OperatorLabel("UpdateStateByKey", where);
  return UpdateStateTransform<K, V, S, Partitioner>{
      MakeSpec<UpdateStateOperator<K, V, S, F>>(EncodeFunctions(f), label, BindingKind::kState),
      PlainInput<K, V>(nullptr, partitioner.function, label),
      PlainInput<K, S>(nullptr, partitioner.function, label), std::move(partitioner)};
}

// MapWithState. `in` is null in a batch without a data set. The records of the result are Mapped,
// or variants of Mapped and (key, state) when snapshots are wanted.
template <class K, class V, class S, class F, class Partitioner>
struct MapWithStateTransform {
  using Plain = MapWithStateOperator<K, V, S, F, false>;
  using WithSnapshots = MapWithStateOperator<K, V, S, F, true>;
  using Mapped = typename Plain::Mapped;

  OperatorRef plain;
  OperatorRef with_snapshots;
  KeyedInput records;
  KeyedInput initial_state;
  KeyedInput saved_state;
  ResolvedPartitioner<Partitioner> partitioner;

  RddRef operator()(const ContextRef& context, const StateUpdateRef& update, const RddRef& in,
                    const RddRef& initial, bool wants_snapshots) const {
    std::vector<KeyedInput> inputs{records};
    inputs.back().parent =
        in != nullptr ? in : MakeUnion(context, RecordOperators<std::pair<K, V>>(), {});
    if (initial != nullptr) {
      inputs.push_back(update->restores ? saved_state : initial_state);
      inputs.back().parent = initial;
    }
    const auto spec = partitioner.spec != nullptr
                          ? partitioner.spec
                          : HashPartitionerSpec(context->default_parallelism);
    if (wants_snapshots) {
      return MakeStateful(context, with_snapshots, RecordOperators<typename WithSnapshots::Out>(),
                          inputs, spec,
                          /*keeps_keys=*/false, update);
    }
    return MakeStateful(context, plain, RecordOperators<Mapped>(), inputs, spec,
                        /*keeps_keys=*/false, update);
  }
};

// `timeout_ms` -1: keys never time out.
template <class K, class V, class S, class F, class N>
auto MakeMapWithState(F f, int64_t timeout_ms, const N& n, Location where) {
  CheckKey<K>();
  auto partitioner = Resolve(n);
  using Transform = MapWithStateTransform<K, V, S, F, decltype(partitioner.function)>;
  const std::string label = OperatorLabel("MapWithState", where);
  Encoder timeout;
  timeout.PutFixed(timeout_ms);
  const FunctionParams params = EncodeFunctions(f) + timeout.ToString();
  return Transform{MakeSpec<typename Transform::Plain>(params, label, BindingKind::kState),
                   MakeSpec<typename Transform::WithSnapshots>(params, label, BindingKind::kState),
                   PlainInput<K, V>(nullptr, partitioner.function, label),
                   PlainInput<K, S>(nullptr, partitioner.function, label),
                   PlainInput<K, std::pair<S, int64_t>>(nullptr, partitioner.function, label),
                   std::move(partitioner)};
}

// The two streams that the variants of MapWithStateTransform are taken apart into.
template <class Mapped, class Snapshot>
struct PickMapped {
  void operator()(std::variant<Mapped, Snapshot> record, Emitter<Mapped>& emit) const {
    if (record.index() == 0) emit(std::get<0>(std::move(record)));
  }
};
template <class Mapped, class Snapshot>
struct PickSnapshot {
  void operator()(std::variant<Mapped, Snapshot> record, Emitter<Snapshot>& emit) const {
    if (record.index() == 1) emit(std::get<1>(std::move(record)));
  }
};

// ReduceByKeyAndWindow with an inverse. `leaving` and `coming` are combined by key already, by the
// same partitioner, but for a saved window, which comes alone.
template <class K, class V, class F, class Inverse, class Filter>
struct WindowStateTransform {
  using Op = WindowStateOperator<K, V, F, Inverse, Filter>;
  FunctionParams functions;
  std::string label;
  KeyedInput saved_window;  // Or, without its shuffle, what is combined.
  // Windows lose nothing while they fill, and the same number of data sets a slide afterwards.
  OperatorRef filling;
  std::shared_ptr<std::pair<size_t, OperatorRef>> full =
      std::make_shared<std::pair<size_t, OperatorRef>>();

  RddRef operator()(const ContextRef& context, const StateUpdateRef& update,
                    const std::vector<RddRef>& leaving, const std::vector<RddRef>& coming,
                    const std::shared_ptr<const PartitionerSpec>& partitioner) const {
    std::vector<KeyedInput> inputs;
    for (const auto* parents : {&leaving, &coming}) {
      for (const RddRef& parent : *parents) {
        inputs.push_back(saved_window);
        inputs.back().parent = parent;
      }
    }
    return MakeStateful(context, OpFor(leaving.size()), RecordOperators<std::pair<K, V>>(), inputs,
                        partitioner, /*keeps_keys=*/true, update);
  }

  OperatorRef OpFor(size_t leaving) const {
    if (leaving == 0) return filling;
    if (full->first != leaving) *full = {leaving, MakeOp(leaving)};
    return full->second;
  }
  OperatorRef MakeOp(size_t leaving) const {
    Encoder encoder;
    encoder.PutFixed(static_cast<uint32_t>(leaving));
    return MakeSpec<Op>(functions + encoder.ToString(), label, BindingKind::kState);
  }
};

template <class K, class V, class F, class Inverse, class Filter, class Partitioner>
auto MakeWindowState(F f, Inverse inverse, Filter filter, const Partitioner& partitioner,
                     const char* name, Location where) {
  CheckShippable<F>();
  CheckShippable<Inverse>();
  CheckShippable<Filter>();
  static_assert(FoldStep<Inverse, V, V, Owned<V>>,
                "a window's inverse function must take (V, V) and return V");
  static_assert(PredicateOf<Filter, std::pair<K, V>>,
                "a window's filter must take (const std::pair<K, V>&) and return bool");
  const std::string label = OperatorLabel(name, where);
  WindowStateTransform<K, V, F, Inverse, Filter> transform{
      EncodeFunctions(f, inverse, filter), label, PlainInput<K, V>(nullptr, partitioner, label),
      nullptr};
  transform.filling = transform.MakeOp(0);
  return transform;
}

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_STATE_H_
