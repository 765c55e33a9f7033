#include "tests/sim/sim_workers.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "glog/logging.h"

namespace millrace::sim {
namespace {

constexpr int64_t kLaunchMicrosMax = 500'000;
constexpr int64_t kKillMicrosMax = 20'000;
// One that the launcher does not reach at once.
constexpr int64_t kLateKillMicrosMax = 3'000'000;
constexpr int64_t kStopGraceMicros = 3'000'000;
// Until a process learns that another one has gone.
constexpr int64_t kNoticeMicrosMax = 50'000;
// A worker that has lost its connection calls again, is refused, and ends.
constexpr int64_t kRefusedMicrosMax = 400'000;
// One that waits for the next driver finds it.
constexpr int64_t kFoundMicrosMax = 500'000;

}  // namespace

SimWorkers::~SimWorkers() { CHECK(workers_.empty()); }

SimWorker* SimWorkers::Find(int64_t worker_id) const {
  const auto worker = workers_.find(worker_id);
  return worker == workers_.end() ? nullptr : worker->second.get();
}

void SimWorkers::SetDriver(NodeId driver, internal::WorkerFleet& fleet) {
  driver_ = driver;
  fleet_ = &fleet;
  has_driver_ = true;
  World& world = cluster_.world;
  for (const auto& [id, worker] : workers_) {
    if (given_up_.contains(id)) continue;
    world.After(world.Delay(kFoundMicrosMax), worker->node(), EventKind::kProcess,
                [worker = worker.get()] { worker->Begin(); });
  }
}

std::vector<int64_t> SimWorkers::Left() const {
  std::vector<int64_t> left(launching_.begin(), launching_.end());
  for (const auto& [id, worker] : workers_) left.push_back(id);
  std::erase_if(left, [this](int64_t id) { return given_up_.contains(id); });
  return left;
}

void SimWorkers::OutliveDriver() {
  if (!std::exchange(has_driver_, false)) return;
  connections_.clear();
  World& world = cluster_.world;
  for (const auto& [id, worker] : workers_) {
    world.After(world.Delay(kNoticeMicrosMax), worker->node(), EventKind::kProcess,
                [worker = worker.get()] { worker->LoseDriver(); });
  }
}

void SimWorkers::Launch(int64_t worker_id) {
  if (!has_driver_) return;
  launching_.insert(worker_id);
  cluster_.world.After(cluster_.world.Delay(kLaunchMicrosMax), launcher_, EventKind::kProcess,
                       [this, worker_id] {
                         launching_.erase(worker_id);
                         auto worker = std::make_unique<SimWorker>(*this, worker_id);
                         SimWorker& begun = *worker;
                         workers_[worker_id] = std::move(worker);
                         changed_micros_ = cluster_.world.now_micros();
                         if (has_driver_) begun.Begin();
                       });
}

void SimWorkers::Kill(int64_t worker_id) {
  if (!has_driver_) return;
  World& world = cluster_.world;
  if (SimWorker* const worker = Find(worker_id);
      given_up_.insert(worker_id).second && worker != nullptr) {
    changed_micros_ = world.now_micros();
    if (on_end_) on_end_(*worker);
  }
  EndLater(worker_id, world.Delay(world.OneIn(4) ? kLateKillMicrosMax : kKillMicrosMax),
           "it was killed by signal 9 (Killed)");
}

void SimWorkers::EndLater(int64_t worker_id, int64_t delay_micros, const std::string& reason) {
  cluster_.world.After(delay_micros, launcher_, EventKind::kProcess,
                       [this, worker_id, reason] { Crash(worker_id, reason); });
}

void SimWorkers::Crash(int64_t worker_id, const std::string& reason) {
  const auto found = workers_.find(worker_id);
  if (found == workers_.end()) return;
  World& world = cluster_.world;
  if (on_end_) on_end_(*found->second);
  changed_micros_ = world.now_micros();
  const NodeId node = found->second->node();
  const DriverConnection connection = found->second->connection();
  connection.up->Close();
  connection.down->Close();
  found->second->files().End();
  world.Kill(node);
  if (world.OneIn(2)) LoseMachine(found->second->files());
  std::unique_ptr<SimWorker> ended = std::move(found->second);
  workers_.erase(found);
  ended.reset();
  if (!cluster_.network.is_blocked(node, driver_)) TellDriver(worker_id, "its connection ended");
  world.After(world.Delay(kNoticeMicrosMax), driver_, EventKind::kProcess,
              [this, worker_id, reason] { fleet_->OnWorkerExited(worker_id, reason); });
  for (const auto& [id, other] : workers_) {
    if (cluster_.network.is_blocked(node, other->node())) continue;
    world.After(world.Delay(kNoticeMicrosMax), other->node(), EventKind::kProcess,
                [peer = other.get(), worker_id] {
                  peer->peers().Break(worker_id, "its process has ended");
                });
  }
}

void SimWorkers::CrashBetweenFiles(int64_t worker_id, int64_t changes, const std::string& reason) {
  SimWorker& worker = *Find(worker_id);
  worker.files().EndAfter(changes, [this, worker_id, reason, node = worker.node()] {
    cluster_.network.Silence(node);
    EndLater(worker_id, 0, reason);
  });
}

// What it had written and not synced is on the disk as far as it came.
void SimWorkers::LoseMachine(const ProcessFiles& files) {
  cluster_.fs.LoseUnsynced([&](const std::string& path, size_t bytes) {
    if (!files.HasWritten(path)) return bytes;
    return static_cast<size_t>(cluster_.world.Between(0, static_cast<int64_t>(bytes)));
  });
}

void SimWorkers::LoseDriver() {
  for (const auto& [id, worker] : workers_) {
    EndLater(id, cluster_.world.Delay(kRefusedMicrosMax), "it exited with code 1");
  }
}

void SimWorkers::BreakConnection(int64_t worker_id) {
  SimWorker* const worker = Find(worker_id);
  if (worker == nullptr) return;
  World& world = cluster_.world;
  const DriverConnection connection = worker->connection();
  if (world.OneIn(2)) {
    connection.up->Close();
    connection.down->Close();
  }
  TellDriver(worker_id, "the connection broke");
  world.After(world.Delay(kNoticeMicrosMax), worker->node(), EventKind::kProcess,
              [worker, connection] { worker->LoseConnection(connection); });
}

void SimWorkers::TellDriver(int64_t worker_id, const std::string& reason) {
  World& world = cluster_.world;
  world.After(world.Delay(kNoticeMicrosMax), driver_, EventKind::kMessage,
              [this, worker_id, reason] {
                const auto connection = connections_.extract(worker_id);
                if (connection.empty()) return;
                connection.mapped().up->Close();
                fleet_->OnDisconnected(worker_id, reason);
              });
}

void SimWorkers::Stop() {
  World& world = cluster_.world;
  world.RunUntil([this] { return workers_.empty() && launching_.empty(); },
                 world.now_micros() + kStopGraceMicros);
  while (!workers_.empty()) Crash(workers_.begin()->first, "it was killed by signal 9 (Killed)");
  world.Kill(launcher_);
  has_driver_ = false;
  is_stopped_ = true;
}

// ---------------------------------------------------------------------------------------------
// The driver's side.

void SimWorkers::OnMessage(const DriverConnection& connection, proto::ToDriver message) {
  const absl::Status status = Admit(connection, message);
  if (status.ok()) return fleet_->OnMessage(std::move(message));
  if (!message.has_hello()) return;  // The driver has ended this connection.
  EndLater(message.worker_id(), cluster_.world.Delay(kRefusedMicrosMax), "it exited with code 1");
}

absl::Status SimWorkers::Admit(const DriverConnection& connection, const proto::ToDriver& message) {
  const int64_t id = message.worker_id();
  const auto known = connections_.find(id);
  if (known != connections_.end()) {
    if (known->second.up == connection.up) return absl::OkStatus();
    return absl::AlreadyExistsError(absl::StrCat("worker ", id, " is connected already"));
  }
  if (!message.has_hello()) return absl::UnavailableError("its connection has ended");
  RETURN_IF_ERROR(fleet_->MayJoin(id));
  connections_[id] = connection;
  return absl::OkStatus();
}

void SimWorkers::SendToWorker(int64_t worker_id, proto::ToWorker message) {
  const auto connection = connections_.find(worker_id);
  if (connection == connections_.end()) return;
  cluster_.network.Send(connection->second.down, [this, worker_id, connection = connection->second,
                                                  message = std::move(message)]() mutable {
    Find(worker_id)->OnMessage(connection, std::move(message));
  });
}

void SimWorkers::DisconnectWorker(int64_t worker_id, const absl::Status& /*reason*/) {
  const auto connection = connections_.find(worker_id);
  if (connection == connections_.end()) return;
  connection->second.up->Close();
  connection->second.down->Close();
  connections_.erase(connection);
}

}  // namespace millrace::sim
