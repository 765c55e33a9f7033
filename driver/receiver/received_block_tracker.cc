#include "driver/receiver/received_block_tracker.h"

#include <algorithm>
#include <utility>

#include "common/base/mistake.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

BatchBlocks EmptyLists(const std::vector<int64_t>& stream_ids) {
  BatchBlocks lists;
  for (const int64_t stream_id : stream_ids) lists[stream_id];
  return lists;
}

}  // namespace

ReceivedBlockTracker::ReceivedBlockTracker(const std::vector<int64_t>& stream_ids)
    : no_blocks_(EmptyLists(stream_ids)), unallocated_(no_blocks_) {}

bool ReceivedBlockTracker::AddBlock(ReceivedBlock block) {
  const auto stream = unallocated_.find(block.id.stream_id);
  if (stream == unallocated_.end()) return false;
  const Key start(block.id.stream_id, block.id.sequence >> kStartBits);
  const auto [latest, is_first] = latest_.try_emplace(start, block.id.sequence);
  const bool is_old = !is_first && block.id.sequence <= latest->second;
  if (is_old && !IsMade(Mistake::kBlockReportCountedTwice)) return false;
  latest->second = block.id.sequence;
  known_.insert(Key(block.id.stream_id, block.id.sequence));
  stream->second.push_back(std::move(block));
  ++unallocated_count_;
  return true;
}

void ReceivedBlockTracker::RestoreBatch(Time batch_time, const BatchBlocks& blocks) {
  BatchBlocks& restored = allocated_[batch_time] = no_blocks_;
  for (const auto& [stream_id, stream_blocks] : blocks) {
    const auto stream = restored.find(stream_id);
    if (stream == restored.end()) continue;
    stream->second = stream_blocks;
    for (const ReceivedBlock& block : stream_blocks) {
      known_.insert(Key(stream_id, block.id.sequence));
      RestoreAllocated(stream_id, block.id.sequence >> kStartBits, block.id.sequence);
    }
  }
}

void ReceivedBlockTracker::RestoreAllocated(int64_t stream_id, int64_t start, int64_t sequence) {
  const auto [latest, is_first] = latest_.try_emplace(Key(stream_id, start), sequence);
  latest->second = std::max(latest->second, sequence);
}

const BatchBlocks& ReceivedBlockTracker::AllocateBlocksToBatch(Time batch_time) {
  const auto found = allocated_.find(batch_time);
  if (found != allocated_.end()) return found->second;
  CHECK(allocated_.empty() || allocated_.rbegin()->first < batch_time)
      << "batches are allocated in time order";
  unallocated_count_ = 0;
  return allocated_.emplace(batch_time, std::exchange(unallocated_, no_blocks_)).first->second;
}

std::vector<BlockRef> ReceivedBlockTracker::ForgetBatches(Time batch_time) {
  std::vector<BlockRef> forgotten;
  while (!allocated_.empty() && allocated_.begin()->first <= batch_time) {
    Forget(allocated_.begin()->second, forgotten);
    allocated_.erase(allocated_.begin());
  }
  return forgotten;
}

std::vector<BlockRef> ReceivedBlockTracker::ForgetAll() {
  std::vector<BlockRef> forgotten;
  for (const auto& [batch_time, blocks] : allocated_) Forget(blocks, forgotten);
  allocated_.clear();
  Forget(unallocated_, forgotten);
  unallocated_ = no_blocks_;
  unallocated_count_ = 0;
  return forgotten;
}

void ReceivedBlockTracker::Forget(const BatchBlocks& blocks, std::vector<BlockRef>& forgotten) {
  for (const auto& [stream_id, stream_blocks] : blocks) {
    for (const ReceivedBlock& block : stream_blocks) {
      known_.erase(Key(block.id.stream_id, block.id.sequence));
      forgotten.push_back(block.id);
    }
  }
}

}  // namespace millrace::internal
