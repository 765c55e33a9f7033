// A task without a worker: operators joined by hand, fed with records, their output collected.
#ifndef MILLRACE_TESTS_SUPPORT_FAKE_TASK_H_
#define MILLRACE_TESTS_SUPPORT_FAKE_TASK_H_

#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/fs/local_file_system.h"
#include "common/record/codec.h"
#include "executor/operator/chunk_sink.h"
#include "executor/task/task_node.h"

namespace millrace::internal {

template <class T>
using Chunks = std::vector<std::vector<Owned<T>>>;

// One node of a fake task, with what its operator asks of the worker as plain members.
class FakeNode : public TaskNode {
 public:
  FakeNode(TaskContext& task, std::shared_ptr<const Operator> op, std::string params)
      : op_(std::move(op)), own_params_(std::move(params)) {
    task_ = &task;
    operator_ = op_.get();
    params_ = own_params_;
    label_ = "an operator";
  }

  void AddInput(FakeNode& input) { inputs_.push_back(&input); }
  void ClearInputs() { inputs_.clear(); }
  void SetParams(std::string params) {
    own_params_ = std::move(params);
    params_ = own_params_;
  }
  bool Compute(AnySink* out) {
    const OperatorScope scope(*this, 0);
    return operator_->Compute(*this, out);
  }

  std::vector<Buffer> read_buffers;  // Blocks, shuffle buckets, cached chunks.
  std::string split;
  std::map<int, std::string> written_buckets;
  int written_pieces = 0;
  int reduce_partitions = 1;
  size_t piece_bytes = size_t{1} << 20;
  std::string cached;
  int64_t cached_records = -1;  // -1: nothing was written.
  std::unique_ptr<StatePartition>* state = nullptr;
  int64_t batch_time = 0;
  std::string snapshot_path;
  int64_t snapshot_since = -1;
  bool restores = false;
  absl::Status service_status;  // What the worker's services answer.

  absl::StatusOr<std::vector<Buffer>> Blocks() override { return ReadBuffers(); }
  absl::StatusOr<std::string_view> Split() override {
    if (!service_status.ok()) return service_status;
    return split;
  }
  absl::StatusOr<std::vector<Buffer>> ShuffleBuckets() override { return ReadBuffers(); }
  absl::Status WriteShuffle(int reduce_partition, Buffer records) override {
    if (!service_status.ok()) return service_status;
    written_buckets[reduce_partition] += records.view();
    ++written_pieces;
    return absl::OkStatus();
  }
  size_t shuffle_piece_bytes() override { return piece_bytes; }
  int reduce_count() override { return reduce_partitions; }
  std::string_view output_path() override { return split; }
  absl::StatusOr<std::vector<Buffer>> ReadCached() override { return ReadBuffers(); }
  absl::Status WriteCached(std::vector<Buffer> chunks, int64_t record_count) override {
    if (!service_status.ok()) return service_status;
    cached.clear();
    for (const Buffer& chunk : chunks) cached += chunk.view();
    cached_records = record_count;
    return absl::OkStatus();
  }
  absl::StatusOr<StatePartition*> State(
      const std::function<std::unique_ptr<StatePartition>()>& make) override {
    if (!service_status.ok()) return service_status;
    if (*state == nullptr) *state = make();
    return state->get();
  }
  int64_t state_batch_time_ms() override { return batch_time; }
  SnapshotOrder snapshot_order() override { return {snapshot_path, batch_time, snapshot_since}; }
  bool restores_state() override { return restores; }

 private:
  absl::StatusOr<std::vector<Buffer>> ReadBuffers() {
    if (!service_status.ok()) return service_status;
    return read_buffers;
  }

  const std::shared_ptr<const Operator> op_;
  std::string own_params_;
};

// Pushes chunks of records. Their views are of memory that is overwritten after each push to a
// sink that says that it keeps none: a sink that looks again finds garbage.
template <class T>
class FeedOperator : public Operator {
 public:
  explicit FeedOperator(Chunks<T> chunks) : chunks_(std::move(chunks)) {}

  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<T>* const sink = SinkOf<T>(out);
    if (sink == nullptr) return node.task().Fail(absl::InternalError("fed with another type"));
    for (const auto& chunk : chunks_) {
      auto bytes = std::make_shared<std::string>();
      const std::unique_ptr<T[]> records = Views(chunk, *bytes);
      if (!sink->Push(records.get(), chunk.size())) return false;
      if (sink->keeps_views()) {
        node.task().Keep(bytes);
      } else {
        std::memset(bytes->data(), '?', bytes->size());
      }
    }
    return true;
  }

 private:
  static std::unique_ptr<T[]> Views(const std::vector<Owned<T>>& owned, std::string& bytes) {
    Encoder encoder;
    for (const Owned<T>& record : owned) Encode(encoder, record);
    bytes = encoder.ToString();
    Decoder decoder(bytes);
    auto records = std::make_unique<T[]>(owned.size());
    for (size_t i = 0; i < owned.size(); ++i) Decode(decoder, records[i]);
    return records;
  }

  const Chunks<T> chunks_;
};

// What comes out, owned. A collector that keeps views copies only when the task has run.
template <class T>
class Collected : public ChunkSink<T> {
 public:
  Collected(TaskNode& node, bool keeps_views, size_t stop_after)
      : ChunkSink<T>(node), keeps_views_(keeps_views), stop_after_(stop_after) {}
  bool keeps_views() const override { return keeps_views_; }
  size_t pushes() const { return pushes_; }

  std::vector<Owned<T>> Take() {
    for (T& record : views_) owned_.push_back(ToOwned<T>(std::move(record)));
    views_.clear();
    return std::move(owned_);
  }

 private:
  bool Consume(T* records, size_t count) override {
    ++pushes_;
    for (size_t i = 0; i < count && seen_ < stop_after_; ++i, ++seen_) {
      if (keeps_views_) {
        views_.push_back(std::move(records[i]));
      } else {
        owned_.push_back(ToOwned<T>(std::move(records[i])));
      }
    }
    return seen_ < stop_after_;
  }

  const bool keeps_views_;
  const size_t stop_after_;
  size_t seen_ = 0;
  size_t pushes_ = 0;
  std::deque<T> views_;  // Not a vector: there may be bools.
  std::vector<Owned<T>> owned_;
};

class FakeTask : public TaskContext {
 public:
  explicit FakeTask(int partition = 0) {
    partition_ = partition;
    SetCurrent(this);
  }
  ~FakeTask() override { SetCurrent(nullptr); }

  template <class Op>
  FakeNode& Node(FunctionParams params = {}, std::vector<FakeNode*> inputs = {}) {
    return Add(std::make_shared<Op>(), std::move(params.bytes), inputs);
  }
  template <class T>
  FakeNode& Feed(Chunks<T> chunks) {
    return Add(std::make_shared<FeedOperator<T>>(std::move(chunks)), "", {});
  }

  // Runs `node` into a sink of T.
  template <class T>
  std::vector<Owned<T>> Run(FakeNode& node, bool keeps_views = false,
                            size_t stop_after = static_cast<size_t>(-1)) {
    Collected<T> collected(Node<Nothing>(), keeps_views, stop_after);
    succeeded = node.Compute(&collected);
    return collected.Take();
  }
  // Runs a root.
  bool RunRoot(FakeNode& node) { return succeeded = node.Compute(nullptr); }

  bool succeeded = false;  // What the last run returned.
  bool is_cancelled = false;
  std::map<int64_t, std::shared_ptr<const std::string>> broadcasts;

  bool cancelled() const override { return is_cancelled; }
  std::shared_ptr<const std::string> Broadcast(int64_t broadcast_id) override {
    return broadcasts[broadcast_id];
  }
  FileSystem& fs() override { return fs_; }

 private:
  struct Nothing : Operator {
    bool Compute(TaskNode& /*node*/, AnySink* /*out*/) const override { return true; }
  };

  FakeNode& Add(std::shared_ptr<const Operator> op, std::string params,
                const std::vector<FakeNode*>& inputs) {
    FakeNode& node = nodes_.emplace_back(*this, std::move(op), std::move(params));
    for (FakeNode* input : inputs) node.AddInput(*input);
    return node;
  }

  LocalFileSystem fs_;
  std::deque<FakeNode> nodes_;  // Addresses stay.
};

}  // namespace millrace::internal

#endif  // MILLRACE_TESTS_SUPPORT_FAKE_TASK_H_
