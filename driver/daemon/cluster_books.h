// Who has what of a cluster: its executors, its applications, and the workers between them.
#ifndef MILLRACE_DRIVER_DAEMON_CLUSTER_BOOKS_H_
#define MILLRACE_DRIVER_DAEMON_CLUSTER_BOOKS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "driver/daemon/allocation.h"
#include "driver/daemon/daemon_peers.h"
#include "proto/application.pb.h"
#include "proto/daemon_state.pb.h"
#include "proto/submit.pb.h"

namespace millrace {

// What an executor has in use is what its workers have, whoever they belong to.
//
// Threads: one at a time; of DriverDaemon, which knows what to do about what is here.
class ClusterBooks {
 public:
  struct Executor {
    proto::RegisterExecutor info;
    SessionId session = kNoSession;
    int64_t heard_micros = 0;  // Monotonic.
    int cores_used = 0;
    int64_t memory_mb_used = 0;
  };
  struct Worker {
    std::string executor_id;
    int cores = 0;
    int64_t memory_mb = 0;
    int64_t launched_micros = 0;  // Monotonic.
    bool is_released = false;     // It was told to end.
    // An executor daemon has named it, and its application has not yet.
    bool is_unconfirmed = false;
  };
  struct Application {
    proto::ApplicationRecord record;
    proto::RegisterApplication info;  // Empty until it has registered with this daemon.
    std::string driver_address;       // Of the last worker that was started.
    SessionId session = kNoSession;
    int64_t heard_micros = 0;       // Monotonic; when its connection broke, when it has none.
    int64_t registered_micros = 0;  // Monotonic.
    bool is_recovered = false;      // From the disk, and its workers may be on their way.
    bool is_ending = false;         // It has told its workers to end.
    std::map<int64_t, Worker> workers;
    std::deque<proto::RequestWorker> requests;  // In the order in which they came.
    // After a restart: workers that it believes to run and that no executor has named yet.
    std::set<int64_t> claimed;
    std::string waiting;  // Why it gets none of the workers that it wants.
    int failures_in_a_row = 0;
    int64_t launch_after_micros = 0;  // Monotonic: not again at once what fails at once.
    uint64_t order = 0;               // In which they came.
  };

  // `cores_default`: of an application that does not say; 0: all. `is_spread`: Allocate.
  ClusterBooks(int cores_default, bool is_spread)
      : is_spread(is_spread), cores_default_(cores_default) {}

  std::map<std::string, Executor> executors;        // By id.
  std::map<std::string, Application> applications;  // By id.
  const bool is_spread;

  Application& AddApplication(proto::ApplicationRecord record);
  Executor* ExecutorOf(SessionId session);
  // Of those that have registered.
  Application* ApplicationOf(SessionId session);

  // On its executor, which is there.
  Worker& PlaceWorker(Application& application, int64_t worker_id, Worker worker);
  // None: there is no such worker.
  std::optional<Worker> RemoveWorker(Application& application, int64_t worker_id);

  std::vector<NodeFacts> Nodes() const;
  ApplicationFacts FactsOf(const Application& application) const;
  // Of the workers that there is room for; when there is none, that there would be in an empty
  // cluster, for which it is worth to wait.
  std::vector<int> CoresFor(const proto::Demand& demand) const;

  proto::ApplicationStatus StatusOf(const Application& application) const;
  std::vector<proto::ExecutorStatus> ExecutorStatuses(int64_t now_micros) const;

 private:
  const int cores_default_;
  uint64_t last_order_ = 0;
};

}  // namespace millrace

#endif  // MILLRACE_DRIVER_DAEMON_CLUSTER_BOOKS_H_
