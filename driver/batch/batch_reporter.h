// Writes a batch's record of itself and tells listeners.
#ifndef MILLRACE_DRIVER_BATCH_BATCH_REPORTER_H_
#define MILLRACE_DRIVER_BATCH_BATCH_REPORTER_H_

#include <cstddef>

#include "common/env/env.h"
#include "driver/batch/running_batch.h"
#include "driver/event/listener_bus.h"

namespace millrace::internal {

// Called in the order of the steps: submitted, begun, each job started and done, completed.
//
// Threads: the driver core's event loop.
class BatchReporter {
 public:
  BatchReporter(Env& env, ListenerBus& bus) : env_(env), bus_(bus) {}

  // It would be submitted now if there were not so many before it: its delay counts from here.
  void Due(RunningBatch& batch) const;
  void Submitted(RunningBatch& batch);
  void Begun(RunningBatch& batch);
  void JobStarted(RunningBatch& batch, size_t job);
  // What a stop has cut short is told to those who follow the batch, but is no trouble.
  void JobDone(RunningBatch& batch, size_t job, bool was_cut_short);
  void Completed(RunningBatch& batch);

 private:
  Time Now() const;

  Env& env_;
  ListenerBus& bus_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_BATCH_BATCH_REPORTER_H_
