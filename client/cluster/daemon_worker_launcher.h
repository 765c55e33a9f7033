// Workers that the driver daemon of a cluster has started on its nodes.
#ifndef MILLRACE_CLIENT_CLUSTER_DAEMON_WORKER_LAUNCHER_H_
#define MILLRACE_CLIENT_CLUSTER_DAEMON_WORKER_LAUNCHER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cluster/worker_launcher.h"
#include "common/concurrent/event_loop.h"
#include "common/concurrent/watched.h"
#include "common/rpc/rpc_security.h"
#include "proto/application.pb.h"

namespace grpc {
class Channel;
}

namespace millrace::internal {

class DaemonConnection;

// The application's conversation with the driver daemon, from the application's registration to its
// end. When the connection breaks it is opened again, and workers live on meanwhile.
//
// Threads: as WorkerLauncher says. It has an event loop of its own.
class DaemonWorkerLauncher final : public WorkerLauncher {
 public:
  struct Options {
    std::shared_ptr<const RpcSecurity> security;
    // Whose program and files are there already; without an id.
    proto::RegisterApplication registration;
    // Called when the daemon gives the application up, as when its workers fail again and again: it
    // will get no more workers. On the event loop.
    std::function<void(const absl::Status&)> on_given_up;
  };

  // Registers the application with the daemon at the other end of `channel`. Blocks. Errors say
  // what is wrong, or that no daemon is there.
  static absl::StatusOr<std::unique_ptr<DaemonWorkerLauncher>> Register(
      Options options, const std::shared_ptr<grpc::Channel>& channel);
  ~DaemonWorkerLauncher() override;  // Stops.

  const std::string& application_id() const { return application_id_; }
  // Of this driver among those of the application.
  int64_t epoch() const { return epoch_; }
  // Workers that the driver before has left: they come by themselves once Start has said where.
  const std::vector<int64_t>& left_workers() const { return left_workers_; }
  // The cores of each worker that there was room for at the registration.
  const std::vector<int>& possible_cores() const { return possible_cores_; }

  absl::Status Start(const WorkerSpec& spec, Listener& listener) override;
  void Launch(int64_t worker_id) override;
  void Kill(int64_t worker_id) override;
  void Stop() override;

 private:
  struct Worker {
    int cores = 1;
    bool is_launched = false;
    bool is_released = false;
  };
  struct Progress {
    bool is_registered = false;
    absl::Status failure;
    bool has_no_workers = true;
    bool is_closed = false;
  };

  DaemonWorkerLauncher(Options options, const std::shared_ptr<grpc::Channel>& channel);

  // Of the event loop.
  void Connect();
  void OnMessage(const proto::ToApplication& message);
  void OnRegistered(const proto::ApplicationRegistered& registered);
  void OnClosed(const absl::Status& status);
  void OnWorkerLost(int64_t worker_id, const std::string& reason);
  void SendRequest(int64_t worker_id, const Worker& worker);
  void SendRelease(int64_t worker_id);
  void SendMoved();
  void ScheduleHeartbeat(std::chrono::milliseconds interval);

  const Options options_;
  const std::unique_ptr<DaemonConnection> connection_;
  Watched<Progress> progress_;

  // Fixed once it has registered, or started.
  std::string application_id_;
  int64_t epoch_ = 1;
  std::vector<int64_t> left_workers_;
  std::vector<int> possible_cores_;
  WorkerSpec spec_;

  // The event loop's.
  Listener* listener_ = nullptr;
  std::map<int64_t, Worker> workers_;  // Asked for, and not lost.
  std::vector<int> free_cores_;        // Sizes of workers that may be asked for, the largest last.
  bool is_registered_ = false;
  bool is_stopping_ = false;
  bool was_given_up_ = false;
  EventLoop::TimerId heartbeat_timer_ = 0;  // 0: none.

  // Last, so that it ends before what it uses.
  EventLoop loop_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_CLUSTER_DAEMON_WORKER_LAUNCHER_H_
