#include "client/dstream/input_node.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/dstream/stream_graph.h"
#include "common/base/status_macros.h"
#include "common/config/keys.h"
#include "common/fs/path.h"
#include "common/log/segment_format.h"
#include "glog/logging.h"
#include "proto/checkpoint.pb.h"

namespace millrace::internal {

InputNode::InputNode(StreamGraph& graph, const Operation& operation, std::string kind)
    : DStreamNode(graph, operation, {}, graph.batch_interval()), kind_(std::move(kind)) {}

std::string InputNode::display_name() const {
  return kind_ + " stream [" + std::to_string(input_id_) + "]";
}

ReceiverInputNode::ReceiverInputNode(StreamGraph& graph, const Operation& operation,
                                     std::string kind, std::string receiver_class,
                                     ReceiverSpec spec, MakeDataSet make_data_set)
    : InputNode(graph, operation, std::move(kind)),
      receiver_class_(std::move(receiver_class)),
      spec_(std::move(spec)),
      make_data_set_(std::move(make_data_set)) {}

std::optional<ReceiverSpec> ReceiverInputNode::receiver() const {
  ReceiverSpec spec = spec_;
  spec.stream_id = input_id();
  spec.name = receiver_class_ + "-" + std::to_string(input_id());
  spec.label = label();
  if (books_) spec.first_sequence = books_->first_sequence();
  return spec;
}

void ReceiverInputNode::KeepBooks(ReceiverBooks books, std::optional<ReceiverLogSpec> log,
                                  bool outlives_driver) {
  books_ = std::move(books);
  books_before_.reset();
  is_kept_ = log.has_value() || outlives_driver;
  spec_.log = std::move(log);
  if (!spec_.log.has_value()) return;
  spec_.log->directory = books_->directory();
  // The log is the second copy.
  spec_.storage_level = WithOneCopy(spec_.storage_level);
}

absl::Status ReceiverInputNode::CheckEarlierLogs(FileSystem& fs, bool may_lose) {
  ASSIGN_OR_RETURN(const std::set<std::string> missing, books_->MissingSegments(fs, blocks_));
  if (missing.empty()) return absl::OkStatus();
  const std::string message =
      absl::StrCat("'", absl::StrJoin(missing, "', '"), "' is missing from what was logged");
  if (!may_lose) {
    return absl::DataLossError(absl::StrCat(
        message, ". Nothing was overwritten. To go on without the records that were in it, set ",
        std::string(keys::kCheckpointAllowStateLoss.name), "=true"));
  }
  LOG(WARNING) << label() << ": " << message << "; its records are let go of";
  for (auto& [time, blocks] : blocks_) {
    std::erase_if(blocks, [&missing](const ReceivedBlock& block) {
      return block.log_place.has_value() &&
             missing.contains(
                 JoinPath(block.log_place->directory, SegmentName(block.log_place->segment)));
    });
  }
  return absl::OkStatus();
}

absl::Status ReceiverInputNode::ReadEarlierLogs(FileSystem& fs, bool recovers, bool may_lose) {
  if (recovers) RETURN_IF_ERROR(CheckEarlierLogs(fs, may_lose));
  ASSIGN_OR_RETURN(earlier_, books_->ReadEarlier(fs, input_id(), recovers));
  if (!earlier_.empty()) {
    LOG(INFO) << label() << ": the first new batch has " << earlier_.size()
              << " blocks that were received before and in no batch yet";
  }
  return absl::OkStatus();
}

void ReceiverInputNode::TakeOver(const EarlierBlocks& held, bool recovers) {
  const auto end_start = held.end_start.find(input_id());
  const auto of_stream = held.blocks.find(input_id());
  const bool is_the_same = recovers && saved_stream_id_ == input_id();
  std::vector<ReceivedBlock> blocks;
  if (is_the_same && of_stream != held.blocks.end()) blocks = of_stream->second;
  std::set<int64_t> sequences;
  for (const ReceivedBlock& block : blocks) sequences.insert(block.id.sequence);
  // They stay in their batches, which fail as they do when a worker is lost with its blocks.
  int64_t lost = 0;
  for (const auto& [time, of_batch] : blocks_) {
    lost += std::count_if(of_batch.begin(), of_batch.end(), [&](const ReceivedBlock& block) {
      return !block.log_place.has_value() && !sequences.contains(block.id.sequence);
    });
  }
  if (lost > 0) {
    LOG(WARNING) << label() << ": " << lost << " received blocks of batches that may have to be "
                 << "made again went with the driver and workers that are gone";
  }
  if (end_start != held.end_start.end()) books_->KnowEarlierStarts(end_start->second, is_the_same);
  const std::vector<ReceivedBlock> taken = books_->TakeOver(blocks);
  if (!taken.empty()) {
    LOG(INFO) << label() << ": the first new batch has " << taken.size()
              << " blocks that workers have received and that were in no batch yet";
  }
  earlier_.insert(earlier_.end(), taken.begin(), taken.end());
  is_taken_over_ = is_the_same;
}

std::vector<NeededLog> ReceiverInputNode::NeededLogs() const {
  return books_ ? books_->Needed(blocks_) : std::vector<NeededLog>();
}

void ReceiverInputNode::AddRecovered(const ResumePoint& from, RecoveredBlocks& to) const {
  // A batch that has ended may be needed for a state, and its blocks are on workers.
  const auto first = is_taken_over_ ? blocks_.begin() : blocks_.upper_bound(from.completed_time);
  for (auto it = first; it != blocks_.end(); ++it) {
    to.batches[it->first][input_id()] = it->second;
  }
  to.unallocated[input_id()] = earlier_;
  if (is_taken_over_) to.taken_over[input_id()] = books_->StartsOnWorkers();
}

void ReceiverInputNode::StartsEnded(const std::vector<int64_t>& starts) {
  if (books_) books_->End(starts);
}

void ReceiverInputNode::BeginBatch(Time batch_time, const std::vector<ReceivedBlock>& blocks) {
  std::vector<ReceivedBlock>& of_batch = blocks_[batch_time];
  of_batch = std::exchange(put_off_, {});
  if (put_off_since_) put_off_from_[batch_time] = *std::exchange(put_off_since_, std::nullopt);
  of_batch.insert(of_batch.end(), blocks.begin(), blocks.end());
  if (!books_) return;
  books_before_ = books_;
  books_->Assign(of_batch);
}

// A batch without blocks, too: what is logged behind it must not come into it.
bool ReceiverInputNode::HasChosen(Time batch_time) const {
  const auto batch = blocks_.find(batch_time);
  if (batch == blocks_.end() || is_kept_) return is_kept_;
  return books_.has_value() &&
         std::any_of(batch->second.begin(), batch->second.end(),
                     [](const ReceivedBlock& block) { return block.log_place.has_value(); });
}

bool ReceiverInputNode::HasBlocksOutsideLogs() const {
  return std::any_of(blocks_.begin(), blocks_.end(), [](const auto& batch) {
    return std::any_of(batch.second.begin(), batch.second.end(),
                       [](const ReceivedBlock& block) { return !block.log_place.has_value(); });
  });
}

bool ReceiverInputNode::HasInput(Time batch_time) const {
  const auto batch = blocks_.find(batch_time);
  return batch != blocks_.end() && !batch->second.empty();
}

void ReceiverInputNode::Save(proto::InputCheckpoint& to) const {
  if (!books_) return;
  to.set_stream_id(input_id());
  for (const auto& [time, blocks] : blocks_) {
    proto::InputBatch batch;
    batch.set_time_ms(time.ms());
    for (const ReceivedBlock& block : blocks) {
      const bool is_found_again = is_kept_ || block.log_place.has_value();
      if (is_found_again) ReceiverBooks::SaveBlock(block, *batch.add_blocks());
    }
    if (batch.blocks_size() > 0) *to.add_batches() = std::move(batch);
  }
  books_->Save(blocks_, *to.mutable_log());
}

absl::Status ReceiverInputNode::Restore(const proto::InputCheckpoint& from) {
  if (!books_) return absl::OkStatus();
  RETURN_IF_ERROR(books_->Restore(from.log()));
  saved_stream_id_ = from.stream_id();
  for (const proto::InputBatch& batch : from.batches()) {
    std::vector<ReceivedBlock>& blocks = blocks_[Time(batch.time_ms())];
    for (const proto::InputBlock& saved : batch.blocks()) {
      ASSIGN_OR_RETURN(ReceivedBlock block, books_->RestoreBlock(input_id(), saved));
      blocks.push_back(std::move(block));
    }
  }
  return absl::OkStatus();
}

void ReceiverInputNode::PutOff(Time batch_time) {
  const auto batch = blocks_.find(batch_time);
  if (!books_before_ || batch == blocks_.end()) return;
  books_ = books_before_;
  put_off_ = std::exchange(batch->second, {});
  const auto from = put_off_from_.extract(batch_time);
  if (!put_off_.empty()) put_off_since_ = from.empty() ? batch_time : from.mapped();
  books_->Expect(put_off_);
}

Time ReceiverInputNode::DroppableUntil(Time behind) const {
  Time first = behind;
  for (const auto& [batch_time, from] : put_off_from_) {
    if (batch_time > behind) first = std::min(first, from - slide());
  }
  return put_off_since_ ? std::min(first, *put_off_since_ - slide()) : first;
}

absl::StatusOr<RddRef> ReceiverInputNode::Compute(Time time) {
  const auto it = blocks_.find(time);
  if (it != blocks_.end()) return make_data_set_(it->second);
  // Its blocks went with the driver that had received them.
  if (graph().IsOfEarlierDriver(time)) return make_data_set_({});
  // Asked for by Slice: blocks may still be given to that batch, or were dropped long ago.
  graph().MarkProvisional();
  return make_data_set_({});
}

void ReceiverInputNode::ForgetBefore(Time batch_time) {
  DStreamNode::ForgetBefore(batch_time);
  Time forgotten = batch_time - remember();
  // State that is not saved yet may have to be made again of them.
  if (books_) forgotten = std::min(forgotten, graph().ForgettableInputs(remember()));
  blocks_.erase(blocks_.begin(), blocks_.upper_bound(forgotten));
  put_off_from_.erase(put_off_from_.begin(), put_off_from_.upper_bound(forgotten));
}

void ReceiverInputNode::ForgetAll() {
  DStreamNode::ForgetAll();
  blocks_.clear();
  earlier_.clear();
  put_off_.clear();
  put_off_from_.clear();
  put_off_since_.reset();
}

GeneratedInputNode::GeneratedInputNode(StreamGraph& graph, const Operation& operation,
                                       std::string kind, Generate generate, IsRepeatable repeatable)
    : InputNode(graph, operation, std::move(kind)),
      generate_(std::move(generate)),
      repeatable_(repeatable) {}

absl::StatusOr<RddRef> GeneratedInputNode::Compute(Time time) {
  if (repeatable_ == IsRepeatable::kNo && graph().IsOfEarlierDriver(time)) return RddRef();
  StreamInputInfo info;
  info.stream_id = input_id();
  absl::StatusOr<RddRef> data_set = generate_(time, &info.num_records);
  if (data_set.ok() && *data_set != nullptr) graph().ReportInput(time, std::move(info));
  return data_set;
}

}  // namespace millrace::internal
