#include "tests/sim/daemon_worker.h"

#include <signal.h>

namespace millrace::sim {
namespace {

// As worker_process.cc.
constexpr int64_t kDriverGraceMicros = 30'000'000;
constexpr int64_t kReconnectMicros = 200'000;
// Clinging ones look for their driver all their life, but not as often.
constexpr int64_t kClingingReconnectMicros = 5'000'000;
constexpr int64_t kBeginMicrosMax = 1'000'000;
constexpr int64_t kEndMicrosMax = 4'000'000;
constexpr int64_t kEndGraceMicros = 10'000'000;

}  // namespace

DaemonWorker::DaemonWorker(Site& site, NodeId machine, const proto::LaunchWorker& launch,
                           bool is_clinging, OnExit on_exit)
    : site_(site),
      ref_(launch.worker()),
      driver_address_(launch.driver_address()),
      is_clinging_(is_clinging),
      on_exit_(std::move(on_exit)),
      process_(site, machine) {
  lost_micros_ = site.cluster.world.now_micros();
  process_.env().After(site.cluster.world.Delay(kBeginMicrosMax), [this] { Connect(); });
}

void DaemonWorker::Exit(const proto::ProcessExit& exit) {
  if (!is_alive()) return;
  process_.End();
  on_exit_(exit);
}

void DaemonWorker::ExitWith(int code, const std::string& reason) {
  proto::ProcessExit exit;
  exit.set_code(code);
  exit.set_reason(reason);
  exit.set_is_requested(is_end_requested_);
  Exit(exit);
}

void DaemonWorker::Kill(int signal, const std::string& reason) {
  proto::ProcessExit exit;
  exit.set_signal(signal);
  exit.set_reason(reason);
  exit.set_is_requested(is_end_requested_);
  Exit(exit);
}

void DaemonWorker::RequestEnd() {
  is_end_requested_ = true;
  World& world = site_.cluster.world;
  const bool ends = !is_clinging_ || world.OneIn(2);
  world.After(ends ? world.Delay(kEndMicrosMax) : kEndGraceMicros, kNobody, EventKind::kProcess,
              [this] { Kill(SIGTERM, "it was told to end"); });
}

void DaemonWorker::Connect() {
  if (!is_alive()) return;
  const auto connection = Connection::Open(
      process_, driver_address_, Service::kWorkers,
      {.on_message = [this](const google::protobuf::Message&) { ExitWith(0, "it has ended"); },
       .on_closed = [this](const absl::Status& status) { OnClosed(status); }});
  connection->SendToServer(proto::WorkerRef(ref_));
}

void DaemonWorker::OnClosed(const absl::Status& status) {
  const int64_t now_micros = site_.cluster.world.now_micros();
  const bool is_refused = !absl::IsUnavailable(status);
  if (is_clinging_) {
    process_.env().After(kClingingReconnectMicros, [this] { Connect(); });
  } else if (is_refused || now_micros - lost_micros_ > kDriverGraceMicros) {
    ExitWith(1, "its driver is gone");
  } else {
    process_.env().After(kReconnectMicros, [this] { Connect(); });
  }
}

}  // namespace millrace::sim
