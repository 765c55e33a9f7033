#include "tests/sim/sim_env.h"

#include <algorithm>
#include <utility>

namespace millrace::sim {
namespace {

// The wall clock when a run begins: late enough for batch times to be what they are in practice.
constexpr int64_t kFirstWallMicros = int64_t{1'000'000} * 1'000'000;
// As RealEnv: how long a wall timer trusts the wall clock.
constexpr int64_t kWallCheckMicros = 1'000'000;

}  // namespace

int64_t SimEnv::NowMicros() const {
  return kFirstWallMicros + world_.now_micros() + wall_offset_micros_;
}

TimerId SimEnv::After(int64_t delay_micros, Closure callback) {
  const TimerId timer = ++last_timer_;
  timers_[timer] =
      world_.After(delay_micros + Delay(pace_.timer_late_max), node_, EventKind::kTimer,
                   [this, timer, callback = std::move(callback)]() mutable {
                     RunTimer(timer, std::move(callback));
                   });
  return timer;
}

int64_t SimEnv::ResumeMicros() {
  last_resume_micros_ = std::max(last_resume_micros_ + 1, paused_until_micros_);
  return last_resume_micros_;
}

void SimEnv::RunTimer(TimerId timer, Closure callback) {
  if (world_.now_micros() < paused_until_micros_) {
    timers_[timer] = world_.At(ResumeMicros(), node_, EventKind::kTimer,
                               [this, timer, callback = std::move(callback)]() mutable {
                                 RunTimer(timer, std::move(callback));
                               });
    return;
  }
  timers_.erase(timer);
  callback();
}

void SimEnv::RunPosted(Closure callback) {
  if (world_.now_micros() >= paused_until_micros_) return callback();
  const int64_t resume_micros = ResumeMicros();
  last_post_micros_ = std::max(last_post_micros_, resume_micros);
  world_.At(resume_micros, node_, EventKind::kPost,
            [this, callback = std::move(callback)]() mutable { RunPosted(std::move(callback)); });
}

TimerId SimEnv::AtWall(int64_t wall_micros, Closure callback) {
  const TimerId timer = ++last_timer_;
  ArmWall(timer, wall_micros, std::move(callback));
  return timer;
}

void SimEnv::ArmWall(TimerId timer, int64_t wall_micros, Closure callback) {
  const int64_t left_micros = std::max<int64_t>(0, wall_micros - NowMicros());
  const int64_t delay_micros =
      std::min(left_micros, kWallCheckMicros) + Delay(pace_.timer_late_max);
  timers_[timer] =
      world_.After(delay_micros, node_, EventKind::kTimer,
                   [this, timer, wall_micros, callback = std::move(callback)]() mutable {
                     if (NowMicros() < wall_micros)
                       return ArmWall(timer, wall_micros, std::move(callback));
                     RunTimer(timer, std::move(callback));
                   });
}

void SimEnv::Cancel(TimerId timer) {
  const auto event = timers_.find(timer);
  if (event == timers_.end()) return;
  const EventId id = event->second;
  timers_.erase(event);
  world_.Cancel(id);
}

// In the order of the posts: no two come at one time.
void SimEnv::Post(Closure callback) {
  last_post_micros_ = std::max(last_post_micros_ + 1, world_.now_micros() + Delay(pace_.post_max));
  world_.At(last_post_micros_, node_, EventKind::kPost,
            [this, callback = std::move(callback)]() mutable { RunPosted(std::move(callback)); });
}

void SimEnv::Run(Closure work, Closure done) {
  world_.RunOnThread(
      node_, Delay(pace_.begin_max), std::move(work), [this, done = std::move(done)]() mutable {
        world_.After(Delay(pace_.work_max), node_, EventKind::kDone,
                     [this, done = std::move(done)]() mutable { Post(std::move(done)); });
      });
}

bool SimEnv::is_idle() const {
  return world_.works_under_way(node_) == 0 && !world_.HasPending(node_, EventKind::kDone) &&
         !world_.HasPending(node_, EventKind::kPost);
}

}  // namespace millrace::sim
