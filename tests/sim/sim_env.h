// The Env of one simulated process.
#ifndef MILLRACE_TESTS_SIM_SIM_ENV_H_
#define MILLRACE_TESTS_SIM_SIM_ENV_H_

#include <cstdint>
#include <unordered_map>

#include "common/env/env.h"
#include "tests/sim/world.h"

namespace millrace::sim {

// How long things take at most, in microseconds; they mostly take far less.
struct Pace {
  int64_t post_max = 300;          // Between a closure's post and its turn.
  int64_t timer_late_max = 2'000;  // Behind its time.
  int64_t begin_max = 1'000;       // Until a thread takes a work up.
  // A work's effects come at its begin; its end is told so much later.
  int64_t work_max = 30'000;
};

// Whatever the process does takes a time that the seed decides, longer where the process is slow.
// Its closures are events of its node, so they end with it.
//
// Threads: whoever has the turn.
class SimEnv final : public Env {
 public:
  // The world and the files outlive the Env.
  SimEnv(World& world, NodeId node, FileSystem& fs, const Pace& pace)
      : world_(world), node_(node), fs_(fs), pace_(pace) {}

  NodeId node() const { return node_; }

  // All that it does takes so many times as long from here on.
  void SetSlowness(int64_t factor) { slowness_ = factor; }
  // It stands still until then, as a process that is stopped does.
  void PauseUntil(int64_t micros) { paused_until_micros_ = micros; }
  // Its wall clock jumps.
  void JumpWallClock(int64_t micros) { wall_offset_micros_ += micros; }

  int64_t NowMicros() const override;
  int64_t MonotonicMicros() const override { return world_.now_micros(); }
  TimerId After(int64_t delay_micros, Closure callback) override;
  TimerId AtWall(int64_t wall_micros, Closure callback) override;
  void Cancel(TimerId timer) override;
  void Post(Closure callback) override;
  void RunTask(Closure work, Closure done) override { Run(std::move(work), std::move(done)); }
  void RunJob(Closure work, Closure done) override { Run(std::move(work), std::move(done)); }
  FileSystem& fs() override { return fs_; }
  uint64_t Random() override { return world_.Random(); }

  // The works are done, and nothing is posted.
  bool is_idle() const;

 private:
  void Run(Closure work, Closure done);
  // Those of one process come in the order in which their times were.
  int64_t ResumeMicros();
  void RunTimer(TimerId timer, Closure callback);
  void RunPosted(Closure callback);
  void ArmWall(TimerId timer, int64_t wall_micros, Closure callback);
  int64_t Delay(int64_t max_micros) { return world_.Delay(max_micros) * slowness_; }

  World& world_;
  const NodeId node_;
  FileSystem& fs_;
  const Pace pace_;
  int64_t slowness_ = 1;
  int64_t wall_offset_micros_ = 0;
  int64_t paused_until_micros_ = 0;
  int64_t last_resume_micros_ = 0;
  int64_t last_post_micros_ = 0;
  TimerId last_timer_ = kNoTimer;
  std::unordered_map<TimerId, EventId> timers_;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_SIM_ENV_H_
