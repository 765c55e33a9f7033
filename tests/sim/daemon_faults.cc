#include "tests/sim/daemon_faults.h"

#include <signal.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace millrace::sim {
namespace {

constexpr int64_t kWatchMicros = 300'000;
constexpr int64_t kDownMicrosMax = 20'000'000;
constexpr int64_t kPartitionMicrosMax = 40'000'000;
constexpr int64_t kSlowMicrosMax = 10'000'000;
constexpr int64_t kPauseMicrosMax = 40'000'000;
constexpr int64_t kSlowNetworkDelayMicrosMax = 2'000'000;
constexpr int64_t kSlownessMax = 100;
constexpr int64_t kClockJumpMicrosMax = 5'000'000;
// Artifacts that were used before are no longer fresh.
constexpr int64_t kLongClockJumpMicros = 700'000'000;
constexpr int64_t kFullMicrosMax = 15'000'000;
constexpr int64_t kFailingMicrosMax = 15'000'000;
// As pings tell it to callers.
constexpr int64_t kPingMicrosMin = 10'000'000;
constexpr int64_t kPingMicrosMax = 20'000'000;
constexpr int64_t kStepsMax = 12;

}  // namespace

DaemonFaults::DaemonFaults(const DaemonParts& parts, std::vector<DaemonFault> kinds)
    : parts_(parts),
      site_(parts.site),
      world_(parts.site.cluster.world),
      node_(parts.site.cluster.NewNode()),
      kinds_(std::move(kinds)) {}

DaemonFaults::~DaemonFaults() { world_.Kill(node_); }

void DaemonFaults::Begin(int64_t interval_micros) {
  interval_micros_ = interval_micros;
  if (!kinds_.empty()) Next();
  WatchDaemons();
}

void DaemonFaults::End() {
  world_.Kill(node_);
  for (const auto& [from, to] : std::exchange(blocked_, {})) {
    site_.cluster.network.Unblock(from, to);
  }
  site_.cluster.network.ResetDelayMax();
  site_.cluster.fs.SetFault(nullptr);
  for (Process* const process : slow_) {
    process->env().SetSlowness(1);
    process->env().PauseUntil(0);
  }
  parts_.host.StayAlive();
  parts_.host.Start();
  for (const auto& node : parts_.nodes) {
    node->SetFailing(false);
    node->Start();
  }
  site_.Log("no faults from here on");
}

void DaemonFaults::WatchDaemons() {
  if (parts_.host.process() == nullptr && !is_host_starting_) {
    is_host_starting_ = true;
    world_.After(world_.Delay(kDownMicrosMax), node_, EventKind::kFault, [this] {
      is_host_starting_ = false;
      parts_.host.Start();
    });
  }
  for (size_t i = 0; i < parts_.nodes.size(); ++i) {
    if (parts_.nodes[i]->process() != nullptr || !starting_nodes_.insert(i).second) continue;
    world_.After(world_.Delay(kDownMicrosMax), node_, EventKind::kFault, [this, i] {
      starting_nodes_.erase(i);
      parts_.nodes[i]->Start();
    });
  }
  world_.After(kWatchMicros, node_, EventKind::kFault, [this] { WatchDaemons(); });
}

void DaemonFaults::Next() {
  world_.After(world_.Between(1, 2 * interval_micros_), node_, EventKind::kFault, [this] {
    const auto count = static_cast<int64_t>(kinds_.size());
    Make(kinds_[static_cast<size_t>(world_.Between(0, count - 1))]);
    Next();
  });
}

DaemonNode& DaemonFaults::PickNode() {
  const auto count = static_cast<int64_t>(parts_.nodes.size());
  return *parts_.nodes[static_cast<size_t>(world_.Between(0, count - 1))];
}

Application* DaemonFaults::PickApplication() {
  const std::vector<Application*> alive = AliveApplications(parts_);
  if (alive.empty()) return nullptr;
  return alive[static_cast<size_t>(world_.Between(0, static_cast<int64_t>(alive.size()) - 1))];
}

NodeId DaemonFaults::PickMachine() {
  if (world_.OneIn(3)) return parts_.host.machine();
  if (world_.OneIn(2)) return PickNode().machine();
  return world_.OneIn(3) ? parts_.users.machine() : parts_.users.application_machine();
}

Process* DaemonFaults::PickProcess(std::string& name) {
  if (world_.OneIn(3)) {
    name = "the driver daemon";
    return parts_.host.process();
  }
  if (world_.OneIn(2)) {
    Application* const application = PickApplication();
    if (application == nullptr) return nullptr;
    name = application->plan().name;
    return &application->process();
  }
  DaemonNode& node = PickNode();
  name = "the executor daemon of " + node.options().name;
  return node.process();
}

void DaemonFaults::Make(DaemonFault fault) {
  switch (fault) {
    case DaemonFault::kKillDriverDaemon:
      return parts_.host.Kill();
    case DaemonFault::kKillDriverDaemonInStep:
      return KillInStep();
    case DaemonFault::kRestartMachine:
      site_.Log("the driver daemon's machine restarts");
      parts_.host.Kill();
      return parts_.runs.RestartMachine();
    case DaemonFault::kKillExecutorDaemon:
      return PickNode().Kill();
    case DaemonFault::kCrashWorker: {
      const DaemonNode& node = PickNode();
      const std::vector<DaemonWorker*> workers = node.Alive();
      if (workers.empty()) return;
      const auto last = static_cast<int64_t>(workers.size()) - 1;
      DaemonWorker& worker = *workers[static_cast<size_t>(world_.Between(0, last))];
      site_.Log(absl::StrCat("worker ", worker.ref().worker_id(), " of ", worker.ref().app_id(),
                             " crashes"));
      return worker.Kill(SIGSEGV, "it crashed");
    }
    case DaemonFault::kCrashDriver: {
      Application* const application = PickApplication();
      if (application == nullptr) return;
      site_.Log(application->plan().name + " crashes");
      return application->Kill(SIGSEGV, "it crashed");
    }
    case DaemonFault::kFailingLaunches: {
      DaemonNode& node = PickNode();
      site_.Log("no worker starts on " + node.options().name);
      node.SetFailing(true);
      world_.After(world_.Between(1, kFailingMicrosMax), node_, EventKind::kFault,
                   [&node] { node.SetFailing(false); });
      return;
    }
    case DaemonFault::kBreakConnection: {
      std::erase_if(site_.connections, [](const auto& weak) {
        const auto connection = weak.lock();
        return connection == nullptr || !connection->is_open();
      });
      if (site_.connections.empty()) return;
      const auto last = static_cast<int64_t>(site_.connections.size()) - 1;
      const auto connection =
          site_.connections[static_cast<size_t>(world_.Between(0, last))].lock();
      site_.Log(absl::StrCat("a connection breaks, ", connection->Name()));
      return connection->Break();
    }
    case DaemonFault::kPartition:
      return Partition();
    case DaemonFault::kSlowNetwork:
      site_.Log("the network is slow");
      site_.cluster.network.SetDelayMax(world_.Between(1, kSlowNetworkDelayMicrosMax));
      world_.After(world_.Between(1, kSlowMicrosMax), node_, EventKind::kFault,
                   [this] { site_.cluster.network.ResetDelayMax(); });
      return;
    case DaemonFault::kSlowProcess:
    case DaemonFault::kPause: {
      std::string name;
      Process* const process = PickProcess(name);
      if (process == nullptr) return;
      slow_.insert(process);
      if (fault == DaemonFault::kPause) {
        const int64_t micros = world_.Delay(kPauseMicrosMax);
        site_.Log(absl::StrCat(name, " stands still for ", micros, " us"));
        return process->env().PauseUntil(world_.now_micros() + micros);
      }
      return Slow(name, process);
    }
    case DaemonFault::kClockJump: {
      const int64_t micros = world_.OneIn(4)
                                 ? kLongClockJumpMicros
                                 : world_.Between(-kClockJumpMicrosMax, kClockJumpMicrosMax);
      site_.Log(absl::StrCat("the driver daemon's clock jumps by ", micros, " us"));
      return parts_.host.JumpWallClock(micros);
    }
    case DaemonFault::kFullDisk:
      return FillDisk();
  }
}

void DaemonFaults::KillInStep() {
  if (world_.OneIn(2)) {
    parts_.host.KillAfterSteps(world_.Between(0, kStepsMax));
  } else {
    parts_.host.KillAfterChanges(world_.Between(0, kStepsMax));
  }
}

void DaemonFaults::FillDisk() {
  site_.Log("the driver daemon's disk is full");
  site_.cluster.fs.SetFault([](FileOp op, const std::string& path) {
    return op == FileOp::kAppend
               ? absl::ResourceExhaustedError(absl::StrCat("no space left for '", path, "'"))
               : absl::OkStatus();
  });
  world_.After(world_.Between(1, kFullMicrosMax), node_, EventKind::kFault, [this] {
    site_.Log("the driver daemon's disk has room again");
    site_.cluster.fs.SetFault(nullptr);
  });
}

void DaemonFaults::Slow(const std::string& name, Process* process) {
  const int64_t factor = world_.Between(2, kSlownessMax);
  site_.Log(absl::StrCat(name, " is ", factor, " times as slow"));
  process->env().SetSlowness(factor);
  world_.After(world_.Between(1, kSlowMicrosMax), node_, EventKind::kFault,
               [process] { process->env().SetSlowness(1); });
}

void DaemonFaults::Partition() {
  const NodeId one = PickMachine();
  const NodeId other = PickMachine();
  if (one == other) return;
  std::vector<std::pair<NodeId, NodeId>> ways = {{one, other}};
  if (world_.OneIn(2)) ways.emplace_back(other, one);
  const int64_t micros = world_.OneIn(2) ? world_.Between(1, kPartitionMicrosMax)
                                         : world_.Between(1, kPartitionMicrosMax / 20);
  for (const auto& way : ways) {
    const NodeId from = way.first;
    const NodeId to = way.second;
    site_.Log(absl::StrCat("nothing comes from machine ", from, " to machine ", to, " for ", micros,
                           " us"));
    site_.cluster.network.Block(from, to);
    blocked_.emplace_back(from, to);
    world_.After(micros, node_, EventKind::kFault, [this, from, to] {
      site_.cluster.network.Unblock(from, to);
      blocked_.erase(std::find(blocked_.begin(), blocked_.end(), std::pair(from, to)));
    });
  }
  const int64_t ping_micros = world_.Between(kPingMicrosMin, kPingMicrosMax);
  if (ping_micros >= micros) return;
  world_.After(ping_micros, node_, EventKind::kFault, [this, one, other] {
    for (const auto& weak : std::vector(site_.connections)) {
      const auto connection = weak.lock();
      if (connection != nullptr && connection->IsBetween(one, other)) connection->GiveUp();
    }
  });
}

}  // namespace millrace::sim
