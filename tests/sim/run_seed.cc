#include "tests/sim/run_seed.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/local/context_core.h"
#include "client/local/streaming_core.h"
#include "glog/logging.h"
#include "tests/sim/collected.h"
#include "tests/sim/faults.h"
#include "tests/sim/programs.h"
#include "tests/sim/sim_runtime.h"

namespace millrace::sim {
namespace {

using std::chrono::milliseconds;

// How long faults are made, and how long it may take until all is well again after them.
constexpr int kFaultBatches = 12;
constexpr int64_t kRecoveryMicrosMax = 120'000'000;
// Until workers have dropped what nobody needs any more.
constexpr int64_t kCleanUpMicrosMax = 30'000'000;
constexpr int kBehindBatchesMax = 2;
constexpr int kLossesOfJobMax = 4;

struct Scenario {
  std::string name;
  std::vector<Fault> faults;
  // The driver is dropped now and then, and another one goes on from its checkpoint.
  bool restarts_driver = false;
};

const std::vector<Scenario>& Scenarios() {
  static const std::vector<Scenario>& scenarios = *new std::vector<Scenario>{
      {"calm", {}},
      {"crashes", {Fault::kCrash, Fault::kCrash, Fault::kBreakConnection}},
      {"partitions", {Fault::kPartition, Fault::kPartition, Fault::kBreakPeers}},
      {"slow", {Fault::kSlowNetwork, Fault::kSlowProcess, Fault::kClockJump, Fault::kBreakPeers}},
      {"cut_off", {Fault::kCutOff}},
      {"failing_tasks", {Fault::kFailingTasks}},
      {"late_workers", {Fault::kBreakConnection, Fault::kSlowProcess, Fault::kSlowNetwork}},
      {"restarts", {}, true},
      {"restarts_and_crashes", {Fault::kCrash, Fault::kBreakConnection, Fault::kSlowProcess}, true},
      {"everything",
       {Fault::kCrash, Fault::kCutOff, Fault::kBreakConnection, Fault::kBreakPeers,
        Fault::kPartition, Fault::kSlowNetwork, Fault::kSlowProcess, Fault::kClockJump,
        Fault::kFailingTasks}},
  };
  return scenarios;
}

// What the seed decides before the run begins.
struct Setting {
  Scenario scenario;
  Program program;
  Shape shape;
  SimRuntime::Options cluster;
  Pace pace;
  int64_t fault_interval_micros = 0;
};

template <class Named>
const Named& Choose(const std::vector<Named>& all, const std::string& name, uint64_t random) {
  if (name.empty()) return all[random % all.size()];
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Named& one) { return one.name == name; });
  CHECK(found != all.end()) << "there is no '" << name << "'";
  return *found;
}

template <class Named>
std::vector<std::string> NamesOf(const std::vector<Named>& all) {
  std::vector<std::string> names;
  for (const Named& one : all) names.push_back(one.name);
  return names;
}

Setting SettingOf(const RunOptions& options) {
  std::mt19937_64 random(options.seed);
  Setting setting;
  setting.scenario = Choose(Scenarios(), options.scenario, random());
  setting.program = Choose(Programs(), options.program, random());
  setting.shape.seed = random();
  setting.shape.batch_interval = milliseconds(std::vector<int>{300, 500, 1000, 2000}[random() % 4]);
  setting.shape.map_partitions = 1 + static_cast<int>(random() % 4);
  setting.shape.reduce_partitions = 1 + static_cast<int>(random() % 4);
  setting.cluster.workers = 2 + static_cast<int>(random() % 3);
  setting.cluster.worker.task_slots = 1 + static_cast<int>(random() % 3);
  // From idle clusters to those that have hardly done with a batch when the next one comes.
  const int64_t interval_micros = setting.shape.batch_interval.count() * 1000;
  setting.pace.work_max = std::vector<int64_t>{10'000, 100'000, interval_micros / 4}[random() % 3];
  setting.pace.begin_max = std::vector<int64_t>{1'000, 50'000, interval_micros / 8}[random() % 3];
  setting.pace.post_max = std::vector<int64_t>{300, 5'000}[random() % 2];
  // Outputs that go in one message, or in parts while their tasks run.
  setting.cluster.worker.shuffle_message_bytes = random() % 2 == 0 ? size_t{1} << 20 : 4;
  if (random() % 2 == 0) setting.cluster.worker.shuffle_codec = CompressionCodec::kLz4;
  setting.fault_interval_micros = 500'000 + static_cast<int64_t>(random() % 4'000'000);
  setting.cluster.speculates = random() % 3 == 0;
  setting.shape.checkpoint_batches = std::vector<int>{1, 1, 2, 3, 10}[random() % 5];
  return setting;
}

// A program on a simulated cluster.
class Run {
 public:
  explicit Run(const RunOptions& options)
      : setting_(SettingOf(options)), cluster_(options.seed, setting_.pace) {}

  RunResult Execute() {
    result_.summary = absl::StrCat(setting_.scenario.name, ", ", setting_.program.name, ", ",
                                   setting_.cluster.workers, " workers, batches of ",
                                   setting_.shape.batch_interval.count(), " ms",
                                   setting_.cluster.speculates ? ", slow tasks run twice" : "");
    RunProgram();
    result_.digest = cluster_.world.digest();
    result_.event_count = cluster_.world.event_count();
    return std::move(result_);
  }

 private:
  void Fail(const std::string& text) { result_.failures.push_back(text); }
  int64_t IntervalMicros() const {
    return std::chrono::microseconds(setting_.shape.batch_interval).count();
  }

  std::shared_ptr<internal::ContextCore> MakeContext() {
    internal::RuntimeOptions options;
    options.fs = &cluster_.fs;
    options.make_runtime = [this](const Conf&, const internal::RuntimeOptions& made)
        -> absl::StatusOr<std::shared_ptr<internal::Runtime>> {
      SimRuntime::Options cluster = setting_.cluster;
      cluster.driver_epoch = made.driver_epoch;
      auto runtime = SimRuntime::Start(cluster_, cluster);
      if (!runtime.ok()) return runtime.status();
      runtime_ = *std::move(runtime);
      return runtime_;
    };
    const Conf conf = Conf()
                          .SetAppName("sim")
                          .Set("millrace.ui.showConsoleProgress", "false")
                          .Set("millrace.streaming.gracefulStopTimeout", "120s");
    return std::make_shared<internal::ContextCore>(conf, options);
  }

  void RunProgram() {
    const std::shared_ptr<internal::ContextCore> context = MakeContext();
    RunStreams(context);
    if (runtime_ != nullptr) AwaitCleanUp();
    context->Stop();
    runtime_ = nullptr;
  }

  // All that holds on to data on workers goes with it.
  void RunStreams(const std::shared_ptr<internal::ContextCore>& core) {
    StreamingContext context(
        std::make_shared<internal::StreamingCore>(core, setting_.shape.batch_interval));
    context.Checkpoint("/checkpoint");
    const Counter counter = context.context().LongAccumulator("records");
    const std::shared_ptr<Collected> collected =
        Collect(setting_.program.declare(context, setting_.shape, counter));
    const absl::Status started =
        context.core().Start(internal::Location::Current(), /*catch_signals=*/false);
    if (!started.ok()) return Fail(absl::StrCat("it does not start: ", started.ToString()));
    Faults faults(cluster_, runtime_, setting_.scenario.faults);
    faults.Begin(setting_.fault_interval_micros);
    RunUnder(faults, context.core());
    faults.End();
    AwaitRecovery(*collected);
    context.Stop({.graceful = true, .stop_context = false});
    lost_workers_ = faults.lost_worker_count();
    has_failed_tasks_ = faults.has_failed_tasks();
    result_.log = faults.log();
    for (const std::string& wrong :
         Compare(*collected, setting_.program, setting_.shape, /*may_repeat=*/restarts_ > 0,
                 [this](const absl::Status& error) { return MayFail(error); })) {
      Fail(wrong);
    }
    // A batch that runs again counts again.
    const bool has_exact_count = collected->errors.empty() && restarts_ == 0;
    if (setting_.program.counts && has_exact_count) CheckCount(*collected, counter);
  }

  void RunUnder(Faults& faults, internal::StreamingCore& core) {
    World& world = cluster_.world;
    const int64_t end_micros = world.now_micros() + kFaultBatches * IntervalMicros();
    while (world.now_micros() < end_micros) {
      if (!setting_.scenario.restarts_driver) return world.RunFor(end_micros - world.now_micros());
      world.RunFor(world.Between(1, kFaultBatches * IntervalMicros() / 2));
      faults.Pause();
      faults.Log("another driver takes the place of this one");
      ++restarts_;
      const absl::Status restarted = core.RestartDriver();
      if (!restarted.ok()) Fail(absl::StrCat("no new driver: ", restarted.ToString()));
      faults.Resume();
    }
  }

  void CheckCount(const Collected& collected, const Counter& counter) {
    int64_t expected = 0;
    for (const auto& [time, lines] : collected.lines) {
      expected += static_cast<int64_t>(setting_.shape.InputOf(0).At(time).size());
    }
    if (counter.Value() == expected) return;
    Fail(absl::StrCat("counted ", counter.Value(), " records of ", expected));
  }

  bool MayFail(const absl::Status& error) const {
    const absl::string_view message = error.message();
    // Windows with an inverse that were waiting for an update that failed cannot do without it.
    const bool misses_update =
        absl::IsFailedPrecondition(error) && absl::StrContains(message, " ms is missing, and ");
    // State is updated where it is, be it on a worker on which tasks fail. Anything else runs
    // elsewhere, if there is an elsewhere.
    const bool failed_where_it_had_to_run =
        has_failed_tasks_ && (misses_update || absl::StrContains(message, kFailingReason));
    if (failed_where_it_had_to_run && (setting_.program.keeps_state || lost_workers_ > 0)) {
      return true;
    }
    // A job is given up that seems to end every worker that runs it, and so is the repair of a
    // state.
    if (lost_workers_ < kLossesOfJobMax) return false;
    return misses_update ||
           absl::StrContains(message, "workers were lost while they ran its tasks");
  }

  void AwaitRecovery(const Collected& collected) {
    World& world = cluster_.world;
    const auto is_well = [&] {
      const Time now = runtime_->Now();
      return collected.last() + kBehindBatchesMax * setting_.shape.batch_interval >= now &&
             runtime_->workers().alive().size() == static_cast<size_t>(setting_.cluster.workers);
    };
    // From the next batch on.
    world.RunFor(IntervalMicros());
    if (world.RunUntil(is_well, world.now_micros() + kRecoveryMicrosMax)) return;
    Fail(absl::StrCat("120 s after the last fault its last batch is ", collected.last().ms(),
                      " ms, and it is ", runtime_->Now().ms(), " ms now; ",
                      runtime_->workers().alive().size(), " workers live"));
  }

  void AwaitCleanUp() {
    World& world = cluster_.world;
    const auto is_clean = [this] { return LeftBehind().empty(); };
    if (world.RunUntil(is_clean, world.now_micros() + kCleanUpMicrosMax)) return;
    Fail(absl::StrCat("left behind: ", LeftBehind()));
  }

  std::string LeftBehind() const {
    std::string left;
    if (!runtime_->core().idle()) left += "the driver keeps something; ";
    for (const auto& [id, worker] : runtime_->workers().alive()) {
      const auto note = [&, id = id](const char* what, size_t count) {
        if (count > 0) absl::StrAppend(&left, count, " ", what, " on worker ", id, "; ");
      };
      note("blocks", worker->worker().blocks().entry_count());
      note("shuffles", worker->worker().shuffles().shuffle_count());
      note("state partitions", worker->worker().states().partition_count());
      note("tasks", worker->worker().core().idle() ? 0 : 1);
    }
    return left;
  }

  const Setting setting_;
  Cluster cluster_;
  std::shared_ptr<SimRuntime> runtime_;
  int lost_workers_ = 0;
  bool has_failed_tasks_ = false;
  int restarts_ = 0;
  RunResult result_;
};

}  // namespace

std::vector<std::string> ScenarioNames() { return NamesOf(Scenarios()); }

std::vector<std::string> ProgramNames() { return NamesOf(Programs()); }

RunResult RunSeed(const RunOptions& options) { return Run(options).Execute(); }

}  // namespace millrace::sim
