// The only way by which the driver core and the worker core reach the world.
//
// A core is a state machine on one event loop: it reacts to messages and timers, owns no thread,
// takes no lock and reads no clock of its own. `RealEnv` runs it on a thread; `SimEnv` runs a whole
// cluster in one thread over virtual time, where a seed decides every order.
#ifndef MILLRACE_COMMON_ENV_ENV_H_
#define MILLRACE_COMMON_ENV_ENV_H_

#include <cstdint>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"

namespace millrace {

class FileSystem;

namespace proto {
class ToDriver;
class ToWorker;
}  // namespace proto

using Closure = absl::AnyInvocable<void()>;
using TimerId = uint64_t;
inline constexpr TimerId kNoTimer = 0;

// Threads: every method but `Post` and `PostAndRun` is called on the core's own event loop, and
// every callback runs there, one at a time. Those two may be called from any thread.
class Env {
 public:
  virtual ~Env() = default;

  // Wall clock, microseconds since the epoch. It may jump.
  virtual int64_t NowMicros() const = 0;
  // Never goes back; its zero means nothing.
  virtual int64_t MonotonicMicros() const = 0;

  // Runs `callback` once, `delay_micros` (>= 0) from now on the monotonic clock.
  virtual TimerId After(int64_t delay_micros, Closure callback) = 0;
  // Runs `callback` once, when the wall clock shows `wall_micros` or later. The wall clock is the
  // manual clock in tests.
  virtual TimerId AtWall(int64_t wall_micros, Closure callback) = 0;
  // After this returns the callback will not run; unknown and fired ids are fine.
  virtual void Cancel(TimerId timer) = 0;

  // Runs `callback` on the event loop, after everything posted before it.
  virtual void Post(Closure callback) = 0;
  // The same for a thread that will wait for what comes of it: it may run the event loop itself
  // until this returns, so it must hold no lock that a callback takes.
  virtual void PostAndRun(Closure callback) { Post(std::move(callback)); }

  // Runs `work` (operators, user code of a task) on a task thread, then `done` on the event loop.
  virtual void RunTask(Closure work, Closure done) = 0;
  // The same on a job thread: user code that belongs to the driver. Any number may wait for one
  // another; they run in parallel up to the pool's size.
  virtual void RunJob(Closure work, Closure done) = 0;

  virtual FileSystem& fs() = 0;
  virtual uint64_t Random() = 0;
};

// How messages leave a core. They arrive in order between two nodes, or not at all: a lost
// connection is reported to the cores by their owner.
class DriverTransport {
 public:
  virtual ~DriverTransport() = default;
  virtual void SendToWorker(int64_t worker_id, proto::ToWorker message) = 0;
  // The driver has given the worker up: nothing passes any more in either direction, and the worker
  // is told why if it still listens. Unknown workers are fine.
  virtual void DisconnectWorker(int64_t worker_id, const absl::Status& reason) = 0;
};

class WorkerTransport {
 public:
  virtual ~WorkerTransport() = default;
  virtual void SendToDriver(proto::ToDriver message) = 0;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_ENV_ENV_H_
