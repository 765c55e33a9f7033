#include "driver/shuffle/map_output_tracker.h"

#include <algorithm>

#include "common/base/mistake.h"
#include "glog/logging.h"

namespace millrace::internal {

void MapOutputTracker::Register(int64_t shuffle_id, int map_count, int reduce_count) {
  const auto [entry, is_new] = shuffles_.try_emplace(shuffle_id);
  if (!is_new) return;
  Shuffle& shuffle = entry->second;
  shuffle.done.resize(static_cast<size_t>(map_count));
  shuffle.counted.resize(static_cast<size_t>(map_count));
  shuffle.missing_count = map_count;
  shuffle.reduce_workers.assign(static_cast<size_t>(reduce_count), kUnplaced);
}

std::vector<int64_t> MapOutputTracker::Drop(int64_t shuffle_id) {
  const auto shuffle = shuffles_.find(shuffle_id);
  if (shuffle == shuffles_.end()) return {};
  std::vector<int64_t> workers = std::move(shuffle->second.reduce_workers);
  shuffles_.erase(shuffle);
  std::sort(workers.begin(), workers.end());
  workers.erase(std::unique(workers.begin(), workers.end()), workers.end());
  if (!workers.empty() && workers.front() == kUnplaced) workers.erase(workers.begin());
  return workers;
}

bool MapOutputTracker::MapDone(int64_t shuffle_id, int map_partition) {
  const auto found = shuffles_.find(shuffle_id);
  CHECK(found != shuffles_.end()) << "shuffle " << shuffle_id << " is not registered";
  Shuffle& shuffle = found->second;
  const size_t index = static_cast<size_t>(map_partition);
  CHECK_LT(index, shuffle.done.size());
  if (!shuffle.done[index]) --shuffle.missing_count;
  shuffle.done[index] = true;
  const bool is_first = !shuffle.counted[index];
  shuffle.counted[index] = true;
  return is_first;
}

bool MapOutputTracker::IsComplete(int64_t shuffle_id) const {
  const auto shuffle = shuffles_.find(shuffle_id);
  return shuffle != shuffles_.end() && shuffle->second.missing_count == 0;
}

std::vector<int> MapOutputTracker::MissingMaps(int64_t shuffle_id) const {
  const auto shuffle = shuffles_.find(shuffle_id);
  CHECK(shuffle != shuffles_.end()) << "shuffle " << shuffle_id << " is not registered";
  std::vector<int> missing;
  missing.reserve(static_cast<size_t>(shuffle->second.missing_count));
  const std::vector<bool>& done = shuffle->second.done;
  for (size_t i = 0; i < done.size(); ++i) {
    if (!done[i]) missing.push_back(static_cast<int>(i));
  }
  return missing;
}

int64_t MapOutputTracker::ReduceWorker(int64_t shuffle_id, int reduce_partition) const {
  const auto shuffle = shuffles_.find(shuffle_id);
  const size_t index = static_cast<size_t>(reduce_partition);
  if (shuffle == shuffles_.end() || index >= shuffle->second.reduce_workers.size()) {
    return kUnplaced;
  }
  return shuffle->second.reduce_workers[index];
}

const std::vector<int64_t>& MapOutputTracker::ReduceWorkers(int64_t shuffle_id) const {
  const auto shuffle = shuffles_.find(shuffle_id);
  CHECK(shuffle != shuffles_.end()) << "shuffle " << shuffle_id << " is not registered";
  return shuffle->second.reduce_workers;
}

void MapOutputTracker::PlaceReduce(int64_t shuffle_id, int reduce_partition, int64_t worker_id) {
  const auto shuffle = shuffles_.find(shuffle_id);
  CHECK(shuffle != shuffles_.end()) << "shuffle " << shuffle_id << " is not registered";
  int64_t& place = shuffle->second.reduce_workers[static_cast<size_t>(reduce_partition)];
  CHECK(place == kUnplaced || place == worker_id) << "a reduce partition moves only when lost";
  place = worker_id;
}

std::vector<int64_t> MapOutputTracker::ForgetWorker(int64_t worker_id) {
  std::vector<int64_t> lost;
  for (auto& [shuffle_id, shuffle] : shuffles_) {
    const size_t on_worker = static_cast<size_t>(
        std::count(shuffle.reduce_workers.begin(), shuffle.reduce_workers.end(), worker_id));
    if (on_worker == 0) continue;
    std::replace(shuffle.reduce_workers.begin(), shuffle.reduce_workers.end(), worker_id,
                 kUnplaced);
    if (IsMade(Mistake::kLostMapOutputsTrusted)) continue;
    shuffle.done.assign(shuffle.done.size(), false);
    shuffle.missing_count = static_cast<int>(shuffle.done.size());
    lost.push_back(shuffle_id);
  }
  std::sort(lost.begin(), lost.end());
  return lost;
}

}  // namespace millrace::internal
