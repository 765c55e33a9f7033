// What MapWithState does with each record, and the stream that it makes.
#ifndef MILLRACE_CLIENT_MILLRACE_STATE_SPEC_H_
#define MILLRACE_CLIENT_MILLRACE_STATE_SPEC_H_

#include <millrace/rdd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "client/dstream/lift.h"
#include "client/dstream/state_streams.h"
#include "client/rdd/basic.h"
#include "client/rdd/state.h"
#include "common/time/duration_param.h"

namespace millrace {

// StateSpec(f), f: ([Time, ]key, std::optional<V>, State<S>&) -> Out, std::optional<Out> or void.
// It is called once a record, in order within its key, and once without a value when a key times
// out: in the first batch whose time is more than the timeout after the key's last record.
template <class F, class S = internal::StateOf<F>, class N = int, class KeyType = internal::NoPair>
class StateSpec {
 public:
  explicit StateSpec(F f) : f_(std::move(f)) {}
  StateSpec(F f, N n, std::optional<std::chrono::milliseconds> timeout,
            RDD<std::pair<KeyType, S>> initial)
      : f_(std::move(f)), n_(std::move(n)), timeout_(timeout), initial_(std::move(initial)) {}

  // The state before the first batch.
  template <class K>
  StateSpec<F, S, N, K> InitialState(RDD<std::pair<K, S>> initial) const {
    return {f_, n_, timeout_, std::move(initial)};
  }
  // A number of partitions, or a partitioner.
  template <internal::PartitionerOrCount P>
  StateSpec<F, S, P, KeyType> NumPartitions(P n) const {
    return {f_, std::move(n), timeout_, initial_};
  }
  template <internal::PartitionerOrCount P>
  StateSpec<F, S, P, KeyType> Partitioner(P partitioner) const {
    return NumPartitions(std::move(partitioner));
  }
  // How long a key may have no record; no limit unless given.
  StateSpec Timeout(internal::DurationParam idle) const {
    return {f_, n_, std::chrono::milliseconds(idle), initial_};
  }

  const F& function() const { return f_; }
  const N& partitions() const { return n_; }
  std::optional<std::chrono::milliseconds> timeout() const { return timeout_; }
  const RDD<std::pair<KeyType, S>>& initial() const { return initial_; }

 private:
  F f_;
  N n_{};
  std::optional<std::chrono::milliseconds> timeout_;
  RDD<std::pair<KeyType, S>> initial_;
};

template <class F>
StateSpec(F) -> StateSpec<F>;

// What the function returned, as a stream, with the states beside it.
template <class Out, class K, class S>
class MapWithStateStream : public DStream<Out> {
 public:
  using Location = internal::Location;

  // All keys with their states, after each batch.
  DStream<std::pair<K, S>> StateSnapshots(Location at = Location::Current()) const {
    *wants_snapshots_ = true;
    return Pick<std::pair<K, S>, internal::PickSnapshot<Out, std::pair<K, S>>>("StateSnapshots",
                                                                               at);
  }

  // As DStream's, with this type.
  MapWithStateStream Name(const std::string& name, Location at = Location::Current()) const {
    DStream<Out>::Name(name, at);
    internal::SetStateName(state_, name);
    return *this;
  }
  MapWithStateStream Persist(StorageLevel level = StorageLevel::kMemoryOnly,
                             Location at = Location::Current()) const {
    DStream<Out>::Persist(level, at);
    return *this;
  }
  MapWithStateStream Cache(Location at = Location::Current()) const {
    return Persist(StorageLevel::kMemoryOnly, at);
  }
  // How often the state is saved. See DStream::Checkpoint.
  MapWithStateStream Checkpoint(internal::DurationParam interval,
                                Location at = Location::Current()) const {
    internal::SetCheckpoint({"Checkpoint", at}, state_, interval);
    return *this;
  }

  template <class V, class F, class N, class KeyType>
  static MapWithStateStream Make(const DStream<std::pair<K, V>>& in,
                                 const StateSpec<F, S, N, KeyType>& spec, Location at);

 private:
  MapWithStateStream(DStream<Out> mapped, internal::StreamRef state, std::shared_ptr<bool> wants)
      : DStream<Out>(std::move(mapped)),
        state_(std::move(state)),
        wants_snapshots_(std::move(wants)) {}

  // Takes the records of one kind out of what the state stage puts out.
  template <class Picked, class Function>
  static DStream<Picked> PickFrom(const char* name, Location at, const internal::StreamRef& state,
                                  std::shared_ptr<bool> wants_snapshots) {
    using Both = std::variant<Out, std::pair<K, S>>;
    auto apply =
        [context = internal::ContextOf(state), wants = std::move(wants_snapshots),
         pick = internal::MakeEmitMap<Both, Picked>(Function(), at)](
            Time, std::span<const internal::RddRef> data_sets) -> absl::StatusOr<internal::RddRef> {
      if (!*wants) return data_sets[0];  // Nothing to tell apart.
      return pick(RDD<Both>(context, data_sets[0])).node();
    };
    return DStream<Picked>(internal::AddTransformed({name, at}, state, std::move(apply)));
  }
  template <class Picked, class Function>
  DStream<Picked> Pick(const char* name, Location at) const {
    return PickFrom<Picked, Function>(name, at, state_, wants_snapshots_);
  }

  internal::StreamRef state_;
  // Settled before the context starts; read when batches are made.
  std::shared_ptr<bool> wants_snapshots_;
};

template <class Out, class K, class S>
template <class V, class F, class N, class KeyType>
MapWithStateStream<Out, K, S> MapWithStateStream<Out, K, S>::Make(
    const DStream<std::pair<K, V>>& in, const StateSpec<F, S, N, KeyType>& spec, Location at) {
  auto wants_snapshots = std::make_shared<bool>(false);
  auto update = [context = internal::ContextOf(in.ref()), wants_snapshots,
                 transform = internal::MakeMapWithState<K, V, S>(
                     spec.function(), spec.timeout() ? spec.timeout()->count() : -1,
                     internal::StreamPartitions(in.ref(), spec.partitions()), at)](
                    const internal::StateUpdateRef& update, const internal::RddRef& records,
                    const internal::RddRef& initial) -> absl::StatusOr<internal::RddRef> {
    return transform(context, update, records, initial, *wants_snapshots);
  };
  internal::RddRef initial;
  if constexpr (!std::is_same_v<KeyType, internal::NoPair>) {
    initial = internal::ReadAs<std::pair<K, S>>(spec.initial());
  }
  const internal::StreamRef state = internal::AddState(
      {"MapWithState", at}, in.ref(), internal::StateWithoutRecords::kHasEmptyBatch,
      std::move(initial), std::move(update),
      internal::TimedStateFormatOf<K, S>(internal::OperatorLabel("MapWithState", at)));
  return MapWithStateStream(PickFrom<Out, internal::PickMapped<Out, std::pair<K, S>>>(
                                "MapWithState", at, state, wants_snapshots),
                            state, wants_snapshots);
}

}  // namespace millrace

#endif  // MILLRACE_CLIENT_MILLRACE_STATE_SPEC_H_
