// What stands behind a Context: its runtime and what handles share.
#ifndef MILLRACE_CLIENT_LOCAL_CONTEXT_CORE_H_
#define MILLRACE_CLIENT_LOCAL_CONTEXT_CORE_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "client/local/driver_gate.h"
#include "client/local/runtime.h"
#include "client/rdd/context_state.h"
#include "driver/event/streaming_listener.h"

namespace millrace::internal {

class StreamingCore;

// A context that cannot run (unknown master, wrong value, ...) can still be built upon: what is
// wrong comes back from Start() and from every action.
//
// Threads: any; the destructor not from the runtime's own, for it waits for them.
class ContextCore {
 public:
  // `conf` is the program's; flags and defaults come below it.
  ContextCore(const Conf& conf, const RuntimeOptions& options);
  ~ContextCore();
  ContextCore(const ContextCore&) = delete;
  ContextCore& operator=(const ContextCore&) = delete;

  // Why nothing can run.
  const absl::Status& status() const { return status_; }
  const ContextRef& state() const { return state_; }
  // What hears of every streaming run of the application; null: millrace.eventLog.enabled is off.
  const std::shared_ptr<StreamingListener>& event_log() const { return event_log_; }
  // Null when the context cannot run or has stopped.
  std::shared_ptr<Runtime> runtime() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The run that Stop stops first; the last one counts.
  void SetStreaming(std::weak_ptr<StreamingCore> streaming) ABSL_LOCKS_EXCLUDED(mutex_);
  bool has_manual_clock() const { return runtime_options_.manual_clock; }
  // A function that the engine runs only asks for it: see StreamingCore.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  // Another driver with workers of its own takes the place of this one, which goes as in a crash;
  // the clock goes on where it stood. For tests; nothing else may use the context meanwhile.
  absl::Status RestartRuntime() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void StopRuntime() ABSL_LOCKS_EXCLUDED(mutex_);

  RuntimeOptions runtime_options_;  // Of the present runtime.
  // Constant after construction.
  absl::Status status_;
  std::shared_ptr<DriverGate> gate_;
  ContextRef state_;
  std::shared_ptr<StreamingListener> event_log_;

  mutable absl::Mutex mutex_;
  std::shared_ptr<Runtime> runtime_ ABSL_GUARDED_BY(mutex_);
  std::weak_ptr<StreamingCore> streaming_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_LOCAL_CONTEXT_CORE_H_
