// A simulated worker process.
#ifndef MILLRACE_TESTS_SIM_SIM_WORKER_H_
#define MILLRACE_TESTS_SIM_SIM_WORKER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/env/env.h"
#include "executor/service/worker_node.h"
#include "tests/sim/process_files.h"
#include "tests/sim/sim_env.h"
#include "tests/sim/sim_peers.h"

namespace millrace::sim {

class SimWorkers;

// Of a worker that is failing.
inline constexpr const char* kFailingReason = "it fails on this worker alone";

// The two directions between a worker and its driver.
struct DriverConnection {
  Network::ChannelRef up;  // To the driver.
  Network::ChannelRef down;
};

// The product's worker on a simulated Env and connections.
//
// Threads: whoever has the turn.
class SimWorker final : private WorkerTransport {
 public:
  SimWorker(SimWorkers& owner, int64_t worker_id);

  // Calls its driver, or the one that took its place.
  void Begin();
  // Its driver is gone.
  void LoseDriver();
  // It has learned that the connection broke: calls again, unless it has another one.
  void LoseConnection(const DriverConnection& connection);

  int64_t id() const { return id_; }
  NodeId node() const { return env_.node(); }
  SimEnv& env() { return env_; }
  internal::WorkerNode& worker() { return worker_; }
  SimPeers& peers() { return peers_; }
  ProcessFiles& files() { return files_; }
  const DriverConnection& connection() const { return connection_; }

  // While it is so, tasks that have done their work say that they have failed.
  void SetFailing(bool is_failing) { is_failing_ = is_failing; }

  // From its driver, or from one before. Of a connection whose end it has been told nothing comes
  // any more but what the epoch alone tells from what the next driver says.
  void OnMessage(const DriverConnection& connection, proto::ToWorker message);

 private:
  void SendToDriver(proto::ToDriver message) override;
  void Disconnect();

  SimWorkers& owner_;
  const int64_t id_;
  ProcessFiles files_;
  SimEnv env_;
  SimPeers peers_;
  DriverConnection connection_;
  // On which what a driver that is gone had sent may still come.
  std::vector<DriverConnection> earlier_connections_;
  internal::WorkerNode worker_;
  bool is_disconnected_ = false;
  bool is_failing_ = false;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_SIM_WORKER_H_
