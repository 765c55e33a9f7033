// Operators on numbers, and plans made of them, for tests of what runs plans.
#ifndef MILLRACE_TESTS_SUPPORT_NUMBER_OPERATORS_H_
#define MILLRACE_TESTS_SUPPORT_NUMBER_OPERATORS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/record/codec.h"
#include "executor/operator/chunk_sink.h"
#include "executor/task/task_node.h"
#include "proto/plan.pb.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

using Numbers = std::vector<int64_t>;

// Pushes all numbers of some encoded vectors.
inline bool PushNumbers(TaskNode& node, const std::vector<std::string_view>& encoded,
                        AnySink* out) {
  ChunkSink<int64_t>* const sink = SinkOf<int64_t>(out);
  if (sink == nullptr) return node.task().Fail(absl::InternalError("wrong sink"));
  for (const std::string_view bytes : encoded) {
    Numbers numbers;
    if (!DecodeFromBytes(bytes, numbers)) {
      return node.task().Fail(absl::DataLossError("no numbers"));
    }
    if (!numbers.empty() && !sink->Push(numbers.data(), numbers.size())) return false;
  }
  return true;
}

inline bool PushNumbers(TaskNode& node, const absl::StatusOr<std::vector<Buffer>>& buffers,
                        AnySink* out) {
  if (!buffers.ok()) return node.task().Fail(buffers.status());
  std::vector<std::string_view> views;
  for (const Buffer& buffer : *buffers) views.push_back(buffer.view());
  return PushNumbers(node, views, out);
}

// Gathers the input.
struct NumberGatherer : ChunkSink<int64_t> {
  using ChunkSink<int64_t>::ChunkSink;
  bool Consume(int64_t* records, size_t count) override {
    numbers.insert(numbers.end(), records, records + count);
    return true;
  }
  Numbers numbers;
};

// Leaves.
struct SplitNumbers : Operator {
  bool Compute(TaskNode& node, AnySink* out) const override {
    const absl::StatusOr<std::string_view> split = node.Split();
    if (!split.ok()) return node.task().Fail(split.status());
    return PushNumbers(node, {*split}, out);
  }
};
struct ParamNumbers : Operator {
  bool Compute(TaskNode& node, AnySink* out) const override {
    return PushNumbers(node, {node.params()}, out);
  }
};
struct BlockNumbers : Operator {
  bool Compute(TaskNode& node, AnySink* out) const override {
    return PushNumbers(node, node.Blocks(), out);
  }
};
struct ShuffleReadNumbers : Operator {
  bool Compute(TaskNode& node, AnySink* out) const override {
    return PushNumbers(node, node.ShuffleBuckets(), out);
  }
};
struct CachedNumbers : Operator {
  bool Compute(TaskNode& node, AnySink* out) const override {
    return PushNumbers(node, node.ReadCached(), out);
  }
};

// Between: each number times params.
struct TimesNumber : Operator {
  struct Sink : ChunkSink<int64_t> {
    Sink(TaskNode& node, int64_t by, ChunkSink<int64_t>& to)
        : ChunkSink(node), factor(by), out(to) {}
    bool Consume(int64_t* records, size_t count) override {
      for (size_t i = 0; i < count; ++i) records[i] *= factor;
      return out.Push(records, count);
    }
    const int64_t factor;
    ChunkSink<int64_t>& out;
  };
  bool Compute(TaskNode& node, AnySink* out) const override {
    int64_t factor = 0;
    ChunkSink<int64_t>* const to = SinkOf<int64_t>(out);
    if (to == nullptr || !DecodeFromBytes(node.params(), factor)) {
      return node.task().Fail(absl::InternalError("wrong plan"));
    }
    Sink sink(node, factor, *to);
    return node.RunInput(sink);
  }
};
// Calls TestHook::on_number for each number.
struct TestHook {
  static inline std::function<void(int64_t)> on_number;
};
struct HookedNumbers : Operator {
  struct Sink : ChunkSink<int64_t> {
    Sink(TaskNode& node, ChunkSink<int64_t>& to) : ChunkSink(node), out(to) {}
    bool Consume(int64_t* records, size_t count) override {
      for (size_t i = 0; i < count; ++i) TestHook::on_number(records[i]);
      return out.Push(records, count);
    }
    ChunkSink<int64_t>& out;
  };
  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<int64_t>* const to = SinkOf<int64_t>(out);
    if (to == nullptr) return node.task().Fail(absl::InternalError("wrong sink"));
    Sink sink(node, *to);
    return node.RunInput(sink);
  }
};
struct CacheNumbers : Operator {
  bool Compute(TaskNode& node, AnySink* out) const override {
    NumberGatherer gatherer(node);
    if (!node.RunInput(gatherer)) return false;
    const absl::Status kept = node.WriteCached({Buffer(EncodeToString(gatherer.numbers))},
                                               static_cast<int64_t>(gatherer.numbers.size()));
    if (!kept.ok()) return node.task().Fail(kept);
    if (out == nullptr) return true;
    return gatherer.numbers.empty() ||
           SinkOf<int64_t>(out)->Push(gatherer.numbers.data(), gatherer.numbers.size());
  }
};

// Roots.
struct CollectNumbers : Operator {
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    NumberGatherer gatherer(node);
    if (!node.RunInput(gatherer)) return false;
    node.task().SetResult(EncodeToString(gatherer.numbers));
    return true;
  }
};
struct CountNumbersWithAccumulator : Operator {
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    NumberGatherer gatherer(node);
    if (!node.RunInput(gatherer)) return false;
    TaskContext::AccumulatorSlot& slot = TaskContext::Current()->accumulator(9);
    const auto count = static_cast<int64_t>(gatherer.numbers.size());
    slot.encode = [count] { return EncodeToString(count); };
    return true;
  }
};
// Number n goes to reduce partition n mod reduce_count.
struct ShuffleWriteNumbers : Operator {
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    NumberGatherer gatherer(node);
    if (!node.RunInput(gatherer)) return false;
    std::vector<Numbers> buckets(static_cast<size_t>(node.reduce_count()));
    for (const int64_t number : gatherer.numbers) {
      buckets[static_cast<size_t>(number) % buckets.size()].push_back(number);
    }
    for (size_t i = 0; i < buckets.size(); ++i) {
      if (buckets[i].empty()) continue;
      const absl::Status written =
          node.WriteShuffle(static_cast<int>(i), Buffer(EncodeToString(buckets[i])));
      if (!written.ok()) return node.task().Fail(written);
    }
    return true;
  }
};
// Adds the input to a sum, which is kept as the data set's partition.
struct SumState : Operator {
  struct Sum : StatePartition {
    void Commit() override { committed = value; }
    void Abort() override { value = committed; }
    size_t memory_bytes() const override { return sizeof *this; }
    int64_t value = 0;
    int64_t committed = 0;
  };
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    const absl::StatusOr<StatePartition*> state =
        node.State([] { return std::make_unique<Sum>(); });
    if (!state.ok()) return node.task().Fail(state.status());
    NumberGatherer gatherer(node);
    if (!node.RunInput(gatherer)) return false;
    Sum& sum = *static_cast<Sum*>(*state);
    for (const int64_t number : gatherer.numbers) sum.value += number;
    const absl::Status kept = node.WriteCached({Buffer(EncodeToString(Numbers{sum.value}))}, 1);
    node.task().SetResult(EncodeToString(Numbers{sum.value}));
    return kept.ok() || node.task().Fail(kept);
  }
};

// A plan of these, node by node.
class PlanBuilder {
 public:
  // Returns the node's index.
  template <class Op>
  uint32_t Add(std::vector<uint32_t> inputs = {}, std::string params = "",
               proto::BindingKind binding = proto::BINDING_NONE) {
    return AddNamed(Registration<Op>::entry().name(), std::move(inputs), std::move(params),
                    binding);
  }
  uint32_t AddNamed(const std::string& name, std::vector<uint32_t> inputs, std::string params = "",
                    proto::BindingKind binding = proto::BINDING_NONE) {
    proto::PlanNode& node = *plan_.add_nodes();
    node.set_operator_name(name);
    node.set_params(std::move(params));
    for (const uint32_t input : inputs) node.add_inputs(input);
    node.set_binding(binding);
    node.set_label("Node" + std::to_string(plan_.nodes_size() - 1) + " at test.cc:1");
    return static_cast<uint32_t>(plan_.nodes_size() - 1);
  }
  proto::StagePlan& plan() { return plan_; }
  std::string Serialize() {
    plan_.set_version(1);
    return plan_.SerializeAsString();
  }

 private:
  proto::StagePlan plan_;
};

inline proto::Binding SplitBinding(const Numbers& numbers) {
  proto::Binding binding;
  binding.set_split(EncodeToString(numbers));
  return binding;
}
inline proto::Binding ShuffleInput(int64_t shuffle_id, uint32_t reduce, uint32_t map_count) {
  proto::Binding binding;
  binding.mutable_shuffle()->set_shuffle_id(shuffle_id);
  binding.mutable_shuffle()->set_reduce_partition(reduce);
  binding.mutable_shuffle()->set_map_count(map_count);
  return binding;
}
inline proto::Binding ShuffleOutput(int64_t shuffle_id, uint32_t map, uint32_t reduce_count) {
  proto::Binding binding;
  binding.mutable_output()->set_shuffle_id(shuffle_id);
  binding.mutable_output()->set_map_partition(map);
  binding.mutable_output()->set_reduce_count(reduce_count);
  return binding;
}
inline proto::Binding CachedPartition(int64_t rdd_id, uint32_t partition, uint32_t level = 0) {
  proto::Binding binding;
  binding.mutable_cached()->set_rdd_id(rdd_id);
  binding.mutable_cached()->set_partition(partition);
  binding.mutable_cached()->set_storage_level(level);
  return binding;
}
inline proto::Binding StateUpdateOf(int64_t state_id, uint32_t partition, int64_t batch_time_ms,
                                    int64_t previous_time_ms, int64_t rdd_id) {
  proto::Binding binding;
  proto::StateBinding& state = *binding.mutable_state();
  state.set_state_id(state_id);
  state.set_partition(partition);
  state.set_batch_time_ms(batch_time_ms);
  state.set_previous_time_ms(previous_time_ms);
  state.set_rdd_id(rdd_id);
  state.set_storage_level(1);
  return binding;
}

inline Numbers NumbersOf(const proto::TaskStatus& status) {
  Numbers numbers;
  if (!DecodeFromBytes(status.result(), numbers))
    throw std::logic_error("no numbers in the result");
  return numbers;
}

}  // namespace millrace::internal

#endif  // MILLRACE_TESTS_SUPPORT_NUMBER_OPERATORS_H_
