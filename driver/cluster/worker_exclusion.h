// Workers on which tasks keep failing, kept free of tasks for a while.
#ifndef MILLRACE_DRIVER_CLUSTER_WORKER_EXCLUSION_H_
#define MILLRACE_DRIVER_CLUSTER_WORKER_EXCLUSION_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "common/env/env.h"
#include "driver/cluster/worker_registry.h"

namespace millrace::internal {

struct ExclusionOptions {
  bool is_enabled = true;
  // How long a worker or a host gets no tasks; then it comes back by itself.
  std::chrono::microseconds timeout{60'000'000};
  // A worker is excluded when as many of the last 64 tasks that ended there have failed there. So
  // many that chance does not come up with them where one task in twenty fails anywhere.
  int max_failed_tasks = 16;
  // A host is excluded while as many of its workers are.
  int64_t max_failed_workers = 2;
};

// A failure is held against a worker only when the same task has succeeded on another one: what
// fails everywhere says nothing about workers. And workers are compared: one is excluded only when
// tasks fail there more than twice as often as on the average of the others.
//
// Threads: the driver core's event loop.
// Invariant: while there are workers, one is usable.
class WorkerExclusion {
 public:
  // `on_back`: some workers take tasks again.
  WorkerExclusion(Env& env, WorkerRegistry& workers, const ExclusionOptions& options,
                  std::function<void()> on_back)
      : env_(env), workers_(workers), options_(options), on_back_(std::move(on_back)) {}

  bool is_enabled() const { return options_.is_enabled; }

  void TaskSucceeded(int64_t worker_id);
  // A task that has succeeded elsewhere since.
  void TaskFailed(int64_t worker_id, const std::string& reason);
  // After it has joined: its host may be excluded.
  void WorkerAdded() { Update(); }
  // After it has left the registry.
  void WorkerLost() { Update(); }

 private:
  bool StandsOut(const Worker& worker) const;
  void Exclude(const Worker& worker, const std::string& reason);
  void ExcludeHostIfManyAre(const std::string& host, const std::string& reason);
  void Update();

  Env& env_;
  WorkerRegistry& workers_;
  const ExclusionOptions options_;
  const std::function<void()> on_back_;

  // Until when, by the monotonic clock in microseconds.
  absl::btree_map<int64_t, int64_t> workers_until_;
  absl::btree_map<std::string, int64_t> hosts_until_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_CLUSTER_WORKER_EXCLUSION_H_
