#include "tests/sim/run_seed.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/local/context_core.h"
#include "client/local/streaming_core.h"
#include "glog/logging.h"
#include "tests/sim/collected.h"
#include "tests/sim/faults.h"
#include "tests/sim/process_files.h"
#include "tests/sim/programs.h"
#include "tests/sim/received_check.h"
#include "tests/sim/reliable_source.h"
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
constexpr int64_t kSendsOfBatch = 4;
constexpr char kCheckpointDirectory[] = "/checkpoint";
// Of files, until a driver ends in the midst of them.
constexpr int64_t kChangesMax = 20;
// Of the program's process, while the disk does not let it.
constexpr int kStartAttempts = 20;
constexpr int64_t kStartAgainMicros = 1'000'000;
// Until a driver that reaches nobody is taken for dead.
constexpr int kCutOffBatchesMax = 3;
// Until a worker has heard of one that has come.
constexpr int64_t kJoinMicrosMax = 1'000'000;
// For as long as it takes to give up copying a block to a worker.
constexpr int64_t kQuietMicros = 12'000'000;

enum class DriverEnd {
  kNever,
  kReplaced,  // Now and then, after its checkpoint was written: another one goes on from that.
  kCrashes,   // At any moment; the program is started again.
  // It does not reach its workers any more, and is taken for dead: the program is started again,
  // and then they hear what it had sent.
  kCutOff,
};

struct Scenario {
  std::string name;
  std::vector<Fault> faults;
  DriverEnd driver_end = DriverEnd::kNever;
  bool spoils_file = false;  // One of the checkpoint directory, before the program starts again.
};

const std::vector<Scenario>& Scenarios() {
  static const std::vector<Scenario>& scenarios = *new std::vector<Scenario>{
      {"calm", {}},
      {"crashes", {Fault::kCrash, Fault::kCrash, Fault::kBreakConnection}},
      {"crashes_together", {Fault::kCrashTogether, Fault::kBreakConnection}},
      {"partitions",
       {Fault::kPartition, Fault::kPartition, Fault::kBreakPeers, Fault::kLoseAnswer}},
      {"slow", {Fault::kSlowNetwork, Fault::kSlowProcess, Fault::kClockJump, Fault::kBreakPeers}},
      {"lost_answers", {Fault::kLoseAnswer, Fault::kLoseAnswer, Fault::kSlowNetwork}},
      {"overload", {Fault::kOverload, Fault::kSlowNetwork}},
      {"cut_off", {Fault::kCutOff}},
      {"failing_tasks", {Fault::kFailingTasks}},
      {"late_workers", {Fault::kBreakConnection, Fault::kSlowProcess, Fault::kSlowNetwork}},
      {"restarts", {}, DriverEnd::kReplaced},
      {"restarts_and_crashes",
       {Fault::kCrash, Fault::kBreakConnection, Fault::kSlowProcess},
       DriverEnd::kReplaced},
      {"driver_crashes", {}, DriverEnd::kCrashes},
      {"driver_and_others_crash",
       {Fault::kCrash, Fault::kCrashTogether, Fault::kBreakConnection, Fault::kSlowProcess},
       DriverEnd::kCrashes},
      {"overload_and_driver_crashes",
       {Fault::kOverload, Fault::kOverload, Fault::kCrash},
       DriverEnd::kCrashes},
      {"cut_off_driver", {}, DriverEnd::kCutOff},
      {"cut_off_driver_and_crashes",
       {Fault::kCrash, Fault::kBreakConnection, Fault::kSlowProcess, Fault::kSlowNetwork},
       DriverEnd::kCutOff},
      {"bad_disks",
       {Fault::kFullDisk, Fault::kFailingDisk, Fault::kSlowDisk, Fault::kCrash,
        Fault::kBreakConnection}},
      {"bad_disks_and_driver_crashes",
       {Fault::kFullDisk, Fault::kFailingDisk, Fault::kSlowDisk, Fault::kCrash},
       DriverEnd::kCrashes},
      {"rotten_files", {}, DriverEnd::kCrashes, /*spoils_file=*/true},
      {"rotten_files_and_crashes",
       {Fault::kCrash, Fault::kBreakConnection, Fault::kSlowProcess},
       DriverEnd::kCrashes,
       /*spoils_file=*/true},
      {"everything",
       {Fault::kCrash, Fault::kCrashTogether, Fault::kCutOff, Fault::kBreakConnection,
        Fault::kBreakPeers, Fault::kLoseAnswer, Fault::kOverload, Fault::kPartition,
        Fault::kSlowNetwork, Fault::kSlowProcess, Fault::kClockJump, Fault::kFailingTasks,
        Fault::kFullDisk, Fault::kFailingDisk, Fault::kSlowDisk}},
  };
  return scenarios;
}

// How records come to the program.
struct InputKind {
  std::string name;
  enum { kOfTimes, kLog, kReceived } kind = kOfTimes;
  StorageLevel storage_level = StorageLevel::kMemoryAndDisk;
  bool is_logged = false;  // What is received, before it is acknowledged.
};

const std::vector<InputKind>& InputKinds() {
  static const std::vector<InputKind>& kinds = *new std::vector<InputKind>{
      {"replayable"},
      {"log", InputKind::kLog},
      {"received", InputKind::kReceived, StorageLevel::kMemoryOnly},
      {"received_twice", InputKind::kReceived, StorageLevel::kMemoryAndDisk2},
      {"logged", InputKind::kReceived, StorageLevel::kMemoryOnly, /*is_logged=*/true},
  };
  return kinds;
}

// What the seed decides before the run begins.
struct Setting {
  Scenario scenario;
  Program program;
  InputKind input;
  Shape shape;
  SimRuntime::Options cluster;
  Pace pace;
  // The driver's process alone is killed, and the next one has its workers.
  bool workers_outlive_driver = false;
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
  setting.input = Choose(InputKinds(), options.inputs, random());
  // Blocks that are not logged live no longer than their driver, unless its workers do.
  const bool is_received = setting.input.kind == InputKind::kReceived;
  const bool is_log = setting.input.kind == InputKind::kLog;
  const bool is_on_workers = is_received && !setting.input.is_logged;
  setting.workers_outlive_driver =
      setting.scenario.driver_end == DriverEnd::kCutOff ||
      (setting.scenario.driver_end == DriverEnd::kCrashes && (is_on_workers || random() % 2 == 0));
  setting.cluster.may_be_replaced = setting.workers_outlive_driver;
  if (is_on_workers && setting.scenario.driver_end == DriverEnd::kReplaced) {
    setting.input = InputKinds().front();
  } else if (is_received || is_log) {
    for (int64_t number = 0; number < setting.program.inputs; ++number) {
      setting.shape.received.push_back(
          std::make_shared<Received>(Received{.is_log = is_log,
                                              .is_logged = setting.input.is_logged,
                                              .source = number,
                                              .storage_level = setting.input.storage_level}));
    }
  }
  return setting;
}

// A program on a simulated cluster.
class Run {
 public:
  explicit Run(const RunOptions& options)
      : setting_(SettingOf(options)), cluster_(options.seed, setting_.pace) {}

  RunResult Execute() {
    result_.summary = absl::StrCat(
        setting_.scenario.name, ", ", setting_.program.name, ", ", setting_.input.name, ", ",
        setting_.cluster.workers, " workers, batches of ", setting_.shape.batch_interval.count(),
        " ms", setting_.workers_outlive_driver ? ", which outlive the driver" : "",
        setting_.cluster.speculates ? ", slow tasks run twice" : "");
    for (const auto& received : setting_.shape.received) {
      if (received->is_log) continue;
      sources_.push_back(std::make_unique<ReliableSource>(
          cluster_.world, cluster_.network, cluster_.NewNode(), received->source,
          setting_.shape.seed + static_cast<uint64_t>(received->source)));
    }
    RunProgram();
    result_.digest = cluster_.world.digest();
    result_.event_count = cluster_.world.event_count();
    return std::move(result_);
  }

 private:
  // The program's process, from its start to its end.
  struct Process {
    std::shared_ptr<internal::ContextCore> core;
    std::unique_ptr<StreamingContext> streaming;
    std::optional<Counter> counter;
  };

  void Fail(const std::string& text) { result_.failures.push_back(text); }
  int64_t IntervalMicros() const {
    return std::chrono::microseconds(setting_.shape.batch_interval).count();
  }

  std::shared_ptr<internal::ContextCore> MakeContext(ProcessFiles& files) {
    internal::RuntimeOptions options;
    options.fs = &files;
    options.make_runtime = [this](const Conf&, const internal::RuntimeOptions& made)
        -> absl::StatusOr<std::shared_ptr<internal::Runtime>> {
      SimRuntime::Options cluster = setting_.cluster;
      cluster.fs = made.fs;
      cluster.driver_epoch = made.driver_epoch;
      if (setting_.workers_outlive_driver) {
        cluster.driver_epoch = ++drivers_;
        if (left_ != nullptr && !left_->is_stopped()) cluster.left = left_;
        left_ = nullptr;
      }
      auto runtime = SimRuntime::Start(cluster_, cluster);
      if (!runtime.ok()) return runtime.status();
      runtime_ = *std::move(runtime);
      return runtime_;
    };
    const Conf conf =
        Conf()
            .SetAppName("sim")
            .Set("millrace.ui.showConsoleProgress", "false")
            .Set("millrace.streaming.gracefulStopTimeout", "120s")
            .Set("millrace.streaming.receiver.writeAheadLog.enable",
                 setting_.input.is_logged ? "true" : "false")
            .Set("millrace.streaming.receiver.writeAheadLog.rollingIntervalSecs", "1s");
    return std::make_shared<internal::ContextCore>(conf, options);
  }

  // False: it does not start.
  bool StartProcess() {
    files_.push_back(std::make_unique<ProcessFiles>(cluster_.fs, &cluster_.disk));
    has_ended_ = std::make_shared<bool>(false);
    process_.core = MakeContext(*files_.back());
    process_.streaming = std::make_unique<StreamingContext>(
        std::make_shared<internal::StreamingCore>(process_.core, setting_.shape.batch_interval));
    StreamingContext& streaming = *process_.streaming;
    streaming.Checkpoint(kCheckpointDirectory);
    process_.counter = streaming.context().LongAccumulator("records");
    Shape shape = setting_.shape;
    shape.has_ended = has_ended_;
    Collect(setting_.program.declare(streaming, shape, *process_.counter), collected_, has_ended_);
    const auto here = internal::Location::Current();
    if (restarts_ > 0) streaming.core().RecoverFrom({"RecoverFrom", here}, kCheckpointDirectory);
    const absl::Status started = streaming.core().Start(here, /*catch_signals=*/false);
    if (!started.ok()) failed_start_ = started;
    return started.ok();
  }

  void RunProgram() {
    if (!StartProcess()) return FailStart();
    Faults faults(cluster_, runtime_, setting_.scenario.faults);
    ReceivedCheck received([this]() -> const SimWorkers& { return runtime_->workers(); },
                           [this, &faults] { return IsQuiet(faults); });
    BeginSources(received);
    faults.Begin(setting_.fault_interval_micros);
    const int64_t end_micros = cluster_.world.now_micros() + kFaultBatches * IntervalMicros();
    while (cluster_.world.now_micros() < end_micros) {
      if (RunUnder(faults, end_micros)) continue;
      // Receivers end before what looks at them.
      process_ = Process();
      runtime_ = nullptr;
      return;
    }
    files_.back()->StayAlive();
    faults.End();
    for (const auto& source : sources_) source->End();
    AwaitRecovery();
    process_.streaming->Stop({.graceful = true, .stop_context = false});
    runtime_->workers().SetOnEnd(nullptr);
    lost_workers_ = faults.lost_worker_count();
    has_failed_tasks_ = faults.has_failed_tasks();
    has_failed_files_ = faults.has_failed_files();
    result_.log = faults.log();
    Check(received);
    process_.streaming = nullptr;  // All that holds on to data on workers goes with it.
    process_.counter.reset();
    if (runtime_ != nullptr) AwaitCleanUp();
    process_.core->Stop();
    runtime_ = nullptr;
  }

  void Check(const ReceivedCheck& received) {
    if (HasGivenUp()) return;
    for (const std::string& wrong : received.Failures()) Fail(wrong);
    // A driver that makes updates of state again goes on without one whose blocks are lost.
    const bool may_lack_updates = setting_.workers_outlive_driver && restarts_ > 0 &&
                                  setting_.program.keeps_state && received.has_lost_blocks();
    if (may_lack_updates) return;
    // Where it cannot be noted what a batch has, it is not made.
    const bool may_miss = has_failed_files_ && IsChosen();
    for (const std::string& wrong :
         Compare(*collected_, setting_.program, setting_.shape, /*may_repeat=*/restarts_ > 0,
                 may_miss, [&](const absl::Status& error) {
                   return MayFail(error) || received.IsOfLostBlock(error);
                 })) {
      Fail(wrong);
    }
    // A batch that runs again counts again.
    const bool has_exact_count = collected_->errors.empty() && restarts_ == 0;
    if (setting_.program.counts && has_exact_count) CheckCount(*collected_, *process_.counter);
  }

  void BeginSources(ReceivedCheck& check) {
    for (const auto& received : setting_.shape.received) {
      ReliableSource* const source =
          received->is_log ? nullptr : sources_.at(static_cast<size_t>(received->source)).get();
      check.Add(received, source);
      if (source != nullptr) cluster_.outside.push_back(source->node());
    }
    if (sources_.empty()) return;
    runtime_->workers().SetOnEnd([&check](SimWorker& worker) { check.OnWorkerEnds(worker); });
    for (const auto& source : sources_) source->Begin(IntervalMicros() / kSendsOfBatch);
  }

  bool IsQuiet(const Faults& faults) const {
    const int64_t now_micros = cluster_.world.now_micros();
    const bool has_faults = faults.changed_micros() > 0;
    return now_micros - runtime_->workers().changed_micros() > kJoinMicrosMax &&
           (!has_faults || now_micros - faults.changed_micros() > kQuietMicros);
  }

  // Until the driver has gone, or the faults end. False: there is no next driver.
  bool RunUnder(Faults& faults, int64_t end_micros) {
    World& world = cluster_.world;
    const DriverEnd driver_end = setting_.scenario.driver_end;
    if (driver_end == DriverEnd::kNever) {
      world.RunFor(end_micros - world.now_micros());
      return true;
    }
    world.RunFor(world.Between(1, kFaultBatches * IntervalMicros() / 2));
    if (driver_end == DriverEnd::kReplaced) return ReplaceDriver(faults);
    // Before there is a checkpoint, a program that is started again begins anew.
    if (world.now_micros() >= end_micros || !HasCheckpoint()) return true;
    if (driver_end == DriverEnd::kCutOff) {
      faults.CutOffDriver();
      world.RunFor(world.Between(1, kCutOffBatchesMax * IntervalMicros()));
      EndProcess();
    } else if (world.OneIn(2)) {
      EndProcess();
    } else {
      files_.back()->EndAfter(world.Between(0, kChangesMax), [this] { EndProcess(); });
      if (!world.RunUntil([this] { return *has_ended_; }, end_micros)) return true;
    }
    return RestartProgram(faults);
  }

  bool ReplaceDriver(Faults& faults) {
    faults.Pause();
    faults.Log("another driver takes the place of this one");
    ++restarts_;
    const absl::Status restarted = process_.streaming->core().RestartDriver();
    if (!restarted.ok()) Fail(absl::StrCat("no new driver: ", restarted.ToString()));
    faults.Resume();
    return restarted.ok();
  }

  // Of what a driver leaves to the next one.
  void SpoilFile(Faults& faults) {
    // Nothing else tells that the last checkpoint or a segment of a log was ever there.
    spoiled_file_ = cluster_.disk.SpoilFile(kCheckpointDirectory, [this](const std::string& path) {
      return path == LatestCheckpoint() || IsReceiverLog(path);
    });
    if (spoiled_file_.empty()) return;
    const bool is_gone = !cluster_.fs.Stat(spoiled_file_).ok();
    faults.Log(absl::StrCat(spoiled_file_, is_gone ? " is gone" : " has another byte"));
  }

  static bool IsReceiverLog(const std::string& path) {
    return absl::StrContains(path, "/receivedData/");
  }

  bool IsOfSpoiledFile(const absl::Status& error) const {
    return !spoiled_file_.empty() && absl::StrContains(error.message(), spoiled_file_);
  }

  // It was said which file is spoiled, and what cannot be done without it is not done.
  void NoteSpoiledStart(const Faults& faults) {
    result_.log = faults.log();
    result_.log.push_back(absl::StrCat("it does not start: ", failed_start_.ToString()));
  }

  void FailStart() { Fail(absl::StrCat("it does not start: ", failed_start_.ToString())); }

  bool HasCheckpoint() { return !LatestCheckpoint().empty(); }

  // Empty: there is none.
  std::string LatestCheckpoint() {
    int64_t latest = 0;
    const auto files = cluster_.fs.List(kCheckpointDirectory);
    for (const FileInfo& file : files.ok() ? *files : std::vector<FileInfo>()) {
      absl::string_view name = file.name;
      int64_t number = 0;
      if (!absl::ConsumePrefix(&name, "checkpoint-") || !absl::SimpleAtoi(name, &number)) continue;
      latest = std::max(latest, number);
    }
    return latest == 0 ? "" : absl::StrCat(kCheckpointDirectory, "/checkpoint-", latest);
  }

  // As an event, or where it changes a file: it puts nothing out from here on.
  void EndProcess() {
    *has_ended_ = true;
    files_.back()->End();
    if (setting_.scenario.driver_end == DriverEnd::kCutOff) {
      cluster_.network.SilenceFromHereOn(runtime_->env().node());
    } else {
      cluster_.network.Silence(runtime_->env().node());
    }
  }

  void LoseDriver() {
    if (setting_.workers_outlive_driver) {
      left_ = runtime_->CrashAlone();
    } else {
      runtime_->Crash();
    }
  }

  bool RestartProgram(Faults& faults) {
    World& world = cluster_.world;
    faults.Pause();
    faults.Log("the driver's process is killed");
    LoseDriver();
    process_ = Process();
    // The machines go down with it, or they do not.
    if (!setting_.workers_outlive_driver && world.OneIn(2)) {
      cluster_.fs.LoseUnsynced([&](const std::string& /*path*/, size_t bytes) {
        return static_cast<size_t>(world.Between(0, static_cast<int64_t>(bytes)));
      });
    }
    ++restarts_;
    world.RunFor(world.Between(1, 3 * IntervalMicros()));
    if (setting_.scenario.spoils_file && spoiled_file_.empty()) SpoilFile(faults);
    faults.Log("the program is started again");
    bool has_started = StartProcess();
    // Whoever supervises it starts it again; what is wrong with the disk is over some time.
    for (int left = kStartAttempts; !has_started && faults.has_failed_files() && left > 0; --left) {
      faults.Log(absl::StrCat("it does not start: ", failed_start_.ToString()));
      EndProcess();
      LoseDriver();
      process_ = Process();
      world.RunFor(kStartAgainMicros);
      has_started = StartProcess();
    }
    if (!has_started && IsOfSpoiledFile(failed_start_)) {
      NoteSpoiledStart(faults);
    } else if (!has_started) {
      FailStart();
    }
    if (!has_started && left_ != nullptr) left_->Stop();
    faults.Resume();
    return has_started;
  }

  void CheckCount(const Collected& collected, const Counter& counter) {
    int64_t expected = 0;
    for (const auto& [time, lines] : collected.lines) {
      if (!setting_.shape.IsKnown(time)) return;
      expected += static_cast<int64_t>(setting_.shape.InputOf(0).At(time).size());
    }
    if (counter.Value() == expected) return;
    Fail(absl::StrCat("counted ", counter.Value(), " records of ", expected));
  }

  // What a batch has does not follow from its time, and comes again as it was noted.
  bool IsChosen() const {
    return setting_.input.is_logged || setting_.input.kind == InputKind::kLog ||
           (setting_.input.kind == InputKind::kReceived && setting_.workers_outlive_driver);
  }

  static bool IsMissingUpdate(const absl::Status& error) {
    return absl::IsFailedPrecondition(error) &&
           absl::StrContains(error.message(), " ms is missing, and ");
  }

  bool HasFailedForSpoiledFile() const {
    return std::any_of(collected_->errors.begin(), collected_->errors.end(),
                       [this](const auto& error) { return IsOfSpoiledFile(error.second); });
  }

  // State cannot be made again without the file: no driver makes another batch, until it is told to
  // go on without.
  bool HasGivenUp() const {
    const absl::Status status =
        process_.streaming->AwaitTerminationOrTimeout(std::chrono::milliseconds(0)).status();
    return IsOfSpoiledFile(status) &&
           absl::StrContains(status.message(), "; to go on without it, set ");
  }

  static bool IsOfMissedUpdate(const absl::Status& error) {
    return absl::StrContains(error.message(), "and the update cannot be made twice");
  }

  bool HasFailedOtherwise() const {
    return std::any_of(collected_->errors.begin(), collected_->errors.end(),
                       [](const auto& failed) { return !IsOfMissedUpdate(failed.second); });
  }

  bool MayFail(const absl::Status& error) const {
    const absl::string_view message = error.message();
    if (IsOfSpoiledFile(error)) return true;
    if (IsMissingUpdate(error) && HasFailedForSpoiledFile()) return true;
    // A window looks back at an update that failed, and the state has gone on without it.
    if (IsOfMissedUpdate(error) && HasFailedOtherwise()) return true;
    // Windows with an inverse that were waiting for an update that failed cannot do without it.
    const bool misses_update = IsMissingUpdate(error);
    // State is updated where it is, be it on a worker on which tasks fail. Anything else runs
    // elsewhere, if there is an elsewhere.
    const bool failed_where_it_had_to_run =
        has_failed_tasks_ && (misses_update || absl::StrContains(message, kFailingReason));
    // A batch that could not be noted was not made.
    if (misses_update && has_failed_files_ && IsChosen()) return true;
    if (failed_where_it_had_to_run && (setting_.program.keeps_state || lost_workers_ > 0)) {
      return true;
    }
    // A job is given up that seems to end every worker that runs it, and so is the repair of a
    // state.
    if (lost_workers_ < kLossesOfJobMax) return false;
    return misses_update ||
           absl::StrContains(message, "workers were lost while they ran its tasks");
  }

  void AwaitRecovery() {
    World& world = cluster_.world;
    const auto is_well = [&] {
      if (HasGivenUp()) return true;
      const Time now = runtime_->Now();
      const bool is_acknowledged =
          std::all_of(sources_.begin(), sources_.end(),
                      [](const auto& source) { return source->is_all_acknowledged(); });
      return is_acknowledged &&
             collected_->last() + kBehindBatchesMax * setting_.shape.batch_interval >= now &&
             runtime_->workers().alive().size() == static_cast<size_t>(setting_.cluster.workers);
    };
    // From the next batch on.
    world.RunFor(IntervalMicros());
    if (world.RunUntil(is_well, world.now_micros() + kRecoveryMicrosMax)) return;
    Fail(absl::StrCat("120 s after the last fault its last batch is ", collected_->last().ms(),
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
      for (const auto& key : worker->worker().blocks().BlockKeys()) {
        absl::StrAppend(&left, ToString(key), "; ");
      }
      note("shuffles", worker->worker().shuffles().shuffle_count());
      note("state partitions", worker->worker().states().partition_count());
      note("tasks", worker->worker().core().idle() ? 0 : 1);
    }
    return left;
  }

  const Setting setting_;
  Cluster cluster_;
  std::vector<std::unique_ptr<ReliableSource>> sources_;
  const std::shared_ptr<Collected> collected_ = std::make_shared<Collected>();
  std::vector<std::unique_ptr<ProcessFiles>> files_;  // Of each process.
  std::shared_ptr<bool> has_ended_;                   // The present process.
  std::shared_ptr<SimRuntime> runtime_;
  std::shared_ptr<SimWorkers> left_;  // By a driver that is gone.
  int64_t drivers_ = 0;
  Process process_;
  int lost_workers_ = 0;
  bool has_failed_tasks_ = false;
  bool has_failed_files_ = false;
  absl::Status failed_start_;
  int restarts_ = 0;
  std::string spoiled_file_;
  RunResult result_;
};

}  // namespace

std::vector<std::string> ScenarioNames() { return NamesOf(Scenarios()); }

std::vector<std::string> ProgramNames() { return NamesOf(Programs()); }

std::vector<std::string> InputNames() { return NamesOf(InputKinds()); }

RunResult RunSeed(const RunOptions& options) { return Run(options).Execute(); }

}  // namespace millrace::sim
