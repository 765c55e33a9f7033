#include "driver/block/block_locations.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace millrace::internal {

void BlockLocations::Add(BlockRef block, int64_t worker_id) {
  Holders& holders = holders_[KeyOf(block)];
  if (std::find(holders.begin(), holders.end(), worker_id) == holders.end()) {
    holders.push_back(worker_id);
  }
}

void BlockLocations::NoteLogged(BlockRef block) {
  holders_.try_emplace(KeyOf(block));
  logged_.insert(KeyOf(block));
}

void BlockLocations::Remove(BlockRef block, int64_t worker_id) {
  const auto found = holders_.find(KeyOf(block));
  if (found == holders_.end()) return;
  Holders& holders = found->second;
  holders.erase(std::remove(holders.begin(), holders.end(), worker_id), holders.end());
}

int64_t BlockLocations::ForgetWorker(int64_t worker_id) {
  int64_t lost_count = 0;
  for (auto& [block, holders] : holders_) {
    const auto holder = std::find(holders.begin(), holders.end(), worker_id);
    if (holder == holders.end()) continue;
    holders.erase(holder);
    if (holders.empty() && !logged_.contains(block)) ++lost_count;
  }
  return lost_count;
}

BlockLocations::Holders BlockLocations::Drop(BlockRef block) {
  const auto found = holders_.find(KeyOf(block));
  if (found == holders_.end()) return {};
  Holders holders = std::move(found->second);
  holders_.erase(found);
  logged_.erase(KeyOf(block));
  return holders;
}

const BlockLocations::Holders& BlockLocations::HoldersOf(BlockRef block) const {
  static const Holders& none = *new Holders();
  const auto found = holders_.find(KeyOf(block));
  return found == holders_.end() ? none : found->second;
}

std::vector<BlockRef> BlockLocations::WithOneHolder() const {
  std::vector<Key> keys;
  for (const auto& [key, holders] : holders_) {
    if (holders.size() == 1) keys.push_back(key);
  }
  std::sort(keys.begin(), keys.end());
  std::vector<BlockRef> blocks;
  blocks.reserve(keys.size());
  for (const auto& [stream_id, sequence] : keys) blocks.push_back({stream_id, sequence});
  return blocks;
}

std::string ToString(BlockRef block) {
  return absl::StrCat("block ", block.sequence, " of stream ", block.stream_id);
}

}  // namespace millrace::internal
