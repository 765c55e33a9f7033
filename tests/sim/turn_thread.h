// A thread that runs only when it has the turn.
#ifndef MILLRACE_TESTS_SIM_TURN_THREAD_H_
#define MILLRACE_TESTS_SIM_TURN_THREAD_H_

#include <cstdint>
#include <optional>
#include <semaphore>
#include <thread>

#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/concurrent/thread_wait.h"

namespace millrace::sim {

// Runs works, one after the other. It gives the turn back when its work waits or has ended.
//
// Threads: the world's, but for Await, which is this thread's own.
class TurnThread final : private ThreadWaiter {
 public:
  // What its waits would have taken once it is given up is added to `skipped_micros`, so that
  // deadlines pass.
  explicit TurnThread(int64_t& skipped_micros);
  ~TurnThread() override;  // It has no work.
  TurnThread(const TurnThread&) = delete;
  TurnThread& operator=(const TurnThread&) = delete;

  // It gets the turn with the next call of Run.
  void Give(absl::AnyInvocable<void()> work);
  // Until the work waits or has ended.
  void Run();

  bool has_work() const { return has_work_; }
  // What it waits for is there.
  bool MayGoOn() const ABSL_NO_THREAD_SAFETY_ANALYSIS;
  // How long it waits at most.
  absl::Duration timeout() const { return wait_->timeout; }
  // Whether the caller runs on such a thread.
  static bool IsCurrent();
  // This work never waits again: its time is always over.
  void GiveUp() { is_given_up_ = true; }

 private:
  struct Wait {
    absl::Mutex* mutex;
    const absl::Condition* condition;
    absl::Duration timeout;
  };

  bool Await(absl::Mutex& mutex, const absl::Condition& condition,
             absl::Duration timeout) override ABSL_NO_THREAD_SAFETY_ANALYSIS;
  void Loop();

  int64_t& skipped_micros_;
  std::binary_semaphore own_turn_{0};
  std::binary_semaphore world_turn_{0};

  // Of whoever has the turn.
  absl::AnyInvocable<void()> work_;
  bool has_work_ = false;
  bool is_given_up_ = false;
  bool is_ending_ = false;
  std::optional<Wait> wait_;

  std::thread thread_;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_TURN_THREAD_H_
