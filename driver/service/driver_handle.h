// What the API in client/ asks of the driver. Thread-safe: each call posts to the driver core's
// event loop; those that say so wait for it. Never called on the event loop itself.
#ifndef MILLRACE_DRIVER_SERVICE_DRIVER_HANDLE_H_
#define MILLRACE_DRIVER_SERVICE_DRIVER_HANDLE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "driver/batch/streaming_handle.h"
#include "driver/lineage/rdd_node.h"

namespace millrace::internal {

// One action: `root` runs on the given partitions of `rdd`.
struct JobSpec {
  RddRef rdd;
  OperatorRef root;             // Binding kNone (its result goes to the driver) or kOutput (files).
  std::vector<int> partitions;  // In the order in which results are returned.
  std::string output_path;      // Root with binding kOutput.
  std::string description;      // "Print at network_word_count.cc:16"
  int64_t batch_time_ms = -1;
  int output_op_id = -1;
  std::string pool;  // Scheduler pool; empty: default.
};

struct JobResult {
  std::vector<std::string> results;  // What the root returned, by index in JobSpec::partitions.
};

// Merges one encoded update of a task that committed, of a job of that batch (-1: of none). Runs on
// the event loop: must be short and must not block.
using AccumulatorMerge =
    std::function<void(std::string_view encoded_update, int64_t batch_time_ms)>;

class DriverHandle {
 public:
  virtual ~DriverHandle() = default;

  // Ids of data sets, shuffles, states, broadcasts, accumulators; never reused.
  virtual int64_t NewId() = 0;

  // Runs to the end. The error names the operator, its place in the program and the task's reason.
  // Cancelled: the driver stops.
  virtual absl::StatusOr<JobResult> RunJob(JobSpec job) = 0;
  // The same without waiting; `done` runs on the event loop and must be short.
  virtual void SubmitJob(JobSpec job, std::function<void(absl::StatusOr<JobResult>)> done) = 0;

  // Clean-up of what workers hold.
  virtual Lease ShuffleLease(int64_t shuffle_id) = 0;
  virtual Lease CacheLease(int64_t rdd_id) = 0;
  virtual Lease StateLease(int64_t state_id) = 0;

  // Whether lost partitions of states are made again from what was saved of them and the updates
  // since: then what these read must be kept until StateSaved.
  virtual bool repairs_states() const = 0;
  // `load` is an update that starts from nothing and leaves what was saved of the update of its
  // batch time.
  virtual void StateSaved(int64_t state_id, RddRef load) = 0;

  // Makes `encoded` available to tasks as `broadcast_id` until the lease goes.
  virtual Lease PutBroadcast(int64_t broadcast_id, std::string encoded) = 0;
  virtual void RegisterAccumulator(int64_t accumulator_id, AccumulatorMerge merge) = 0;
  virtual void UnregisterAccumulator(int64_t accumulator_id) = 0;

  // Another driver of the application may come after this one, and find its workers with what they
  // have received.
  virtual bool may_be_replaced() const = 0;
  // By which that one asks for them; empty: no daemon knows the application.
  virtual std::string application_id() const = 0;
  // What workers have that an earlier driver has left.
  virtual EarlierBlocks BlocksReceivedBefore() = 0;

  // Slots of all workers: the default number of partitions.
  virtual int total_slots() = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_SERVICE_DRIVER_HANDLE_H_
