// What runs an application: what Context and StreamingContext need of it and no more, so that a
// cluster can stand behind it as well as one process.
#ifndef MILLRACE_CLIENT_LOCAL_RUNTIME_H_
#define MILLRACE_CLIENT_LOCAL_RUNTIME_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "client/local/earlier_driver.h"
#include "common/config/conf.h"
#include "common/time/time.h"
#include "driver/batch/streaming_handle.h"
#include "driver/service/driver_handle.h"

namespace millrace {
class FileSystem;
}

namespace millrace::internal {

// Threads: all methods from any thread but the runtime's own; Stop not from a job either, for it
// waits for them.
class Runtime {
 public:
  virtual ~Runtime() = default;

  virtual DriverHandle& driver() = 0;
  // A new streaming run; one at a time. Null once stopped.
  virtual std::shared_ptr<StreamingHandle> NewStreaming() = 0;

  virtual Time Now() = 0;
  // Moves the manual clock on; whatever falls due runs in order.
  virtual void AdvanceClock(std::chrono::milliseconds step) = 0;

  // Cancels what runs and waits for the threads. More calls do nothing more.
  virtual void Stop() = 0;
};

struct RuntimeOptions {
  // Time stands at `start_time` until AdvanceClock.
  bool manual_clock = false;
  Time start_time{0};
  // Rises with every driver of one application, so that their ids differ.
  int64_t driver_epoch = 1;

  // Of the checkpoint from which the application goes on; none: it does not begin with GetOrCreate.
  std::optional<EarlierDriver> earlier_driver;

  // For simulations: what makes the runtime, whatever the master is, and the files that the
  // application sees. Null: as the master says, and the machine's.
  std::function<absl::StatusOr<std::shared_ptr<Runtime>>(const Conf&, const RuntimeOptions&)>
      make_runtime = nullptr;
  FileSystem* fs = nullptr;
};

// As the configuration's master says. Whatever is wrong with the configuration is said before any
// thread starts: InvalidArgument. `fs` outlives the runtime.
absl::StatusOr<std::shared_ptr<Runtime>> StartRuntime(const Conf& conf,
                                                      const RuntimeOptions& options,
                                                      FileSystem& fs);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_LOCAL_RUNTIME_H_
