// The worker processes of a simulated driver, and who is connected with whom.
#ifndef MILLRACE_TESTS_SIM_SIM_WORKERS_H_
#define MILLRACE_TESTS_SIM_SIM_WORKERS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "client/cluster/worker_fleet.h"
#include "client/cluster/worker_launcher.h"
#include "common/env/env.h"
#include "common/memory/compression.h"
#include "tests/sim/cluster.h"
#include "tests/sim/sim_worker.h"

namespace millrace::sim {

struct WorkerSettings {
  int task_slots = 2;
  size_t memory_bytes = size_t{64} << 20;
  size_t shuffle_message_bytes = size_t{1} << 20;
  CompressionCodec shuffle_codec = CompressionCodec::kNone;
};

// Launches workers, carries their messages to and from the driver as gRPC does, and ends them.
//
// Threads: whoever has the turn; the driver's side is called as events of the driver's node.
class SimWorkers final : public DriverTransport, public internal::WorkerLauncher {
 public:
  // The cluster outlives the workers.
  SimWorkers(Cluster& cluster, const WorkerSettings& settings)
      : cluster_(cluster), launcher_(cluster.NewNode()), settings_(settings) {}
  ~SimWorkers() override;

  // Before the first launch. Workers that a driver before has left call this one, each at its time.
  void SetDriver(NodeId driver, internal::WorkerFleet& fleet);
  // For the driver that takes the place of one that is gone.
  std::vector<int64_t> Left() const;
  // No worker will come any more.
  bool is_stopped() const { return is_stopped_; }

  // WorkerLauncher
  absl::Status Start(const internal::WorkerSpec& /*spec*/, Listener& /*listener*/) override {
    return absl::OkStatus();
  }
  void Launch(int64_t worker_id) override;
  // A worker may live on for a moment, as one that cannot be reached does.
  void Kill(int64_t worker_id) override;
  void Stop() override;

  // DriverTransport
  void SendToWorker(int64_t worker_id, proto::ToWorker message) override;
  void DisconnectWorker(int64_t worker_id, const absl::Status& reason) override;

  // -- For the workers --------------------------------------------------------------------------

  Cluster& cluster() { return cluster_; }
  NodeId driver() const { return driver_; }
  bool has_driver() const { return has_driver_; }
  const WorkerSettings& settings() const { return settings_; }
  // Null: its process has ended.
  SimWorker* Find(int64_t worker_id) const;
  // At the driver: a message of a worker, whose first is its hello.
  void OnMessage(const DriverConnection& connection, proto::ToDriver message);
  // Its process ends after `delay_micros`, whatever it does.
  void EndLater(int64_t worker_id, int64_t delay_micros, const std::string& reason);

  // -- Faults, and what is looked at ------------------------------------------------------------

  // Told of each one that its driver has given up, and of each that is about to be gone.
  using OnEnd = std::function<void(SimWorker& worker)>;
  void SetOnEnd(OnEnd on_end) { on_end_ = std::move(on_end); }
  // Its process may live on for a while, but nothing that it has counts.
  bool is_given_up(int64_t worker_id) const { return given_up_.contains(worker_id); }
  // When a process last came, went or was given up.
  int64_t changed_micros() const { return changed_micros_; }
  // Whose processes live.
  const std::map<int64_t, std::unique_ptr<SimWorker>>& alive() const { return workers_; }
  // The process is gone, at once. As an event, or between events.
  void Crash(int64_t worker_id, const std::string& reason);
  // The same in the midst of its files, before the change behind so many others, if it comes to
  // that.
  void CrashBetweenFiles(int64_t worker_id, int64_t changes, const std::string& reason);
  // The driver's process is gone: all end, each at its time.
  void LoseDriver();
  // The same, but they wait for the next one. What the driver that is gone still asks for is not
  // heard.
  void OutliveDriver();
  // Both ends learn of it, each at its time; until then either may hear what was under way. The
  // worker calls again, and is refused: as one that is connected, or that was given up.
  void BreakConnection(int64_t worker_id);

 private:
  void LoseMachine(const ProcessFiles& files);
  // The driver will learn that the connection has ended.
  void TellDriver(int64_t worker_id, const std::string& reason);
  // At the driver, as GrpcDriverTransport does it.
  absl::Status Admit(const DriverConnection& connection, const proto::ToDriver& message);

  Cluster& cluster_;
  const NodeId launcher_;
  NodeId driver_ = kNobody;
  const WorkerSettings settings_;
  internal::WorkerFleet* fleet_ = nullptr;
  bool has_driver_ = false;
  bool is_stopped_ = false;
  std::set<int64_t> launching_;
  int64_t changed_micros_ = 0;
  OnEnd on_end_;
  std::map<int64_t, std::unique_ptr<SimWorker>> workers_;
  std::map<int64_t, DriverConnection> connections_;  // As the driver sees it.
  std::set<int64_t> given_up_;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_SIM_WORKERS_H_
