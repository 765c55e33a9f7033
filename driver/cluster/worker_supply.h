// Where an application's workers come from, as the driver core sees it.
#ifndef MILLRACE_DRIVER_CLUSTER_WORKER_SUPPLY_H_
#define MILLRACE_DRIVER_CLUSTER_WORKER_SUPPLY_H_

#include <cstdint>
#include <string>

namespace millrace::internal {

// Threads: the driver core's event loop.
class WorkerSupply {
 public:
  virtual ~WorkerSupply() = default;

  // Workers that are there or on their way: one that is lost is replaced, so it counts.
  virtual int count() const = 0;
  // More cannot come from here.
  virtual int count_max() const = 0;
  virtual void Add(int workers) = 0;
  // Ends a worker, and none takes its place. For the driver core it is lost when this returns.
  virtual void Retire(int64_t worker_id, const std::string& reason) = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_CLUSTER_WORKER_SUPPLY_H_
