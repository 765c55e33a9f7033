// Gives a streaming run more workers when its batches take too long, and fewer when they idle.
#ifndef MILLRACE_DRIVER_BATCH_WORKER_SCALER_H_
#define MILLRACE_DRIVER_BATCH_WORKER_SCALER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

#include "common/env/env.h"
#include "driver/block/worker_data.h"
#include "driver/cluster/scaling_policy.h"
#include "driver/cluster/worker_registry.h"
#include "driver/cluster/worker_supply.h"

namespace millrace::internal {

// While workers that were asked for have not come, nothing is decided: what they will change is
// not seen yet.
//
// Of the workers without a receiver and without a block that nobody else has, the one goes that
// keeps the least state and the fewest cached partitions. It gets no new tasks from then on, but
// for those whose state is there, and ends between two batches, when none of its tasks runs. What
// it kept is made again as after a crash. If it is busy for a whole interval, it stays.
//
// Threads: the driver core's event loop.
// Invariant: at most one worker is retiring.
class WorkerScaler {
 public:
  // All outlive the scaler.
  struct Parts {
    Env& env;
    WorkerRegistry& workers;
    WorkerData& data;
    WorkerSupply& supply;
    std::function<bool(int64_t worker_id)> has_receiver;
  };
  WorkerScaler(Parts parts, ScalingOptions options, std::chrono::milliseconds batch_interval);
  ~WorkerScaler() { Stop(); }
  WorkerScaler(const WorkerScaler&) = delete;
  WorkerScaler& operator=(const WorkerScaler&) = delete;

  void Start();
  void Stop();
  // `processing`: of a batch that was successful.
  void BatchCompleted(std::optional<std::chrono::microseconds> processing);

 private:
  void DecideLater();
  void Decide();
  void BeginRetiring();
  void StopRetiring();
  void RetireIfIdle();
  // None: all are needed where they are.
  Worker* Cheapest() const;

  const Parts parts_;
  const ScalingOptions options_;
  ScalingPolicy policy_;
  TimerId timer_ = kNoTimer;
  std::optional<int64_t> retiring_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_BATCH_WORKER_SCALER_H_
