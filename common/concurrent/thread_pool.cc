#include "common/concurrent/thread_pool.h"

#include <glog/logging.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/concurrent/named_thread.h"

namespace millrace {
namespace {

// The pool whose closure the thread runs, and where it is written down that it will be free soon.
struct Current {
  const ThreadPool* pool = nullptr;
  bool* is_coming = nullptr;
};
thread_local Current current;

}  // namespace

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
  if (!HasRoomOrStopped()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("thread pool ", options_.name, " is full: ", options_.threads,
                     " threads are busy and ", options_.queue_max, " closures wait"));
  }
  queue_.push_back(std::move(closure));
  woken = TakeIdleIfNeeded();
  return absl::OkStatus();
}

bool ThreadPool::HasRoomOrStopped() const {
  return stopped_ || !idle_.empty() || queue_.size() < options_.queue_max + coming_;
}

ThreadPool::Worker* ThreadPool::TakeIdleIfNeeded() {
  if (queue_.size() <= coming_ || idle_.empty()) return nullptr;
  Worker* const worker = idle_.back();
  idle_.pop_back();
  SetComing(worker->is_coming, true);
  return worker;
}

void ThreadPool::SetComing(bool& is_coming, bool now) {
  if (is_coming == now) return;
  is_coming = now;
  now ? ++coming_ : --coming_;
}

ThreadPool::Closure ThreadPool::PopFront() {
  Closure next = std::move(queue_.front());
  queue_.pop_front();
  return next;
}

size_t ThreadPool::queue_size() const {
  absl::MutexLock lock(&mutex_);
  return queue_.size();
}

void ThreadPool::Run(Worker& worker) {
  current = {this, &worker.is_coming};
  while (Closure closure = NextClosure(worker)) closure();
}

ThreadPool::Closure ThreadPool::NextClosure(Worker& worker) {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      SetComing(worker.is_coming, false);
      if (!queue_.empty()) return PopFront();
      if (stopped_) return nullptr;
      idle_.push_back(&worker);
    }
    // Woken exactly once, by Accept, a guest or Stop, which took the worker off `idle_`.
    worker.parker.Park();
  }
}

void ThreadPool::AboutToBeFree() {
  if (current.pool != this) return;
  absl::MutexLock lock(&mutex_);
  SetComing(*current.is_coming, true);
}

bool ThreadPool::IsOwnThread() const { return current.pool == this; }

ThreadPool::Guest::Guest(ThreadPool& pool) : pool_(pool) {
  absl::MutexLock lock(&pool_.mutex_);
  ++pool_.coming_;
}

// Others must do what this guest was counted on for.
ThreadPool::Guest::~Guest() {
  Worker* woken = nullptr;
  {
    absl::MutexLock lock(&pool_.mutex_);
    pool_.SetComing(is_coming_, false);
    woken = pool_.TakeIdleIfNeeded();
  }
  if (woken != nullptr) woken->parker.Unpark();
}

bool ThreadPool::Guest::RunOne() {
  Closure closure;
  {
    absl::MutexLock lock(&pool_.mutex_);
    pool_.SetComing(is_coming_, false);
    if (pool_.queue_.empty()) return false;
    closure = pool_.PopFront();
  }
  const Current outer = std::exchange(current, {&pool_, &is_coming_});
  closure();
  closure = nullptr;
  current = outer;
  absl::MutexLock lock(&pool_.mutex_);
  pool_.SetComing(is_coming_, true);
  return true;
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
