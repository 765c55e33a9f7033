// An Env that a test steps through by hand.
#ifndef MILLRACE_TESTS_SUPPORT_FAKE_ENV_H_
#define MILLRACE_TESTS_SUPPORT_FAKE_ENV_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/env/env.h"

namespace millrace {

// Nothing runs but in the Run... methods, on the test's thread. Time stands still but in Advance.
// Only Post may be called by other threads.
class FakeEnv : public Env {
 public:
  explicit FakeEnv(FileSystem& fs) : fs_(fs) {}

  // Runs what is posted, and what that posts, and (unless held back) tasks and jobs, until nothing
  // is left. Timers wait for Advance.
  void RunUntilIdle() {
    while (RunPosted() || (!tasks_held_ && RunNext(tasks_)) || (!jobs_held_ && RunNext(jobs_))) {
    }
  }
  // The same, and waits for posts of other threads until `done` holds. False: it took too long.
  bool RunUntil(const std::function<bool()>& done,
                std::chrono::milliseconds timeout = std::chrono::seconds(30)) {
    const absl::Time deadline = absl::Now() + absl::FromChrono(timeout);
    while (true) {
      RunUntilIdle();
      if (done()) return true;
      absl::MutexLock lock(&mutex_);
      if (!mutex_.AwaitWithDeadline(absl::Condition(this, &FakeEnv::HasPosts), deadline)) {
        return false;
      }
    }
  }
  // Moves both clocks; timers run at their time, in order.
  void Advance(int64_t micros) {
    const int64_t end = monotonic_micros_ + micros;
    RunUntilIdle();
    while (!timers_.empty() && timers_.begin()->first.first <= end) {
      const auto timer = timers_.begin();
      // It may be late already.
      SetMonotonic(std::max(monotonic_micros_, timer->first.first));
      Closure callback = std::move(timer->second);
      timers_.erase(timer);
      callback();
      RunUntilIdle();
    }
    SetMonotonic(end);
  }
  // The wall clock jumps; its timers do not notice.
  void JumpWall(int64_t micros) { wall_micros_ += micros; }
  // Both clocks move on while something runs; timers wait for Advance.
  void JumpMonotonic(int64_t micros) { SetMonotonic(monotonic_micros_ + micros); }

  // Held tasks wait for RunNextTask, as if all threads were busy.
  void HoldTasks(bool held) { tasks_held_ = held; }
  void HoldJobs(bool held) { jobs_held_ = held; }
  size_t task_count() const { return tasks_.size(); }
  size_t job_count() const { return jobs_.size(); }
  size_t timer_count() const { return timers_.size(); }
  // The work alone; its `done` runs with the posts.
  bool RunNextTask() { return RunNext(tasks_); }
  bool RunNextJob() { return RunNext(jobs_); }
  // The first job becomes the last.
  void RotateJobs() {
    jobs_.push_back(std::move(jobs_.front()));
    jobs_.pop_front();
  }

  int64_t NowMicros() const override { return wall_micros_; }
  int64_t MonotonicMicros() const override { return monotonic_micros_; }
  TimerId After(int64_t delay_micros, Closure callback) override {
    return AddTimer(monotonic_micros_ + delay_micros, std::move(callback));
  }
  TimerId AtWall(int64_t wall_micros, Closure callback) override {
    const int64_t delay = wall_micros > wall_micros_ ? wall_micros - wall_micros_ : 0;
    return AddTimer(monotonic_micros_ + delay, std::move(callback));
  }
  void Cancel(TimerId timer) override {
    for (auto it = timers_.begin(); it != timers_.end(); ++it) {
      if (it->first.second != timer) continue;
      timers_.erase(it);
      return;
    }
  }
  void Post(Closure callback) override {
    absl::MutexLock lock(&mutex_);
    posts_.push_back(std::move(callback));
  }
  void RunTask(Closure work, Closure done) override {
    tasks_.emplace_back(std::move(work), std::move(done));
  }
  void RunJob(Closure work, Closure done) override {
    jobs_.emplace_back(std::move(work), std::move(done));
  }
  FileSystem& fs() override { return fs_; }
  uint64_t Random() override {
    return random_ = random_ * 6364136223846793005u + 1442695040888963407u;
  }

 private:
  using Work = std::deque<std::pair<Closure, Closure>>;

  bool HasPosts() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !posts_.empty(); }

  bool RunPosted() {
    std::deque<Closure> posts;
    {
      absl::MutexLock lock(&mutex_);
      posts.swap(posts_);
    }
    for (Closure& post : posts) post();
    return !posts.empty();
  }
  bool RunNext(Work& queue) {
    if (queue.empty()) return false;
    auto [work, done] = std::move(queue.front());
    queue.pop_front();
    work();
    Post(std::move(done));
    return true;
  }
  TimerId AddTimer(int64_t at_micros, Closure callback) {
    timers_.emplace(std::make_pair(at_micros, ++last_timer_), std::move(callback));
    return last_timer_;
  }
  void SetMonotonic(int64_t micros) {
    wall_micros_ += micros - monotonic_micros_;
    monotonic_micros_ = micros;
  }

  FileSystem& fs_;
  int64_t wall_micros_ = 0;
  int64_t monotonic_micros_ = 0;
  TimerId last_timer_ = kNoTimer;
  std::map<std::pair<int64_t, TimerId>, Closure> timers_;  // By monotonic time.
  Work tasks_;
  Work jobs_;
  bool tasks_held_ = false;
  bool jobs_held_ = false;
  uint64_t random_ = 1;

  absl::Mutex mutex_;
  std::deque<Closure> posts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace

#endif  // MILLRACE_TESTS_SUPPORT_FAKE_ENV_H_
