#include "driver/task/pending_tasks.h"

namespace millrace::internal {

void PendingTasks::AddFor(absl::Span<const int64_t> workers, int index) {
  for (const int64_t worker : workers) by_worker_[worker].push_back(index);
}

void PendingTasks::RelaxRetries() {
  for (Retry& retry : retries_) retry.avoid = kNowhere;
}

int PendingTasks::Take(int64_t worker_id, IsPending is_pending) {
  if (!retries_.empty()) {
    const int index = TakeRetry(worker_id, is_pending);
    if (index >= 0) return index;
  }
  const int index = TakeOwn(worker_id, is_pending);
  return index >= 0 ? index : TakeFront(anywhere_, is_pending);
}

int PendingTasks::TakeOwn(int64_t worker_id, IsPending is_pending) {
  if (by_worker_.empty()) return -1;
  const auto queue = by_worker_.find(worker_id);
  return queue == by_worker_.end() ? -1 : TakeFront(queue->second, is_pending);
}

int PendingTasks::TakeRetry(int64_t worker_id, IsPending is_pending) {
  return TakeFromRetries([worker_id](const Retry& retry) { return retry.avoid != worker_id; },
                         is_pending);
}

int PendingTasks::TakeAvoiding(int64_t worker_id, IsPending is_pending) {
  return TakeFromRetries([worker_id](const Retry& retry) { return retry.avoid == worker_id; },
                         is_pending);
}

int PendingTasks::TakeFromRetries(absl::FunctionRef<bool(const Retry&)> is_wanted,
                                  IsPending is_pending) {
  for (auto retry = retries_.begin(); retry != retries_.end();) {
    if (!is_wanted(*retry)) {
      ++retry;
      continue;
    }
    const int index = retry->index;
    retry = retries_.erase(retry);
    if (is_pending(index)) return index;
  }
  return -1;
}

int PendingTasks::TakeFront(std::deque<int>& queue, IsPending is_pending) {
  while (!queue.empty()) {
    const int index = queue.front();
    queue.pop_front();
    if (is_pending(index)) return index;
  }
  return -1;
}

}  // namespace millrace::internal
