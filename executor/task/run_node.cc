#include "executor/task/run_node.h"

#include <typeinfo>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/annotate_status.h"
#include "common/base/status_macros.h"
#include "common/log/block_log.h"
#include "common/record/storage_level.h"
#include "executor/task/task_run.h"

namespace millrace::internal {

RunNode::RunNode(TaskRun& run, const ParsedPlan::Node& node, uint32_t plan_index,
                 const proto::Binding* binding)
    : run_(run), plan_index_(plan_index), binding_(binding) {
  task_ = &run;
  operator_ = node.op;
  params_ = node.params;
  label_ = node.label;
  inputs_.reserve(node.inputs.size());
}

absl::Status RunNode::Expect(proto::Binding::KindCase kind, std::string_view wanted) const {
  if (binding_ != nullptr && binding_->kind_case() == kind) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the plan gives this operator no ",
                                                 absl::string_view(wanted.data(), wanted.size())));
}

void RunNode::Pin(const std::vector<Buffer>& buffers) {
  for (const Buffer& buffer : buffers) run_.Pin(buffer);
}

absl::StatusOr<std::vector<Buffer>> RunNode::Blocks() {
  RETURN_IF_ERROR(Expect(proto::Binding::kBlocks, "blocks to read"));
  std::vector<Buffer> buffers;
  absl::Status lost;
  for (const proto::BlockId& id : binding_->blocks().blocks()) {
    absl::StatusOr<std::vector<Buffer>> block = Block(id);
    if (absl::IsNotFound(block.status())) {
      // Go on, so that the driver hears of all that are lost at once.
      *run_.task_status().add_lost_blocks() = id;
      if (lost.ok()) lost = block.status();
    } else if (!block.ok()) {
      return block.status();
    } else {
      buffers.insert(buffers.end(), block->begin(), block->end());
    }
  }
  RETURN_IF_ERROR(lost);
  Pin(buffers);
  return buffers;
}

absl::StatusOr<std::vector<Buffer>> RunNode::Block(const proto::BlockId& id) {
  absl::StatusOr<std::vector<Buffer>> held = HeldBlock(id);
  const bool is_gone = absl::IsNotFound(held.status()) || absl::IsUnavailable(held.status());
  if (!is_gone || !id.has_place()) return held;
  absl::StatusOr<std::vector<Buffer>> logged = ReadLoggedBlock(run_.services().fs, id);
  // As NotFound it would count as one that another worker may have.
  if (!absl::IsNotFound(logged.status())) return logged;
  return absl::DataLossError(logged.status().message());
}

absl::StatusOr<std::vector<Buffer>> RunNode::HeldBlock(const proto::BlockId& id) {
  if (id.holder() == 0) {
    return run_.services().blocks.Get(StoreKey::Block(id.stream_id(), id.sequence()));
  }
  proto::PeerRequest request;
  *request.mutable_fetch_block() = id;
  return run_.Fetch(id.holder(), std::move(request));
}

absl::StatusOr<std::vector<Buffer>> RunNode::Cached(const proto::CachedBinding& place) {
  if (place.holder() == 0) {
    return run_.services().blocks.Get(StoreKey::Cached(place.rdd_id(), place.partition()));
  }
  proto::PeerRequest request;
  *request.mutable_fetch_cached() = place;
  return run_.Fetch(place.holder(), std::move(request));
}

absl::StatusOr<std::vector<Buffer>> RunNode::Buckets(const proto::ShuffleBinding& shuffle) {
  if (shuffle.holder() == 0) {
    return run_.services().shuffles.Read({shuffle.shuffle_id(), shuffle.reduce_partition()},
                                         shuffle.map_count());
  }
  proto::PeerRequest request;
  *request.mutable_fetch_buckets() = shuffle;
  return run_.Fetch(shuffle.holder(), std::move(request));
}

absl::StatusOr<std::string_view> RunNode::Split() {
  RETURN_IF_ERROR(Expect(proto::Binding::kSplit, "split to read"));
  return std::string_view(binding_->split());
}

absl::StatusOr<std::vector<Buffer>> RunNode::ShuffleBuckets() {
  RETURN_IF_ERROR(Expect(proto::Binding::kShuffle, "shuffle to read"));
  ASSIGN_OR_RETURN(std::vector<Buffer> buckets, Buckets(binding_->shuffle()));
  Pin(buckets);
  return buckets;
}

absl::Status RunNode::WriteShuffle(int reduce_partition, Buffer records) {
  RETURN_IF_ERROR(Expect(proto::Binding::kOutput, "shuffle to write"));
  return run_.AddToMapOutput(binding_->output(), reduce_partition, std::move(records));
}

size_t RunNode::shuffle_piece_bytes() {
  return run_.services().map_outputs.piece_bytes(static_cast<size_t>(reduce_count()));
}

int RunNode::reduce_count() {
  const absl::Status bound = Expect(proto::Binding::kOutput, "shuffle to write");
  if (bound.ok()) return static_cast<int>(binding_->output().reduce_count());
  run_.Fail(bound);
  return 0;
}

std::string_view RunNode::output_path() {
  const absl::Status bound = Expect(proto::Binding::kOutput, "directory to write to");
  if (bound.ok()) return binding_->output().path();
  run_.Fail(bound);
  return {};
}

absl::StatusOr<std::vector<Buffer>> RunNode::ReadCached() {
  RETURN_IF_ERROR(Expect(proto::Binding::kCached, "cached partition to read"));
  const proto::CachedBinding& place = binding_->cached();
  absl::StatusOr<std::vector<Buffer>> buffers = Cached(place);
  if (absl::IsNotFound(buffers.status())) *run_.task_status().add_lost_cached() = place;
  RETURN_IF_ERROR(buffers.status());
  Pin(*buffers);
  return buffers;
}

absl::Status RunNode::WriteCached(std::vector<Buffer> chunks, int64_t record_count) {
  if (binding_ != nullptr && binding_->has_state()) {
    // What a state update puts out cannot be computed again without undoing the update: it must
    // stay, if not in memory then on disk.
    const proto::StateBinding& state = binding_->state();
    proto::CachedBinding place;
    place.set_rdd_id(state.rdd_id());
    place.set_partition(state.partition());
    place.set_storage_level(state.storage_level() |
                            static_cast<uint32_t>(StorageLevel::kMemoryAndDisk));
    return Keep(place, std::move(chunks), record_count);
  }
  RETURN_IF_ERROR(Expect(proto::Binding::kCached, "cached partition to write"));
  return Keep(binding_->cached(), std::move(chunks), record_count);
}

absl::Status RunNode::Keep(const proto::CachedBinding& place, std::vector<Buffer> chunks,
                           int64_t record_count) {
  const uint32_t level_bits = place.storage_level();
  if (!IsKeepingLevel(level_bits)) {
    return absl::InvalidArgumentError(
        absl::StrCat("data set ", place.rdd_id(), " has the storage level ", level_bits));
  }
  StoreData data{.buffers = std::move(chunks),
                 .record_count = record_count,
                 .level = static_cast<StorageLevel>(level_bits)};
  const absl::Status kept =
      run_.services().blocks.Put(StoreKey::Cached(place.rdd_id(), place.partition()), data);
  // Without room for it, a partition that may be dropped at any time is dropped at once.
  if (!kept.ok() && !UsesDisk(data.level)) return absl::OkStatus();
  RETURN_IF_ERROR(kept);
  *run_.task_status().add_cached() = place;
  return absl::OkStatus();
}

absl::StatusOr<StatePartition*> RunNode::State(
    const std::function<std::unique_ptr<StatePartition>()>& make) {
  RETURN_IF_ERROR(Expect(proto::Binding::kState, "state to update"));
  const proto::StateBinding& state = binding_->state();
  ASSIGN_OR_RETURN(StatePartition* const kept,
                   run_.services().states.Acquire({.key = {state.state_id(), state.partition()},
                                                   .task_id = run_.task_id(),
                                                   .batch_time_ms = state.batch_time_ms(),
                                                   .previous_time_ms = state.previous_time_ms()},
                                                  make));
  // The operator takes it for one of its own, and the number came with a message.
  const std::unique_ptr<StatePartition> own = make();
  const StatePartition& expected = *own;
  const StatePartition& actual = *kept;
  if (typeid(actual) == typeid(expected)) return kept;
  return absl::InvalidArgumentError(
      absl::StrCat("state ", state.state_id(), " is of another operator"));
}

int64_t RunNode::state_batch_time_ms() {
  const absl::Status bound = Expect(proto::Binding::kState, "state to update");
  if (bound.ok()) return binding_->state().batch_time_ms();
  run_.Fail(bound);
  return -1;
}

SnapshotOrder RunNode::snapshot_order() {
  const absl::Status bound = Expect(proto::Binding::kState, "state to save");
  if (!bound.ok()) {
    run_.Fail(bound);
    return {};
  }
  const proto::StateBinding& state = binding_->state();
  return {state.snapshot_path(), state.snapshot_time_ms(), state.snapshot_since_ms()};
}

bool RunNode::restores_state() {
  const absl::Status bound = Expect(proto::Binding::kState, "state to update");
  if (bound.ok()) return binding_->state().restores();
  run_.Fail(bound);
  return false;
}

}  // namespace millrace::internal
