#include "driver/receiver/received_before.h"

#include <algorithm>
#include <tuple>

#include "driver/receiver/received_block_tracker.h"

namespace millrace::internal {
namespace {

// Records or bytes: more than any block has.
constexpr int64_t kOfABlockMax = int64_t{1} << 40;
// Starts of receivers; there must be room for those of this driver behind them.
constexpr int64_t kStartsMax = int64_t{1} << 30;

bool CanBe(int64_t sequence) {
  return sequence >= 0 && sequence >> ReceivedBlockTracker::kStartBits < kStartsMax;
}

}  // namespace

ReceivedBlock ToReceivedBlock(const proto::StoredBlock& stored, int64_t worker_id) {
  ReceivedBlock block;
  block.id = {stored.id().stream_id(), stored.id().sequence()};
  block.record_count = std::clamp<int64_t>(stored.record_count(), -1, kOfABlockMax);
  block.size_bytes = std::clamp<int64_t>(stored.size_bytes(), 0, kOfABlockMax);
  block.worker_id = worker_id;
  block.metadata = stored.metadata();
  if (stored.id().has_place()) {
    const auto& place = stored.id().place();
    block.log_place =
        BlockLogPlace{place.directory(), place.segment(), place.offset(), place.size_bytes()};
  }
  return block;
}

void ReceivedBefore::Add(int64_t worker_id, const proto::WorkerHello& hello) {
  for (const proto::StoredBlock& block : hello.blocks()) AddBlock(worker_id, block);
  for (const proto::RunningReceiver& receiver : hello.receivers()) {
    if (CanBe(receiver.start().first_sequence())) receivers_.push_back({worker_id, receiver});
  }
}

void ReceivedBefore::Add(int64_t worker_id, const proto::BlockReport& report) {
  for (const proto::StoredBlock& block : report.blocks()) AddBlock(worker_id, block);
}

void ReceivedBefore::AddBlock(int64_t worker_id, const proto::StoredBlock& block) {
  if (CanBe(block.id().sequence())) blocks_.push_back({worker_id, block});
}

void ReceivedBefore::ReceiverStopped(int64_t worker_id, int64_t stream_id) {
  std::erase_if(receivers_, [&](const Running& running) {
    return running.worker_id == worker_id && running.receiver.start().stream_id() == stream_id;
  });
}

void ReceivedBefore::WorkerLost(int64_t worker_id) {
  std::erase_if(blocks_, [&](const Held& held) { return held.worker_id == worker_id; });
  std::erase_if(receivers_, [&](const Running& running) { return running.worker_id == worker_id; });
}

std::vector<ReceivedBefore::Held> ReceivedBefore::blocks() const {
  std::vector<Held> sorted = blocks_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Held& a, const Held& b) {
    return std::tuple(a.block.id().stream_id(), a.block.id().sequence()) <
           std::tuple(b.block.id().stream_id(), b.block.id().sequence());
  });
  return sorted;
}

EarlierBlocks ReceivedBefore::Describe() const {
  constexpr int kStartBits = ReceivedBlockTracker::kStartBits;
  EarlierBlocks described;
  const auto know_start = [&](int64_t stream_id, int64_t sequence) {
    int64_t& end = described.end_start[stream_id];
    end = std::max(end, (sequence >> kStartBits) + 1);
  };
  for (const Held& held : blocks()) {
    ReceivedBlock block = ToReceivedBlock(held.block, held.worker_id);
    know_start(block.id.stream_id, block.id.sequence);
    std::vector<ReceivedBlock>& of_stream = described.blocks[block.id.stream_id];
    const bool is_another = of_stream.empty() || of_stream.back().id.sequence != block.id.sequence;
    if (is_another) {
      of_stream.push_back(std::move(block));
    } else if (of_stream.back().record_count < 0) {
      of_stream.back() = std::move(block);  // A worker may not know what its copy has.
    }
  }
  for (const Running& running : receivers_) {
    know_start(running.receiver.start().stream_id(), running.receiver.start().first_sequence());
  }
  return described;
}

}  // namespace millrace::internal
