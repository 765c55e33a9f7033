// The Env of a running process: an event loop, task threads, job threads, the real clocks.
#ifndef MILLRACE_COMMON_ENV_REAL_ENV_H_
#define MILLRACE_COMMON_ENV_REAL_ENV_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/random/random.h"
#include "absl/synchronization/mutex.h"
#include "common/concurrent/event_loop.h"
#include "common/concurrent/thread_pool.h"
#include "common/env/env.h"

namespace millrace {

// Threads: as Env says; the other methods from any thread but this Env's own.
class RealEnv : public Env {
 public:
  struct Options {
    std::string name = "core";
    int task_threads = 1;
    // User code that runs on the driver: jobs, graph generation, listeners. They may wait for one
    // another's results, so there are more than run at a time.
    int job_threads = 4;
    // How long idle threads look for work before they sleep.
    std::chrono::microseconds spin_max{0};
    // The wall clock stands at 0 and moves by AdvanceWall alone.
    bool manual_wall_clock = false;
  };

  // `fs` outlives the Env.
  RealEnv(Options options, FileSystem& fs);
  ~RealEnv() override;  // Stops.

  int64_t NowMicros() const override;
  int64_t MonotonicMicros() const override;
  TimerId After(int64_t delay_micros, Closure callback) override;
  TimerId AtWall(int64_t wall_micros, Closure callback) override;
  void Cancel(TimerId timer) override;
  void Post(Closure callback) override;
  void PostAndRun(Closure callback) override;
  // Job threads help, and no other thread: tasks are user code.
  void PostAndHelp(Closure callback, absl::FunctionRef<bool()> is_done) override;
  void RunTask(Closure work, Closure done) override;
  void RunJob(Closure work, Closure done) override;
  FileSystem& fs() override { return fs_; }
  uint64_t Random() override;

  // Moves the manual wall clock. Timers that fall due run on the loop, in their order, before what
  // is posted after this returns. The caller holds no lock: it may run the loop itself.
  void AdvanceWall(std::chrono::microseconds step);

  // Ends job and task threads, which run what they have, then the loop. Later closures are
  // dropped. More calls do nothing more.
  void Stop();

 private:
  void RunOn(ThreadPool& pool, Closure work, Closure done);
  void ArmWall(TimerId timer, int64_t wall_micros, Closure callback);
  void RunDueManualTimers();
  Closure TakeDueManualTimer();

  const Options options_;
  FileSystem& fs_;

  // The loop thread's own. Ids of wall timers are told from the loop's by their top bit.
  TimerId last_wall_timer_;
  absl::flat_hash_map<TimerId, EventLoop::TimerId> wall_timers_;
  absl::BitGen random_;

  mutable absl::Mutex manual_mutex_;
  int64_t manual_now_micros_ ABSL_GUARDED_BY(manual_mutex_) = 0;
  // By time, then in the order in which they were set.
  absl::btree_map<std::pair<int64_t, TimerId>, Closure> manual_timers_
      ABSL_GUARDED_BY(manual_mutex_);

  // Last, so that the threads end before what they use.
  EventLoop loop_;
  ThreadPool task_pool_;
  ThreadPool job_pool_;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_ENV_REAL_ENV_H_
