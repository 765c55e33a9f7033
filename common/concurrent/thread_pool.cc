#include "common/concurrent/thread_pool.h"

#include <glog/logging.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/concurrent/named_thread.h"

namespace millrace {

ThreadPool::ThreadPool(Options options) : options_(std::move(options)) {
  CHECK_GT(options_.threads, 0) << "pool " << options_.name;
  for (int i = 0; i < options_.threads; ++i) {
    workers_.push_back(std::make_unique<Worker>(options_));
  }
  for (int i = 0; i < options_.threads; ++i) {
    Worker& worker = *workers_[i];
    worker.thread = StartThread(absl::StrCat(options_.name, "-", i), [this, &worker] {  //
      Run(worker);
    });
  }
}

ThreadPool::~ThreadPool() { Stop(); }

absl::Status ThreadPool::TrySubmit(Closure&& closure) {
  Worker* woken = nullptr;
  absl::Status status;
  {
    absl::MutexLock lock(&mutex_);
    status = Accept(std::move(closure), woken);
  }
  if (woken != nullptr) woken->parker.Unpark();
  return status;
}

absl::Status ThreadPool::Submit(Closure&& closure, std::chrono::nanoseconds timeout) {
  Worker* woken = nullptr;
  absl::Status status;
  {
    absl::MutexLock lock(&mutex_);
    if (!HasRoomOrStopped() &&
        !mutex_.AwaitWithTimeout(absl::Condition(this, &ThreadPool::HasRoomOrStopped),
                                 absl::FromChrono(timeout))) {
      return absl::DeadlineExceededError(
          absl::StrCat("thread pool ", options_.name, ": no room for more work within ",
                       absl::FormatDuration(absl::FromChrono(timeout)), ", ", options_.threads,
                       " threads are busy and ", options_.queue_max, " closures wait"));
    }
    status = Accept(std::move(closure), woken);
  }
  if (woken != nullptr) woken->parker.Unpark();
  return status;
}

absl::Status ThreadPool::Accept(Closure&& closure, Worker*& woken) {
  if (stopped_) {
    return absl::FailedPreconditionError(
        absl::StrCat("thread pool ", options_.name, " is stopped"));
  }
  if (!idle_.empty()) {
    woken = idle_.back();
    idle_.pop_back();
    woken->next = std::move(closure);
    return absl::OkStatus();
  }
  if (queue_.size() >= options_.queue_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("thread pool ", options_.name, " is full: ", options_.threads,
                     " threads are busy and ", options_.queue_max, " closures wait"));
  }
  queue_.push_back(std::move(closure));
  return absl::OkStatus();
}

bool ThreadPool::HasRoomOrStopped() const {
  return stopped_ || !idle_.empty() || queue_.size() < options_.queue_max;
}

size_t ThreadPool::queue_size() const {
  absl::MutexLock lock(&mutex_);
  return queue_.size();
}

void ThreadPool::Run(Worker& worker) {
  while (Closure closure = NextClosure(worker)) closure();
}

ThreadPool::Closure ThreadPool::NextClosure(Worker& worker) {
  {
    absl::MutexLock lock(&mutex_);
    if (!queue_.empty()) {
      Closure next = std::move(queue_.front());
      queue_.pop_front();
      return next;
    }
    if (stopped_) return nullptr;
    idle_.push_back(&worker);
  }
  // Woken exactly once, by Accept or by Stop, which took the worker off `idle_`.
  worker.parker.Park();
  absl::MutexLock lock(&mutex_);
  return std::exchange(worker.next, nullptr);
}

void ThreadPool::Stop() {
  std::vector<Worker*> idle;
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    idle.swap(idle_);
  }
  for (Worker* worker : idle) worker->parker.Unpark();
  absl::MutexLock lock(&join_mutex_);
  for (const std::unique_ptr<Worker>& worker : workers_) {
    CHECK(worker->thread.get_id() != std::this_thread::get_id())
        << "thread pool " << options_.name << " cannot be stopped by its own thread";
    if (worker->thread.joinable()) worker->thread.join();
  }
}

}  // namespace millrace
