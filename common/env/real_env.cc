#include "common/env/real_env.h"

#include <algorithm>
#include <memory>

#include "common/time/system_clock.h"
#include "glog/logging.h"

namespace millrace {
namespace {

constexpr TimerId kWallBit = TimerId{1} << 63;
constexpr int64_t kNanosPerMicro = 1000;
// Far above what the cores have under way: tasks are bounded by slots, jobs by batches.
constexpr size_t kPoolQueueMax = size_t{1} << 16;
// A sleeping loop that is told of a clock jump by nobody looks at the wall clock at least this
// often.
constexpr int64_t kWallCheckMicros = 1'000'000;

ThreadPool::Options PoolOptions(const RealEnv::Options& env, const char* kind, int threads) {
  ThreadPool::Options options;
  options.name = env.name + "-" + kind;
  options.threads = std::max(1, threads);
  options.queue_max = kPoolQueueMax;
  options.spin_max = env.spin_max;
  return options;
}

EventLoop::Options LoopOptions(const RealEnv::Options& env) {
  EventLoop::Options options;
  options.name = env.name;
  options.spin_max = env.spin_max;
  return options;
}

}  // namespace

RealEnv::RealEnv(Options options, FileSystem& fs)
    : options_(std::move(options)),
      fs_(fs),
      last_wall_timer_(kWallBit),
      loop_(LoopOptions(options_)),
      task_pool_(PoolOptions(options_, "task", options_.task_threads)),
      job_pool_(PoolOptions(options_, "job", options_.job_threads)) {}

RealEnv::~RealEnv() { Stop(); }

void RealEnv::Stop() {
  job_pool_.Stop();
  task_pool_.Stop();
  loop_.Stop();
}

int64_t RealEnv::NowMicros() const {
  if (!options_.manual_wall_clock) return WallClockMicros();
  absl::MutexLock lock(&manual_mutex_);
  return manual_now_micros_;
}

int64_t RealEnv::MonotonicMicros() const { return MonotonicNanos() / kNanosPerMicro; }

TimerId RealEnv::After(int64_t delay_micros, Closure callback) {
  return loop_.PostAfter(std::chrono::microseconds(delay_micros), std::move(callback));
}

TimerId RealEnv::AtWall(int64_t wall_micros, Closure callback) {
  const TimerId timer = ++last_wall_timer_;
  if (!options_.manual_wall_clock) {
    ArmWall(timer, wall_micros, std::move(callback));
    return timer;
  }
  {
    absl::MutexLock lock(&manual_mutex_);
    manual_timers_.emplace(std::pair(wall_micros, timer), std::move(callback));
    if (wall_micros > manual_now_micros_) return timer;
  }
  Post([this] { RunDueManualTimers(); });
  return timer;
}

// Sleeps on the monotonic clock and looks again, so that a wall clock that was set back or forward
// meanwhile delays a timer by a second at most.
void RealEnv::ArmWall(TimerId timer, int64_t wall_micros, Closure callback) {
  const int64_t left_micros = std::max<int64_t>(0, wall_micros - WallClockMicros());
  const auto delay = std::chrono::microseconds(std::min(left_micros, kWallCheckMicros));
  wall_timers_[timer] =
      loop_.PostAfter(delay, [this, timer, wall_micros, callback = std::move(callback)]() mutable {
        if (WallClockMicros() < wall_micros)
          return ArmWall(timer, wall_micros, std::move(callback));
        wall_timers_.erase(timer);
        callback();
      });
}

void RealEnv::Cancel(TimerId timer) {
  if (timer == kNoTimer) return;
  if ((timer & kWallBit) == 0) {
    loop_.Cancel(timer);
    return;
  }
  const auto wall = wall_timers_.find(timer);
  if (wall != wall_timers_.end()) {
    loop_.Cancel(wall->second);
    wall_timers_.erase(wall);
    return;
  }
  Closure dropped;  // Destroyed without the lock: its destructor may call us.
  absl::MutexLock lock(&manual_mutex_);
  for (auto manual = manual_timers_.begin(); manual != manual_timers_.end(); ++manual) {
    if (manual->first.second != timer) continue;
    dropped = std::move(manual->second);
    manual_timers_.erase(manual);
    return;
  }
}

void RealEnv::AdvanceWall(std::chrono::microseconds step) {
  CHECK(options_.manual_wall_clock) << "the wall clock of this Env is the machine's";
  {
    absl::MutexLock lock(&manual_mutex_);
    manual_now_micros_ += step.count();
  }
  loop_.PostAndRun([this] { RunDueManualTimers(); });
}

void RealEnv::RunDueManualTimers() {
  while (Closure callback = TakeDueManualTimer()) callback();
}

Closure RealEnv::TakeDueManualTimer() {
  absl::MutexLock lock(&manual_mutex_);
  const auto first = manual_timers_.begin();
  if (first == manual_timers_.end() || first->first.first > manual_now_micros_) return nullptr;
  Closure callback = std::move(first->second);
  manual_timers_.erase(first);
  return callback;
}

void RealEnv::Post(Closure callback) { loop_.Post(std::move(callback)); }

void RealEnv::PostAndRun(Closure callback) { loop_.PostAndRun(std::move(callback)); }

void RealEnv::PostAndHelp(Closure callback, absl::FunctionRef<bool()> is_done) {
  if (!job_pool_.IsOwnThread()) return PostAndRun(std::move(callback));
  ThreadPool::Guest guest(task_pool_);
  loop_.PostAndRun(std::move(callback));
  while (!is_done() && guest.RunOne()) {
  }
}

void RealEnv::RunTask(Closure work, Closure done) {
  RunOn(task_pool_, std::move(work), std::move(done));
}

void RealEnv::RunJob(Closure work, Closure done) {
  RunOn(job_pool_, std::move(work), std::move(done));
}

void RealEnv::RunOn(ThreadPool& pool, Closure work, Closure done) {
  Closure both = [this, &pool, work = std::move(work), done = std::move(done)]() mutable {
    work();
    work = nullptr;  // What it holds goes on the thread that used it.
    // What `done` starts may go on here.
    pool.AboutToBeFree();
    loop_.PostAndRun(std::move(done));
  };
  const absl::Status status = pool.TrySubmit(std::move(both));
  // Once stopped, nobody waits for results any more.
  CHECK(!absl::IsResourceExhausted(status)) << status;
}

uint64_t RealEnv::Random() { return absl::Uniform<uint64_t>(random_); }

}  // namespace millrace
