#include "tests/sim/daemon_run.h"

#include <memory>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/sim/daemon_check.h"
#include "tests/sim/daemon_faults.h"

namespace millrace::sim {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kMemoryMb = 1024;
// How long it may take until all is well after the last fault: what was silent is lost after a
// while, drivers are started again after 30 s, and what they had is waited for.
constexpr int64_t kRecoveryMicrosMax = 240 * kSecond;
constexpr int64_t kLookMicros = kSecond;
constexpr int kArtifactBytes = 1000;
constexpr int64_t kSmallStoreBytes = 8 * kArtifactBytes;

// In which files come that nobody uses.
constexpr char kFullStore[] = "full_store";

struct Scenario {
  std::string name;
  std::vector<DaemonFault> faults;
};

const std::vector<Scenario>& Scenarios() {
  using enum DaemonFault;
  static const std::vector<Scenario>& scenarios = *new std::vector<Scenario>{
      {"calm", {}},
      {"restarts", {kKillDriverDaemon, kKillDriverDaemonInStep, kKillDriverDaemonInStep}},
      {"restarts_and_crashes",
       {kKillDriverDaemon, kKillDriverDaemonInStep, kKillExecutorDaemon, kCrashWorker, kCrashDriver,
        kRestartMachine}},
      {"restarts_and_partitions",
       {kKillDriverDaemon, kKillDriverDaemonInStep, kPartition, kBreakConnection}},
      {"crashes", {kKillExecutorDaemon, kCrashWorker, kCrashDriver, kFailingLaunches}},
      {"partitions", {kPartition, kPartition, kBreakConnection, kSlowNetwork}},
      {"slow", {kSlowNetwork, kSlowProcess, kPause, kClockJump, kFullDisk}},
      {"clocks", {kClockJump, kClockJump, kKillDriverDaemon, kCrashDriver}},
      {kFullStore, {kKillDriverDaemon, kKillDriverDaemon, kPartition, kPartition, kPause}},
      {"full_disk", {kFullDisk, kFullDisk, kKillDriverDaemon, kCrashDriver}},
      {"everything",
       {kKillDriverDaemon, kKillDriverDaemonInStep, kRestartMachine, kKillExecutorDaemon,
        kCrashWorker, kCrashDriver, kFailingLaunches, kBreakConnection, kPartition, kSlowNetwork,
        kSlowProcess, kPause, kClockJump, kFullDisk}},
  };
  return scenarios;
}

class DaemonRun {
 public:
  explicit DaemonRun(const RunOptions& options)
      : random_(options.seed),
        scenario_(ChooseScenario(options.scenario)),
        host_options_(ChooseHost()),
        site_(options.seed, Pace{}),
        runs_(site_, site_.cluster.NewNode(),
              [this](const std::string& program, int attempt) { return PlanOf(program, attempt); }),
        host_(site_, runs_, host_options_),
        users_(site_) {
    users_.SetMayBeForgotten(
        [this](const Submitted& submitted) { return MayBeForgotten(parts_, submitted); });
    const int nodes = Pick(1, 4);
    const bool has_clinging_workers = Pick(1, 2) == 1;
    for (int i = 1; i <= nodes; ++i) {
      nodes_.push_back(std::make_unique<DaemonNode>(
          site_, DaemonNode::Options{.name = absl::StrCat("node", i),
                                     .cores = Pick(1, 6),
                                     .memory_mb = Pick(2, 6) * kMemoryMb,
                                     .has_clinging_workers = has_clinging_workers}));
    }
  }

  RunResult Execute() {
    RunResult result;
    result.summary = absl::StrCat(
        scenario_.name, ", ", nodes_.size(), " nodes, at most ", host_options_.running_max,
        " drivers and ", host_options_.ended_max, " that have ended",
        nodes_.front()->options().has_clinging_workers ? ", clinging workers" : "");
    host_.Start();
    for (const auto& node : nodes_) node->Start();
    DaemonFaults faults(parts_, scenario_.faults);
    faults.Begin(Pick(1, 10) * kSecond);
    UseCluster(Pick(20, 120) * kSecond);
    faults.End();
    // Two rounds: with all that is there, and without some of it.
    if (AwaitWell("after the last fault", &WhatIsWrong)) {
      EndSome(2);
      if (AwaitWell("after some have ended", &WhatIsWrong)) {
        EndSome(1);
        if (AwaitWell("after all have ended", &WhatIsLeft)) FillStore();
      }
    }
    result.failures = site_.failures;
    result.log = site_.log;
    result.digest = site_.cluster.world.digest();
    result.event_count = site_.cluster.world.event_count();
    return result;
  }

 private:
  int Pick(int low, int high) {
    return low + static_cast<int>(random_() % static_cast<uint64_t>(high - low + 1));
  }

  const Scenario& ChooseScenario(const std::string& name) {
    const Scenario& chosen = Scenarios()[random_() % Scenarios().size()];
    for (const Scenario& scenario : Scenarios()) {
      if (scenario.name == name) return scenario;
    }
    return chosen;
  }

  DaemonHost::Options ChooseHost() {
    DaemonHost::Options options;
    options.running_max = Pick(1, 3) == 1 ? Pick(1, 3) : 100;
    options.ended_max = Pick(1, 3) == 1 ? Pick(1, 4) : 100;
    const bool is_small = Pick(1, 2) == 1 || scenario_.name == kFullStore;
    options.artifact_bytes_max = is_small ? Pick(3, 8) * kArtifactBytes : 1 << 20;
    options.is_spread = Pick(1, 2) == 1;
    options.peer_timeout_micros = Pick(10, 30) * kSecond;
    return options;
  }

  ApplicationPlan NewPlan(const char* kind) {
    ApplicationPlan plan;
    plan.name = absl::StrCat(kind, ++last_plan_);
    // Some share a program.
    plan.bytes = std::string(kArtifactBytes, static_cast<char>('a' + Pick(0, 1) * last_plan_ % 26));
    plan.takes_all = Pick(1, 6) == 1;
    plan.changes_size = Pick(1, 3) == 1;
    plan.workers = Pick(1, 4);
    plan.demand.set_cores_per_worker(Pick(1, 3) == 1 ? 0 : Pick(1, 2));
    plan.demand.set_cores_max(Pick(1, 2) == 1 ? Pick(2, 8) : 0);
    plan.demand.set_memory_mb_per_worker(Pick(1, 2) * kMemoryMb / 2);
    plan.lifetime_micros = Pick(1, 2) == 1 ? Pick(1, 40) * kSecond : 0;
    plan.exit_code = Pick(1, 4) == 1 ? 1 : 0;
    plan.ends_when_told = Pick(1, 6) != 1;
    return plan;
  }

  ApplicationPlan NewApplication() {
    ApplicationPlan plan = NewPlan("application");
    plan.is_recoverable = Pick(1, 2) == 1;
    return plan;
  }

  ApplicationPlan PlanOf(const std::string& program, int attempt) {
    const Submitted& submitted = *users_.Find(program);
    if (submitted.is_refused) site_.Fail(absl::StrCat(program, " was refused, and starts"));
    ApplicationPlan plan = submitted.plan;
    if (attempt <= submitted.failing_attempts) {
      plan.exit_code = 3;
      plan.lifetime_micros = site_.cluster.world.Between(1, 10 * kSecond);
    } else if (submitted.supervise) {
      plan.exit_code = 0;
    }
    return plan;
  }

  void UseCluster(int64_t micros) {
    World& world = site_.cluster.world;
    const int64_t end_micros = world.now_micros() + micros;
    while (world.now_micros() < end_micros) {
      switch (Pick(1, 8)) {
        case 1:
          users_.StartApplication(NewApplication());
          break;
        case 2:
        case 3:
          users_.Submit(NewPlan("submitted"), Pick(1, 2) == 1, Pick(1, 3) == 1 ? Pick(1, 3) : 0);
          break;
        case 4:
          users_.KillOne();
          break;
        case 5:
          users_.LookAtAll();
          break;
        case 6:
          if (Pick(1, 3) == 1) users_.StartOneAgain();
          break;
        default:
          users_.LookAtOne();
      }
      if (scenario_.name == kFullStore) {
        if (Pick(1, 4) == 1) host_.JumpWallClock(2 * ArtifactStore::kFreshMs * 1000);
        users_.UploadBytes(std::string(kArtifactBytes, static_cast<char>('A' + Pick(0, 25))),
                           [](const absl::Status&) {});
      }
      world.RunFor(std::min(Pick(1, 60) * kSecond / 10, end_micros - world.now_micros()));
    }
  }

  // One in `n` of those that live.
  void EndSome(int n) {
    // Also of those whose answers did not come.
    const proto::ListReply list = host_.daemon().List();
    for (const proto::SubmissionStatus& status : list.submissions()) {
      users_.Find(status.name())->submission_id = status.submission_id();
    }
    for (const auto& submitted : users_.submitted()) {
      if (!submitted->submission_id.empty() && Pick(1, n) == 1) users_.Kill(*submitted);
    }
    for (const auto& application : users_.applications()) {
      if (application->is_alive() && Pick(1, n) == 1) application->Kill(9, "a user kills it");
    }
  }

  // What nobody uses any more goes when there is need for room.
  void FillStore() {
    if (host_options_.artifact_bytes_max > kSmallStoreBytes) return;
    World& world = site_.cluster.world;
    const int64_t end_micros = world.now_micros() + kRecoveryMicrosMax;
    absl::Status status = absl::UnavailableError("it does not answer");
    do {  // Other files may be on their way, and then they have just been used.
      host_.JumpWallClock(2 * ArtifactStore::kFreshMs * 1000);
      users_.UploadBytes(std::string(static_cast<size_t>(host_options_.artifact_bytes_max), 'z'),
                         [&](const absl::Status& answer) { status = answer; });
      world.RunFor(kLookMicros);
    } while (!status.ok() && world.now_micros() < end_micros);
    if (!status.ok()) site_.Fail(absl::StrCat("the artifact store: ", status.ToString()));
  }

  bool AwaitWell(const char* when, std::vector<std::string> (*look)(const DaemonParts&)) {
    World& world = site_.cluster.world;
    const int64_t end_micros = world.now_micros() + kRecoveryMicrosMax;
    std::vector<std::string> wrong;
    do {
      world.RunFor(kLookMicros);
      wrong = look(parts_);
      if (wrong.empty() && ++well_looks_ >= kWellLooks) {
        well_looks_ = 0;
        return site_.failures.empty();
      }
      if (!wrong.empty()) well_looks_ = 0;
    } while (world.now_micros() < end_micros);
    site_.Fail(absl::StrCat(when, ": ", absl::StrJoin(wrong, "; ")));
    return false;
  }

  // All must be well for so many seconds.
  static constexpr int kWellLooks = 3;

  std::mt19937_64 random_;
  const Scenario& scenario_;
  const DaemonHost::Options host_options_;
  Site site_;
  Runs runs_;
  DaemonHost host_;
  DaemonUsers users_;
  std::vector<std::unique_ptr<DaemonNode>> nodes_;
  const DaemonParts parts_{site_, host_, runs_, users_, nodes_, host_options_};
  int last_plan_ = 0;
  int well_looks_ = 0;
};

}  // namespace

std::vector<std::string> DaemonScenarioNames() {
  std::vector<std::string> names;
  for (const Scenario& scenario : Scenarios()) names.push_back(scenario.name);
  return names;
}

RunResult RunDaemonSeed(const RunOptions& options) { return DaemonRun(options).Execute(); }

}  // namespace millrace::sim
