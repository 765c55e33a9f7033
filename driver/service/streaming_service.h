// StreamingHandle for threads that are not the event loop.
#ifndef MILLRACE_DRIVER_SERVICE_STREAMING_SERVICE_H_
#define MILLRACE_DRIVER_SERVICE_STREAMING_SERVICE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/concurrent/watched.h"
#include "common/env/env.h"
#include "driver/batch/streaming_handle.h"
#include "driver/batch/streaming_run.h"

namespace millrace::internal {

// Who owns the run and passes messages on to it: the driver core. Called on the event loop.
class StreamingHost {
 public:
  virtual ~StreamingHost() = default;
  // FailedPrecondition: one is under way. The run is the host's and lives until the host ends it,
  // after it has stopped.
  virtual absl::StatusOr<StreamingRun*> BeginStreaming(StreamingSpec spec,
                                                       StreamingRun::Observer observer) = 0;
};

// Threads: any but the event loop. It may go while the run still stops: what the run tells is kept
// by shared ownership.
class StreamingService : public StreamingHandle {
 public:
  // Both outlive the run.
  StreamingService(Env& env, StreamingHost& host) : env_(env), host_(host) {}

  absl::Status Start(StreamingSpec spec) override;
  void Stop(bool graceful) override;
  StreamingResult Await(std::chrono::milliseconds timeout) override;
  bool AwaitStopped(std::chrono::milliseconds timeout) override;
  void AddListener(std::shared_ptr<StreamingListener> listener, std::string name,
                   ListensTo to) override;
  absl::Status AwaitBatch(Time batch_time, std::chrono::milliseconds timeout) override;

  // Nothing of the run is told any more, so this tells that it has stopped.
  void EnvStopped();

 private:
  // What is known of the run.
  struct Progress {
    bool is_start_decided = false;
    absl::Status start_status;
    absl::Status error;  // The latest.
    bool is_stopped = false;
    std::map<Time, absl::Status> completed;  // Of the latest batches.
  };
  struct AddedListener {
    std::shared_ptr<StreamingListener> listener;
    std::string name;
    ListensTo to;
  };
  // Of the event loop alone.
  struct LoopState {
    StreamingRun* run = nullptr;           // Null before the start and after the stop.
    std::vector<AddedListener> listeners;  // Before the start.
  };
  using SharedProgress = std::shared_ptr<Watched<Progress>>;
  using SharedLoopState = std::shared_ptr<LoopState>;

  static void StartOnLoop(StreamingHost& host, StreamingSpec spec, const SharedProgress& progress,
                          const SharedLoopState& loop_state);

  Env& env_;
  StreamingHost& host_;
  const SharedProgress progress_ = std::make_shared<Watched<Progress>>();
  const SharedLoopState loop_state_ = std::make_shared<LoopState>();
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_SERVICE_STREAMING_SERVICE_H_
