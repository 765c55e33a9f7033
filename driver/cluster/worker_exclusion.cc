#include "driver/cluster/worker_exclusion.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "absl/strings/str_cat.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

// A failure that is told of at length is cut for the log.
constexpr size_t kReasonBytesMax = 500;

int FailedTasksOf(const Worker& worker) { return std::popcount(worker.task_failures); }

}  // namespace

void WorkerExclusion::TaskSucceeded(int64_t worker_id) {
  Worker* const worker = workers_.Find(worker_id);
  if (worker != nullptr) worker->task_failures <<= 1;
}

void WorkerExclusion::TaskFailed(int64_t worker_id, const std::string& reason) {
  Worker* const worker = workers_.Find(worker_id);
  if (worker == nullptr) return;
  worker->task_failures = (worker->task_failures << 1) | 1;
  if (worker->is_excluded || workers_.usable().size() < 2) return;
  if (StandsOut(*worker)) Exclude(*worker, reason);
}

bool WorkerExclusion::StandsOut(const Worker& worker) const {
  const int failed = FailedTasksOf(worker);
  if (failed < options_.max_failed_tasks) return false;
  int others = 0;
  int failed_elsewhere = 0;
  for (const Worker* const other : workers_.usable()) {
    if (other->id == worker.id) continue;
    ++others;
    failed_elsewhere += FailedTasksOf(*other);
  }
  return failed * others > 2 * failed_elsewhere;
}

void WorkerExclusion::Exclude(const Worker& worker, const std::string& reason) {
  const std::string last = reason.substr(0, kReasonBytesMax);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(options_.timeout).count();
  LOG(WARNING)
      << "worker " << worker.id << " on " << worker.host << " gets no tasks for " << seconds
      << " s, but for those that can run nowhere else: " << FailedTasksOf(worker)
      << " of its last 64 tasks have failed there and succeeded elsewhere, the last one with: "
      << last;
  workers_until_[worker.id] = env_.MonotonicMicros() + options_.timeout.count();
  ExcludeHostIfManyAre(worker.host, last);
  Update();
  env_.After(options_.timeout.count(), [this] { Update(); });
}

void WorkerExclusion::ExcludeHostIfManyAre(const std::string& host, const std::string& reason) {
  const auto& all = workers_.all();
  const auto excluded = std::count_if(all.begin(), all.end(), [&](const auto& worker) {
    return worker->host == host && workers_until_.contains(worker->id);
  });
  const auto& usable = workers_.usable();
  const bool has_others = std::any_of(usable.begin(), usable.end(),
                                      [&](const Worker* worker) { return worker->host != host; });
  if (excluded < options_.max_failed_workers || !has_others) return;
  LOG(WARNING) << "no worker on " << host << " gets tasks for as long, for " << excluded
               << " of them do not, the last one because of: " << reason;
  hosts_until_[host] = env_.MonotonicMicros() + options_.timeout.count();
}

// Lets those come back whose time is over, or all when no other worker is left.
void WorkerExclusion::Update() {
  if (workers_until_.empty() && hosts_until_.empty()) return;
  const int64_t now = env_.MonotonicMicros();
  absl::erase_if(workers_until_, [&](const auto& entry) {
    return entry.second <= now || workers_.Find(entry.first) == nullptr;
  });
  absl::erase_if(hosts_until_, [now](const auto& entry) { return entry.second <= now; });
  const auto must_stay_out = [this](const Worker& worker) {
    return workers_until_.contains(worker.id) || hosts_until_.contains(worker.host);
  };
  const auto& all = workers_.all();
  if (std::all_of(all.begin(), all.end(),
                  [&](const auto& worker) { return must_stay_out(*worker); })) {
    workers_until_.clear();
    hosts_until_.clear();
  }
  std::vector<int64_t> back;
  for (const auto& worker : all) {
    const bool is_excluded = must_stay_out(*worker);
    if (worker->is_excluded && !is_excluded) back.push_back(worker->id);
    workers_.SetExcluded(*worker, is_excluded);
  }
  for (const int64_t id : back) {
    LOG(INFO) << "worker " << id << " gets tasks again";
    workers_.Find(id)->task_failures = 0;
  }
  if (!back.empty()) on_back_();
}

}  // namespace millrace::internal
