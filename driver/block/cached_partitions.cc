#include "driver/block/cached_partitions.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"

namespace millrace::internal {
namespace {

// Numbers come from messages: no table may grow by a wrong one.
constexpr int kPartitionsMax = 1 << 20;

}  // namespace

bool CachedPartitions::Add(int64_t rdd_id, int partition, int64_t worker_id) {
  const auto found = data_sets_.find(rdd_id);
  if (found == data_sets_.end() || partition < 0 || partition >= kPartitionsMax) return false;
  DataSet& data_set = found->second;
  const size_t index = static_cast<size_t>(partition);
  if (data_set.holders.size() <= index) data_set.holders.resize(index + 1);
  Holders& holders = data_set.holders[index];
  if (std::find(holders.begin(), holders.end(), worker_id) != holders.end()) return true;
  if (holders.empty()) ++data_set.cached_count;
  holders.push_back(worker_id);
  return true;
}

void CachedPartitions::Remove(int64_t rdd_id, int partition, int64_t worker_id) {
  const auto data_set = data_sets_.find(rdd_id);
  if (data_set == data_sets_.end()) return;
  const size_t index = static_cast<size_t>(partition);
  if (index >= data_set->second.holders.size()) return;
  RemoveHolder(data_set->second, data_set->second.holders[index], worker_id);
}

void CachedPartitions::ForgetWorker(int64_t worker_id) {
  for (auto& [rdd_id, data_set] : data_sets_) {
    for (Holders& holders : data_set.holders) RemoveHolder(data_set, holders, worker_id);
  }
}

int64_t CachedPartitions::PartitionsOn(int64_t worker_id) const {
  int64_t count = 0;
  for (const auto& [rdd_id, data_set] : data_sets_) {
    count +=
        std::count_if(data_set.holders.begin(), data_set.holders.end(), [&](const Holders& all) {
          return std::find(all.begin(), all.end(), worker_id) != all.end();
        });
  }
  return count;
}

std::vector<int64_t> CachedPartitions::Drop(int64_t rdd_id) {
  const auto data_set = data_sets_.find(rdd_id);
  if (data_set == data_sets_.end()) return {};
  absl::flat_hash_set<int64_t> workers;
  for (const Holders& holders : data_set->second.holders) {
    workers.insert(holders.begin(), holders.end());
  }
  data_sets_.erase(data_set);
  std::vector<int64_t> sorted(workers.begin(), workers.end());
  std::sort(sorted.begin(), sorted.end());  // The same order in every run.
  return sorted;
}

bool CachedPartitions::IsComplete(int64_t rdd_id, int num_partitions) const {
  const auto data_set = data_sets_.find(rdd_id);
  return data_set != data_sets_.end() && data_set->second.cached_count >= num_partitions;
}

const CachedPartitions::Holders& CachedPartitions::HoldersOf(int64_t rdd_id, int partition) const {
  static const Holders& none = *new Holders();
  const auto data_set = data_sets_.find(rdd_id);
  if (data_set == data_sets_.end()) return none;
  const size_t index = static_cast<size_t>(partition);
  return index < data_set->second.holders.size() ? data_set->second.holders[index] : none;
}

void CachedPartitions::RemoveHolder(DataSet& data_set, Holders& holders, int64_t worker_id) {
  const auto holder = std::find(holders.begin(), holders.end(), worker_id);
  if (holder == holders.end()) return;
  holders.erase(holder);
  if (holders.empty()) --data_set.cached_count;
}

}  // namespace millrace::internal
