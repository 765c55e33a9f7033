#include "tests/sim/sim_worker.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/time/system_clock.h"
#include "tests/sim/sim_workers.h"

namespace millrace::sim {
namespace {

constexpr int64_t kHeartbeatMicros = 1'000'000;
// What a process takes to end by itself.
constexpr int64_t kEndMicrosMax = 100'000;
constexpr int64_t kCallAgainMicrosMax = 300'000;

std::string HostOf(int64_t worker_id) { return absl::StrCat("host", worker_id); }

}  // namespace

SimWorker::SimWorker(SimWorkers& owner, int64_t worker_id)
    : owner_(owner),
      id_(worker_id),
      files_(owner.cluster().fs, &owner.cluster().disk),
      env_(owner.cluster().world, owner.cluster().NewNode(), files_, owner.cluster().pace),
      peers_(owner, env_.node()),
      worker_({.worker_id = worker_id,
               .host = HostOf(worker_id),
               .memory_bytes = owner.settings().memory_bytes,
               .spill_path = absl::StrCat("/spill/", env_.node()),
               .shuffle_message_bytes = owner.settings().shuffle_message_bytes,
               .shuffle_codec = owner.settings().shuffle_codec,
               .nanos = MonotonicNanos},
              {env_, files_, *this, peers_}) {
  internal::WorkerOptions core;
  core.peer_address = absl::StrCat(HostOf(worker_id), ":1");
  core.task_slots = owner.settings().task_slots;
  core.heartbeat_interval_micros = kHeartbeatMicros;
  worker_.MakeCore(core);
}

void SimWorker::Begin() {
  Network& network = owner_.cluster().network;
  if (connection_.down != nullptr) earlier_connections_.push_back(connection_);
  connection_ = {network.Open(node(), owner_.driver()), network.Open(owner_.driver(), node())};
  is_disconnected_ = false;
  env_.Post([this] { worker_.Connected(); });
}

void SimWorker::LoseDriver() {
  // It may have found the next one already.
  if (connection_.down == nullptr || connection_.down->from() == owner_.driver()) {
    Disconnect();
  }
}

void SimWorker::Disconnect() {
  is_disconnected_ = true;
  worker_.Disconnected();
}

void SimWorker::LoseConnection(const DriverConnection& connection) {
  connection.down->Close();
  if (connection_.down != connection.down) return;
  Disconnect();
  World& world = owner_.cluster().world;
  world.After(world.Delay(kCallAgainMicrosMax), node(), EventKind::kProcess, [this, connection] {
    if (connection_.down == connection.down && owner_.has_driver()) Begin();
  });
}

void SimWorker::SendToDriver(proto::ToDriver message) {
  const bool has_succeeded =
      message.has_task_status() && message.task_status().outcome() == proto::TaskStatus::SUCCEEDED;
  if (is_failing_ && has_succeeded) {
    proto::TaskStatus& status = *message.mutable_task_status();
    status.set_outcome(proto::TaskStatus::FAILED);
    status.set_error_code(static_cast<int>(absl::StatusCode::kUnknown));
    status.set_error_message(kFailingReason);
  }
  owner_.cluster().network.Send(connection_.up, [owner = &owner_, connection = connection_,
                                                 message = std::move(message)]() mutable {
    owner->OnMessage(connection, std::move(message));
  });
}

void SimWorker::OnMessage(const DriverConnection& connection, proto::ToWorker message) {
  const bool is_late = is_disconnected_ || connection.down != connection_.down;
  if (is_late && message.driver_epoch() >= worker_.core().driver_epoch()) return;
  if (!message.has_shutdown()) return worker_.Handle(std::move(message));
  owner_.EndLater(id_, owner_.cluster().world.Delay(kEndMicrosMax), "it exited with code 0");
}

}  // namespace millrace::sim
