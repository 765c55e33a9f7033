#include "tests/sim/faults.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace millrace::sim {
namespace {

constexpr int64_t kCrashTogetherMicrosMax = 100'000;
constexpr int64_t kPartitionMicrosMax = 15'000'000;
constexpr int64_t kSlowMicrosMax = 4'000'000;
constexpr int64_t kSlowNetworkDelayMicrosMax = 400'000;
constexpr int64_t kSlownessMax = 10;
constexpr int64_t kOverloadSlownessMax = 40;
constexpr int64_t kClockJumpMicrosMax = 3'000'000;
constexpr int64_t kFailingMicrosMax = 10'000'000;
constexpr int64_t kBadDiskMicrosMax = 4'000'000;
constexpr int64_t kDiskDelayMicrosMax = 300'000;
constexpr int64_t kRoomBytesMax = 3'000;
constexpr int64_t kFailingOneInMax = 20;
// Of files, until a worker crashes in the midst of them.
constexpr int64_t kChangesMax = 20;

}  // namespace

Faults::Faults(Cluster& cluster, const std::shared_ptr<SimRuntime>& runtime,
               std::vector<Fault> kinds)
    : cluster_(cluster), runtime_(runtime), node_(cluster.NewNode()), kinds_(std::move(kinds)) {}

Faults::~Faults() { cluster_.world.Kill(node_); }

void Faults::Begin(int64_t interval_micros) {
  interval_micros_ = interval_micros;
  if (!kinds_.empty()) Next();
}

void Faults::End() {
  cluster_.world.Kill(node_);
  for (const auto& [from, to] : std::exchange(blocked_, {})) cluster_.network.Unblock(from, to);
  cluster_.network.ResetDelayMax();
  cluster_.disk.Reset();
  for (const auto& [id, worker] : runtime_->workers().alive()) worker->SetFailing(false);
  SetAllSlowness(1);
  Log("no faults from here on");
}

void Faults::Next() {
  World& world = cluster_.world;
  world.After(world.Between(1, 2 * interval_micros_), node_, EventKind::kFault, [this] {
    const auto count = static_cast<int64_t>(kinds_.size());
    const auto kind = static_cast<size_t>(cluster_.world.Between(0, count - 1));
    if (!is_paused_) Make(kinds_[kind]);
    Next();
  });
}

void Faults::Log(const std::string& text) {
  changed_micros_ = cluster_.world.now_micros();
  log_.push_back(absl::StrCat(cluster_.world.now_micros(), " us: ", text));
}

int64_t Faults::PickWorker() {
  const auto& alive = runtime_->workers().alive();
  if (alive.empty()) return 0;
  const int64_t index = cluster_.world.Between(0, static_cast<int64_t>(alive.size()) - 1);
  return std::next(alive.begin(), index)->first;
}

NodeId Faults::PickNode() {
  const auto outside = static_cast<int64_t>(cluster_.outside.size());
  if (outside > 0 && cluster_.world.OneIn(4)) {
    return cluster_.outside[static_cast<size_t>(cluster_.world.Between(0, outside - 1))];
  }
  const int64_t id = cluster_.world.OneIn(3) ? 0 : PickWorker();
  return id == 0 ? runtime_->env().node() : runtime_->workers().Find(id)->node();
}

void Faults::Make(Fault fault) {
  World& world = cluster_.world;
  switch (fault) {
    case Fault::kCrash:
      return Crash();
    case Fault::kCrashTogether:
      Crash();
      world.After(world.Between(1, kCrashTogetherMicrosMax), node_, EventKind::kFault,
                  [this] { Crash(); });
      return;
    case Fault::kBreakConnection: {
      const int64_t id = PickWorker();
      if (id == 0) return;
      ++lost_worker_count_;
      Log(absl::StrCat("the connection of worker ", id, " breaks"));
      return runtime_->workers().BreakConnection(id);
    }
    case Fault::kBreakPeers: {
      const int64_t from = PickWorker();
      const int64_t to = PickWorker();
      if (from == to) return;
      Log(absl::StrCat("the stream of worker ", from, " to worker ", to, " breaks"));
      return runtime_->workers().Find(from)->peers().Break(to, "the connection broke");
    }
    case Fault::kLoseAnswer: {
      const int64_t from = PickWorker();
      const int64_t to = PickWorker();
      if (from == to) return;
      Log(absl::StrCat("an answer of worker ", to, " to worker ", from, " is lost"));
      return runtime_->workers().Find(from)->peers().LoseAnswer(to);
    }
    case Fault::kPartition: {
      const NodeId from = PickNode();
      const NodeId to = PickNode();
      if (from == to) return;
      ++lost_worker_count_;
      Block(from, to);
      if (world.OneIn(2)) Block(to, from);
      return;
    }
    case Fault::kCutOff:
      return CutOff();
    case Fault::kSlowNetwork:
      Log("the network is slow");
      cluster_.network.SetDelayMax(world.Between(1, kSlowNetworkDelayMicrosMax));
      world.After(world.Between(1, kSlowMicrosMax), node_, EventKind::kFault, [this] {
        Log("the network is as fast as ever");
        cluster_.network.ResetDelayMax();
      });
      return;
    case Fault::kSlowProcess:
      return SlowDown();
    case Fault::kOverload:
      return Overload();
    case Fault::kClockJump: {
      const int64_t step = world.Between(-kClockJumpMicrosMax, kClockJumpMicrosMax);
      Log(absl::StrCat("the driver's wall clock jumps by ", step, " us"));
      return runtime_->env().JumpWallClock(step);
    }
    case Fault::kFullDisk:
    case Fault::kFailingDisk:
    case Fault::kSlowDisk:
      return SpoilDisk(fault);
    case Fault::kFailingTasks:
      return FailTasks();
  }
}

void Faults::Crash() {
  World& world = cluster_.world;
  const int64_t id = PickWorker();
  if (id == 0) return;
  ++lost_worker_count_;
  const std::string reason = "it was killed by signal 11 (Segmentation fault)";
  if (runtime_->workers().Find(id)->files().has_changed_any() && world.OneIn(2)) {
    const int64_t changes = world.Between(0, kChangesMax);
    Log(absl::StrCat("worker ", id, " crashes behind ", changes, " changes of files"));
    return runtime_->workers().CrashBetweenFiles(id, changes, reason);
  }
  Log(absl::StrCat("worker ", id, " crashes"));
  runtime_->workers().Crash(id, reason);
}

void Faults::Block(NodeId from, NodeId to) {
  World& world = cluster_.world;
  Log(absl::StrCat("nothing comes from process ", from, " to process ", to));
  cluster_.network.Block(from, to);
  blocked_.emplace_back(from, to);
  const int64_t micros = world.OneIn(2) ? world.Between(1, kPartitionMicrosMax)
                                        : world.Between(1, kPartitionMicrosMax / 30);
  world.After(micros, node_, EventKind::kFault, [this, from, to] {
    Log(absl::StrCat("the way from process ", from, " to process ", to, " is free again"));
    cluster_.network.Unblock(from, to);
    blocked_.erase(std::find(blocked_.begin(), blocked_.end(), std::pair(from, to)));
  });
}

void Faults::CutOff() {
  const int64_t id = PickWorker();
  if (id == 0) return;
  ++lost_worker_count_;
  Log(absl::StrCat("worker ", id, " is out of reach"));
  const NodeId node = runtime_->workers().Find(id)->node();
  std::vector<NodeId> others = cluster_.outside;
  others.push_back(runtime_->env().node());
  for (const auto& [other, worker] : runtime_->workers().alive()) others.push_back(worker->node());
  for (const NodeId other : others) {
    cluster_.network.Block(node, other);
    cluster_.network.Block(other, node);
  }
}

void Faults::CutOffDriver() {
  ++lost_worker_count_;
  const bool is_deaf = cluster_.world.OneIn(2);
  const NodeId driver = runtime_->env().node();
  for (const auto& [id, worker] : runtime_->workers().alive()) {
    Block(driver, worker->node());
    if (is_deaf) Block(worker->node(), driver);
  }
}

void Faults::SlowDown() {
  World& world = cluster_.world;
  const int64_t id = world.OneIn(4) ? 0 : PickWorker();
  const auto set = [this, id](int64_t factor) {
    if (id == 0) return runtime_->env().SetSlowness(factor);
    SimWorker* const worker = runtime_->workers().Find(id);
    if (worker != nullptr) worker->env().SetSlowness(factor);
  };
  const std::string name = id == 0 ? "the driver" : absl::StrCat("worker ", id);
  Log(absl::StrCat(name, " is slow"));
  set(world.Between(2, kSlownessMax));
  world.After(world.Between(1, kSlowMicrosMax), node_, EventKind::kFault, [this, name, set] {
    Log(absl::StrCat(name, " is as fast as ever"));
    set(1);
  });
}

void Faults::Overload() {
  World& world = cluster_.world;
  Log("all are slow");
  SetAllSlowness(world.Between(kSlownessMax, kOverloadSlownessMax));
  world.After(world.Between(1, kSlowMicrosMax), node_, EventKind::kFault, [this] {
    Log("all are as fast as ever");
    SetAllSlowness(1);
  });
}

void Faults::SetAllSlowness(int64_t factor) {
  runtime_->env().SetSlowness(factor);
  for (const auto& [id, worker] : runtime_->workers().alive()) worker->env().SetSlowness(factor);
}

void Faults::FailTasks() {
  World& world = cluster_.world;
  const int64_t id = PickWorker();
  if (id == 0 || is_failing_tasks_) return;
  has_failed_tasks_ = is_failing_tasks_ = true;
  Log(absl::StrCat("tasks fail on worker ", id));
  runtime_->workers().Find(id)->SetFailing(true);
  world.After(world.Between(1, kFailingMicrosMax), node_, EventKind::kFault, [this, id] {
    is_failing_tasks_ = false;
    Log(absl::StrCat("tasks fail no more on worker ", id));
    SimWorker* const worker = runtime_->workers().Find(id);
    if (worker != nullptr) worker->SetFailing(false);
  });
}

void Faults::SpoilDisk(Fault fault) {
  World& world = cluster_.world;
  if (fault == Fault::kSlowDisk) {
    Log("the disk is slow");
    cluster_.disk.SetDelayMax(world.Between(1, kDiskDelayMicrosMax));
  } else {
    has_failed_files_ = true;
    if (fault == Fault::kFullDisk) {
      const int64_t bytes = world.Between(0, kRoomBytesMax);
      Log(absl::StrCat("the disk has room for ", bytes, " bytes"));
      cluster_.disk.SetRoom(static_cast<uint64_t>(bytes));
    } else {
      const int64_t one_in = world.Between(1, kFailingOneInMax);
      Log(absl::StrCat("one in ", one_in, " changes of files fails"));
      cluster_.disk.SetFailing(one_in);
    }
  }
  world.After(world.Between(1, kBadDiskMicrosMax), node_, EventKind::kFault, [this] {
    Log("the disk is as it should be");
    cluster_.disk.Reset();
  });
}

}  // namespace millrace::sim
