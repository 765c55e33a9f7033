#include "driver/block/block_copies.h"

#include <algorithm>
#include <string>
#include <tuple>

#include "glog/logging.h"

namespace millrace::internal {

void BlockCopies::AddStream(int64_t stream_id, StorageLevel level) {
  if (CopyCount(level) > 1) levels_[stream_id] = level;
}

void BlockCopies::WorkerAdded() {
  failed_.clear();
  Copy();
}

void BlockCopies::WorkerLost(int64_t worker_id) {
  under_way_.erase(worker_id);
  failed_.clear();
  Copy();
}

void BlockCopies::HandleCopied(int64_t worker_id, const proto::BlocksCopied& copied) {
  const auto asked = under_way_.extract(worker_id);
  if (asked.empty()) return;
  std::set<Key>& missing = asked.mapped().blocks;
  proto::ToWorker drop;
  for (const proto::BlockId& id : copied.blocks()) {
    const BlockRef block{id.stream_id(), id.sequence()};
    if (missing.erase({block.stream_id, block.sequence}) == 0) continue;
    if (locations_.IsKnown(block)) {
      locations_.Add(block, worker_id);
      ++copied_count_;
    } else {
      *drop.mutable_drop_blocks()->add_blocks() = id;
    }
  }
  if (drop.has_drop_blocks()) workers_.Send(worker_id, std::move(drop));
  failed_.merge(missing);
  Copy();
}

void BlockCopies::Copy() {
  if (workers_.count() < 2 || levels_.empty()) return;
  Requests requests;
  for (const BlockRef& block : locations_.WithOneHolder()) {
    const Key key{block.stream_id, block.sequence};
    const auto level = levels_.find(block.stream_id);
    if (level == levels_.end() || failed_.contains(key) || IsUnderWay(key)) continue;
    const int64_t holder = locations_.HoldersOf(block)[0];
    const int64_t target = TargetFor(holder, block.stream_id, requests);
    if (target == 0) continue;
    Request& request = requests[target];
    request.holder = holder;
    request.stream_id = block.stream_id;
    request.blocks.insert(key);
  }
  for (const auto& [target, request] : requests) Send(target, request);
  under_way_.merge(requests);
  if (!under_way_.empty() || copied_count_ == 0) return;
  LOG(INFO) << std::exchange(copied_count_, 0) << " received blocks have a second copy again";
}

void BlockCopies::Send(int64_t target, const Request& request) {
  proto::ToWorker message;
  proto::CopyBlocks& copy = *message.mutable_copy_blocks();
  copy.set_holder(request.holder);
  copy.set_storage_level(static_cast<uint32_t>(levels_.at(request.stream_id)));
  for (const auto& [stream_id, sequence] : request.blocks) {
    proto::BlockId& id = *copy.add_blocks();
    id.set_stream_id(stream_id);
    id.set_sequence(sequence);
  }
  workers_.Send(target, std::move(message));
}

// Another host goes before the holder's own, then the worker that copies least.
int64_t BlockCopies::TargetFor(int64_t holder, int64_t stream_id, const Requests& requests) const {
  const Worker* const source = workers_.Find(holder);
  if (source == nullptr) return 0;
  std::tuple<bool, size_t, int64_t> best{true, kBlocksOfRequestMax, 0};
  for (const auto& worker : workers_.all()) {
    if (worker->id == holder || worker->peer_address.empty()) continue;
    if (under_way_.contains(worker->id)) continue;
    size_t count = 0;
    if (const auto begun = requests.find(worker->id); begun != requests.end()) {
      const Request& request = begun->second;
      count = request.blocks.size();
      if (request.holder != holder || request.stream_id != stream_id) continue;
      if (count >= kBlocksOfRequestMax) continue;
    }
    const std::tuple<bool, size_t, int64_t> candidate{worker->host == source->host, count,
                                                      worker->id};
    if (std::get<2>(best) == 0 || candidate < best) best = candidate;
  }
  return std::get<2>(best);
}

bool BlockCopies::IsUnderWay(const Key& key) const {
  return std::any_of(under_way_.begin(), under_way_.end(), [&key](const auto& of_worker) {
    return of_worker.second.blocks.contains(key);
  });
}

}  // namespace millrace::internal
