// Operators that keep keyed state between batches: MapWithState, UpdateStateByKey, and
// ReduceByKeyAndWindow with an inverse function.
//
// Each is the root of a stage of its own. It changes the worker's state partition, which the driver
// commits with the task, and leaves its output records as a cached partition for later stages.
#ifndef MILLRACE_EXECUTOR_OPERATOR_STATE_OPS_H_
#define MILLRACE_EXECUTOR_OPERATOR_STATE_OPS_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "common/memory/large_memory.h"
#include "common/time/time.h"
#include "executor/operator/keyed.h"
#include "executor/operator/operator_base.h"
#include "executor/state/keyed_state.h"
#include "executor/state/snapshot_writer.h"
#include "executor/state/state.h"

namespace millrace::internal {

// The output of a state operator on its way into the cached partition.
template <class Out>
class StateOutput {
 public:
  explicit StateOutput(TaskNode& node) : node_(node) {}
  void Add(const Out& record) {
    Encode(encoder_, record);
    ++records_;
  }
  bool Finish() {
    std::vector<Buffer> chunks;
    if (!encoder_.empty()) chunks.push_back(encoder_.TakeBuffer());
    absl::Status status = node_.WriteCached(std::move(chunks), records_);
    return status.ok() || node_.task().Fail(std::move(status));
  }

 private:
  TaskNode& node_;
  Encoder encoder_;
  int64_t records_ = 0;
};

// nullptr when the task failed.
template <class Table>
Table* AcquireState(TaskNode& node) {
  absl::StatusOr<StatePartition*> partition =
      node.State([]() -> std::unique_ptr<StatePartition> { return std::make_unique<Table>(); });
  if (!partition.ok()) {
    node.task().Fail(partition.status());
    return nullptr;
  }
  return static_cast<Table*>(*partition);
}

// Puts the pairs of an initial data set into a new state; of several for a key the last one stays.
template <class K, class S, class Table>
struct InitialStateLoader : ChunkSink<HashedRecord<K, S>> {
  InitialStateLoader(TaskNode& node, Table& table, int64_t batch_time_ms, bool touches)
      : ChunkSink<HashedRecord<K, S>>(node),
        table(table),
        batch_time_ms(batch_time_ms),
        touches(touches) {}
  bool Consume(HashedRecord<K, S>* records, size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      const uint32_t index = table.FindOrAdd(records[i].hash, records[i].key);
      table.Set(index, std::move(records[i].value));
      if (touches) table.Touch(index, batch_time_ms);
    }
    return true;
  }
  Table& table;
  const int64_t batch_time_ms;
  const bool touches;
};

// The same of a saved state, with the times of the keys' last records; where a key has none, for
// keys did not time out when it was saved, `unknown_ms` counts.
template <class K, class S, class Table>
struct SavedStateLoader : ChunkSink<HashedRecord<K, std::pair<S, int64_t>>> {
  SavedStateLoader(TaskNode& node, Table& table, int64_t unknown_ms)
      : ChunkSink<HashedRecord<K, std::pair<S, int64_t>>>(node),
        table(table),
        unknown_ms(unknown_ms) {}
  bool Consume(HashedRecord<K, std::pair<S, int64_t>>* records, size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      const uint32_t index = table.FindOrAdd(records[i].hash, records[i].key);
      table.Set(index, std::move(records[i].value.first));
      const int64_t touched_ms = records[i].value.second;
      table.RestoreTouch(index, touched_ms == 0 ? unknown_ms : touched_ms);
    }
    return true;
  }
  Table& table;
  const int64_t unknown_ms;
};

// Leaves the state as it is, for it to be saved. Output: nothing, as if of records of type Out.
template <class K, class S, bool with_times, class Out>
class SaveStateOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    auto* const table = AcquireState<KeyedState<K, S>>(node);
    if (table == nullptr) return false;
    SaveState<with_times>(node, *table);
    return StateOutput<Out>(node).Finish();
  }
};

// A new state as it was saved as of the update's batch. Input 0: what SaveState wrote. Output:
// nothing, as if of records of type Out.
template <class K, class S, bool with_times, class Out>
class LoadStateOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    using Table = KeyedState<K, S>;
    auto* const table = AcquireState<Table>(node);
    if (table == nullptr) return false;
    if constexpr (with_times) {
      SavedStateLoader<K, S, Table> loader(node, *table, /*unknown_ms=*/0);
      if (!node.RunInput(0, loader)) return false;
      table->OrderByTouch();
    } else {
      InitialStateLoader<K, S, Table> loader(node, *table, /*batch_time_ms=*/0, /*touches=*/false);
      if (!node.RunInput(0, loader)) return false;
    }
    table->LoadedAsOf(node.state_batch_time_ms());
    return StateOutput<Out>(node).Finish();
  }
};

// Stands for "no output" where a function returns void.
struct NoOutput {
  template <class Archive>
  void serialize(Archive& /*archive*/) {}
};

template <class R>
struct MappedOut {
  using type = R;
};
template <>
struct MappedOut<void> {
  using type = NoOutput;
};
template <class R>
struct MappedOut<std::optional<R>> {
  using type = R;
};

// f(args...) or f(time, args...), with a result that converts to R; void: any result.
template <class F, class R, class... Args>
concept CallableMaybeWithTime = std::is_invocable_r_v<R, const F&, Args...> ||
    std::is_invocable_r_v<R, const F&, Time, Args...>;

template <class F, class... Args>
decltype(auto) CallMaybeWithTime(const F& f, Time time, Args&&... args) {
  if constexpr (std::is_invocable_v<const F&, Args...>) {
    return f(std::forward<Args>(args)...);
  } else {
    return f(time, std::forward<Args>(args)...);
  }
}

// The forms of a MapWithState function: ([Time, ]key, std::optional<V>, State<S>&), key and value
// as they are or owned.
template <class F, class K, class V, class S>
concept StateMapper = CallableMaybeWithTime < F,
        void, const K&, std::optional<V>, State<S>
& > || CallableMaybeWithTime<F, void, Owned<K>, std::optional<V>, State<S>&> ||
    CallableMaybeWithTime<F, void, const K&, std::optional<Owned<V>>, State<S>&> ||
    CallableMaybeWithTime<F, void, Owned<K>, std::optional<Owned<V>>, State<S>&>;

template <class F, class K, class V, class S>
decltype(auto) CallMapper(const F& f, Time time, const K& key, std::optional<V> value,
                          State<S>& state) {
  if constexpr (CallableMaybeWithTime<F, void, const K&, std::optional<V>, State<S>&>) {
    return CallMaybeWithTime(f, time, key, std::move(value), state);
  } else if constexpr (CallableMaybeWithTime<F, void, Owned<K>, std::optional<V>, State<S>&>) {
    return CallMaybeWithTime(f, time, ToOwned<K>(key), std::move(value), state);
  } else if constexpr (CallableMaybeWithTime<F, void, const K&, std::optional<Owned<V>>,
                                             State<S>&>) {
    return CallMaybeWithTime(f, time, key, ToOwned(std::move(value)), state);
  } else {
    return CallMaybeWithTime(f, time, ToOwned<K>(key), ToOwned(std::move(value)), state);
  }
}

// Calls f once for each record, in order within its key, and once for each key that times out.
// Input 0: HashedRecord<K, V>; input 1, if any: the initial state, HashedRecord<K, S>, or a saved
// one, HashedRecord<K, std::pair<S, int64_t>>.
// Output: what f returns, or with `snapshots` that and, behind it, all keys with their states.
// Params: f, int64 timeout_ms (-1: none).
template <class K, class V, class S, class F, bool snapshots>
class MapWithStateOperator : public Operator {
 public:
  using Result = std::remove_cvref_t<decltype(CallMapper<F, K, V, S>(
      std::declval<const F&>(), Time(0), std::declval<const K&>(), std::optional<V>(),
      std::declval<State<S>&>()))>;
  using Mapped = typename MappedOut<Result>::type;
  using Snapshot = std::pair<K, S>;
  using Out = std::conditional_t<snapshots, std::variant<Mapped, Snapshot>, Mapped>;
  using Table = KeyedState<K, S>;

  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Decoder params(node.params());
    F f = DecodeFunction<F>(params);
    const auto timeout_ms = params.GetFixed<int64_t>();
    if (params.failed()) return FailWrongParams(node);
    Table* const table = AcquireState<Table>(node);
    if (table == nullptr) return false;
    Mapper mapper(node, *table, std::move(f), timeout_ms);
    if (node.input_count() > 1 && !LoadState(node, *table, mapper.now_ms, timeout_ms)) return false;
    if (node.input_count() > 0 && !node.RunInput(0, mapper)) return false;
    mapper.TimeOutIdleKeys();
    if constexpr (snapshots) mapper.AddSnapshot();
    SaveState</*with_times=*/true>(node, *table);
    return mapper.output.Finish();
  }

 private:
  using Record = HashedRecord<K, V>;

  static bool LoadState(TaskNode& node, Table& table, int64_t now_ms, int64_t timeout_ms) {
    if (!node.restores_state()) {
      InitialStateLoader<K, S, Table> loader(node, table, now_ms, timeout_ms >= 0);
      return node.RunInput(1, loader);
    }
    SavedStateLoader<K, S, Table> loader(node, table, timeout_ms >= 0 ? now_ms : 0);
    if (!node.RunInput(1, loader)) return false;
    if (timeout_ms >= 0) table.OrderByTouch();
    return true;
  }

  struct Mapper : ChunkSink<Record> {
    Mapper(TaskNode& node, Table& table, F function, int64_t timeout_ms)
        : ChunkSink<Record>(node),
          table(table),
          f(std::move(function)),
          now_ms(node.state_batch_time_ms()),
          timeout_ms(timeout_ms),
          output(node) {}
    bool keeps_views() const override { return false; }

    bool Consume(Record* records, size_t count) override {
      constexpr size_t kFar = 24;
      constexpr size_t kNear = 12;
      for (size_t i = 0; i < count && i < kFar; ++i) table.PrefetchSlot(records[i].hash);
      for (size_t i = 0; i < count; ++i) {
        if (i + kFar < count) table.PrefetchSlot(records[i + kFar].hash);
        if (i + kNear < count) table.PrefetchEntry(records[i + kNear].hash);
        CallFor(table.FindOrAdd(records[i].hash, records[i].key), std::move(records[i].value));
      }
      return true;
    }

    void CallFor(uint32_t index, V value) {
      const auto& entry = table.entries()[index];
      State<S> state(entry.alive ? &entry.state : nullptr, /*is_timing_out=*/false);
      Call(entry.key, std::move(value), state);
      if (state.next().has_value()) {
        table.Set(index, *std::move(state.next()));
      } else if (state.is_removed()) {
        table.Remove(index);
      }
      if (timeout_ms < 0) return;
      if (table.entries()[index].alive) {
        table.Touch(index, now_ms);
      } else {
        table.Unlink(index);
      }
    }

    void Call(const K& key, std::optional<V> value, State<S>& state) {
      if constexpr (std::is_void_v<Result>) {
        CallMapper<F, K, V, S>(f, Time(now_ms), key, std::move(value), state);
      } else if constexpr (kIsOptional<Result>) {
        Result result = CallMapper<F, K, V, S>(f, Time(now_ms), key, std::move(value), state);
        if (result.has_value()) Emit(*std::move(result));
      } else {
        Emit(CallMapper<F, K, V, S>(f, Time(now_ms), key, std::move(value), state));
      }
    }

    void Emit(Mapped&& mapped) {
      if constexpr (snapshots) {
        output.Add(Out(std::in_place_index<0>, std::move(mapped)));
      } else {
        output.Add(mapped);
      }
    }

    // A key that had a record in this batch is not idle, so records come before timeouts.
    void TimeOutIdleKeys() {
      if (timeout_ms < 0) return;
      for (uint32_t index = table.oldest(); index != Table::kNone; index = table.oldest()) {
        auto& entry = table.entries()[index];
        if (now_ms - entry.touched_ms <= timeout_ms) break;
        State<S> state(&entry.state, /*is_timing_out=*/true);
        Call(entry.key, std::nullopt, state);
        table.Remove(index);
        table.Unlink(index);
      }
    }

    void AddSnapshot() {
      for (const auto& entry : table.entries()) {
        if (entry.alive) output.Add(Out(std::in_place_index<1>, entry.key, entry.state));
      }
    }

    Table& table;
    const F f;
    const int64_t now_ms;
    const int64_t timeout_ms;
    StateOutput<Out> output;
  };
};

// The forms of an UpdateStateByKey function: ([Time, ]key, std::span<const V>, std::optional<S>),
// key and values as they are or owned.
template <class F, class Key, class V, class S>
concept UpdaterOf =
    CallableMaybeWithTime<F, std::optional<S>, Key, std::span<const V>, std::optional<S>>;
template <class F, class K, class V, class S>
concept StateUpdater = UpdaterOf<F, const K&, V, S> || UpdaterOf<F, Owned<K>, V, S> ||
    UpdaterOf<F, const K&, Owned<V>, S> || UpdaterOf<F, Owned<K>, Owned<V>, S>;

template <class F, class K, class V, class S>
std::optional<S> CallUpdater(const F& f, Time time, const K& key, std::span<const V> values,
                             std::optional<S> state) {
  if constexpr (UpdaterOf<F, const K&, V, S>) {
    return CallMaybeWithTime(f, time, key, values, std::move(state));
  } else if constexpr (UpdaterOf<F, Owned<K>, V, S>) {
    return CallMaybeWithTime(f, time, ToOwned<K>(key), values, std::move(state));
  } else {
    std::vector<Owned<V>> owned;
    for (const V& value : values) owned.push_back(ToOwned<V>(value));
    const std::span<const Owned<V>> span(owned);
    if constexpr (UpdaterOf<F, const K&, Owned<V>, S>) {
      return CallMaybeWithTime(f, time, key, span, std::move(state));
    } else {
      return CallMaybeWithTime(f, time, ToOwned<K>(key), span, std::move(state));
    }
  }
}

// Whether two states are the same for whoever gets them encoded.
template <class S>
bool SameState(const S& a, const S& b, Encoder& scratch) {
  if constexpr (std::has_unique_object_representations_v<S> || std::is_same_v<S, double> ||
                std::is_same_v<S, float>) {
    return std::memcmp(&a, &b, sizeof(S)) == 0;  // NOLINT(bugprone-suspicious-memory-comparison)
  } else {
    scratch.Clear();
    Encode(scratch, a);
    const size_t size = scratch.size();
    Encode(scratch, b);
    return scratch.view().substr(0, size) == scratch.view().substr(size);
  }
}

// Calls f for every known key and every key with values, with all values of the batch. A state that
// f leaves as it was is not changed, so that saving it costs nothing. Output: all keys with their
// states. Inputs as MapWithState; none in a batch without a data set.
// Params: f.
template <class K, class V, class S, class F>
class UpdateStateOperator : public Operator {
 public:
  using Out = std::pair<K, S>;
  using Table = KeyedState<K, S>;

  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Decoder params(node.params());
    const F f = DecodeFunction<F>(params);
    if (params.failed()) return FailWrongParams(node);
    Table* const table = AcquireState<Table>(node);
    if (table == nullptr) return false;
    const int64_t now_ms = node.state_batch_time_ms();
    if (node.input_count() > 1) {
      InitialStateLoader<K, S, Table> loader(node, *table, now_ms, /*touches=*/false);
      if (!node.RunInput(1, loader)) return false;
    }
    Arranger arranger(node, *table);
    if (node.input_count() > 0 && !node.RunInput(0, arranger)) return false;
    const OperatorScope scope(node, 0);
    arranger.Arrange();
    StateOutput<Out> output(node);
    Encoder scratch;
    for (uint32_t index = 0; index < table->entries().size(); ++index) {
      const std::span<const V> values = arranger.ValuesOf(index);
      auto& entry = table->entries()[index];
      if (!entry.alive && values.empty()) continue;
      std::optional<S> state;
      if (entry.alive) state = entry.state;
      std::optional<S> next =
          CallUpdater<F, K, V, S>(f, Time(now_ms), entry.key, values, std::move(state));
      if (next.has_value()) {
        const bool is_same = values.empty() && SameState(entry.state, *next, scratch);
        if (!is_same) table->Set(index, *std::move(next));
        output.Add(Out(entry.key, table->entries()[index].state));
      } else {
        table->Remove(index);
      }
    }
    SaveState</*with_times=*/false>(node, *table);
    return output.Finish();
  }

 private:
  using Record = HashedRecord<K, V>;

  // Sorts the batch's values by key, into one array: a counting sort by the key's entry.
  struct Arranger : ChunkSink<Record> {
    Arranger(TaskNode& node, Table& table) : ChunkSink<Record>(node), table(table) {}

    bool Consume(Record* records, size_t count) override {
      constexpr size_t kFar = 24;
      constexpr size_t kNear = 12;
      for (size_t i = 0; i < count && i < kFar; ++i) table.PrefetchSlot(records[i].hash);
      for (size_t i = 0; i < count; ++i) {
        if (i + kFar < count) table.PrefetchSlot(records[i + kFar].hash);
        if (i + kNear < count) table.PrefetchEntry(records[i + kNear].hash);
        entry_of.push_back(table.FindOrAdd(records[i].hash, records[i].key));
        arrived.push_back(std::move(records[i].value));
      }
      return true;
    }

    void Arrange() {
      first.assign(table.entries().size() + 1, 0);
      for (const uint32_t index : entry_of) ++first[index + 1];
      for (size_t i = 1; i < first.size(); ++i) first[i] += first[i - 1];
      LargeVector<uint32_t> next(first.begin(), first.end() - 1);
      values = LargeArray<V>(arrived.size());
      for (size_t i = 0; i < arrived.size(); ++i) {
        values[next[entry_of[i]]++] = std::move(arrived[i]);
      }
    }
    std::span<const V> ValuesOf(uint32_t index) const {
      return {values.data() + first[index], first[index + 1] - first[index]};
    }

    Table& table;
    LargeVector<uint32_t> entry_of;  // Of each value in `arrived`.
    LargeVector<V> arrived;
    LargeVector<uint32_t> first;  // Of each entry in `values`.
    LargeArray<V> values;
  };
};

// The filter of a window without one.
struct KeepAll {
  template <class T>
  bool operator()(const T& /*record*/) const {
    return true;
  }
};

// Keeps the combined values of a window: takes out what left it by `inverse`, puts in what came by
// `f`, both already combined by key within each parent batch. Output: all keys with their values.
// Inputs: `leaving` data sets, then the new ones; all HashedRecord<K, V>.
// Params: f, inverse, filter, uint32 leaving.
template <class K, class V, class F, class Inverse, class Filter>
class WindowStateOperator : public Operator {
 public:
  using S = Owned<V>;
  using Out = std::pair<K, V>;
  using Table = KeyedState<K, S>;

  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Decoder params(node.params());
    const F f = DecodeFunction<F>(params);
    const Inverse inverse = DecodeFunction<Inverse>(params);
    const Filter filter = DecodeFunction<Filter>(params);
    const auto leaving = static_cast<int>(params.GetFixed<uint32_t>());
    if (params.failed()) return FailWrongParams(node);
    Table* const table = AcquireState<Table>(node);
    if (table == nullptr) return false;
    std::vector<uint32_t> missing;  // Entries that lost values without having any.
    // What left is combined before it is taken out, what came before it is put in: the user's
    // functions see the calls that the window's definition says.
    for (const bool is_leaving : {true, false}) {
      const int first = is_leaving ? 0 : leaving;
      const int end = is_leaving ? leaving : node.input_count();
      if (end - first == 1) {
        Applier applier(node, *table, f, inverse, is_leaving, missing);
        if (!node.RunInput(first, applier)) return false;
      } else if (end - first > 1) {
        Combiner combiner(node, f);
        for (int i = first; i < end; ++i) {
          if (!node.RunInput(i, combiner)) return false;
        }
        Applier applier(node, *table, f, inverse, is_leaving, missing);
        combiner.table.ForEach([&applier](uint64_t hash, const K& key, S& group) {
          applier.Apply(hash, key, ViewOf<V>(group));
          return true;
        });
      }
    }
    const OperatorScope scope(node, 0);
    // A filter of the user's may have dropped such a key while it had values.
    if constexpr (std::is_same_v<Filter, KeepAll>) {
      for (const uint32_t index : missing) {
        if (!table->entries()[index].alive) return FailWithoutPrevious(node);
      }
    }
    StateOutput<Out> output(node);
    for (uint32_t index = 0; index < table->entries().size(); ++index) {
      auto& entry = table->entries()[index];
      if (!entry.alive) continue;
      const Out result(entry.key, ViewOf<V>(entry.state));
      if (CallPredicate(filter, result)) {
        output.Add(result);
      } else {
        table->Remove(index);
      }
    }
    SaveState</*with_times=*/false>(node, *table);
    return output.Finish();
  }

 private:
  using Record = HashedRecord<K, V>;

  struct Combiner : ChunkSink<Record> {
    Combiner(TaskNode& node, const F& f) : ChunkSink<Record>(node), f(f) {}
    bool Consume(Record* records, size_t count) override {
      for (size_t i = 0; i < count; ++i) {
        bool is_new = false;
        S& group = table.FindOrAdd(records[i].hash, records[i].key, is_new,
                                   [&] { return ToOwned<V>(records[i].value); });
        if (!is_new) FoldInto<V>(f, group, std::move(records[i].value));
      }
      return true;
    }
    const F& f;
    CombineTable<K, S> table;
  };

  struct Applier : ChunkSink<Record> {
    Applier(TaskNode& node, Table& table, const F& f, const Inverse& inverse, bool is_leaving,
            std::vector<uint32_t>& missing)
        : ChunkSink<Record>(node),
          table(table),
          f(f),
          inverse(inverse),
          is_leaving(is_leaving),
          missing(missing) {}

    bool Consume(Record* records, size_t count) override {
      constexpr size_t kFar = 24;
      constexpr size_t kNear = 12;
      for (size_t i = 0; i < count && i < kFar; ++i) table.PrefetchSlot(records[i].hash);
      for (size_t i = 0; i < count; ++i) {
        if (i + kFar < count) table.PrefetchSlot(records[i + kFar].hash);
        if (i + kNear < count) table.PrefetchEntry(records[i + kNear].hash);
        Apply(records[i].hash, records[i].key, std::move(records[i].value));
      }
      return true;
    }

    void Apply(uint64_t hash, const K& key, V value) {
      const uint32_t index = table.FindOrAdd(hash, key);
      auto& entry = table.entries()[index];
      if (!entry.alive) {
        if (is_leaving) {
          missing.push_back(index);
        } else {
          table.Set(index, ToOwned(std::move(value)));
        }
        return;
      }
      S next = entry.state;
      if (is_leaving) {
        FoldInto<V>(inverse, next, std::move(value));
      } else {
        FoldInto<V>(f, next, std::move(value));
      }
      table.Set(index, std::move(next));
    }

    Table& table;
    const F& f;
    const Inverse& inverse;
    const bool is_leaving;
    std::vector<uint32_t>& missing;
  };

  static bool FailWithoutPrevious(TaskNode& node) {
    return node.task().Fail(absl::FailedPreconditionError(
        "a key leaves the window that never was in it: its hash or its equality changes between "
        "batches"));
  }
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_STATE_OPS_H_
