// A driver among workers that may say anything: jobs, states, cached data and a streaming run are
// under way.
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/driver_core.h"
#include "glog/logging.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/message_script.h"
#include "tests/support/fake_env.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/scripted_workers.h"

namespace millrace::internal {
namespace {

enum Kind : uint8_t { kMessage, kAnswer, kMoment, kKinds };

constexpr int64_t kWorkers = 3;

// Its batches read what their blocks hold.
class OneJobGraph : public BatchGraph {
 public:
  void BeginAfter(Time /*zero_time*/) override {}
  absl::StatusOr<GeneratedBatch> GenerateJobs(Time batch_time, const BatchBlocks& blocks) override {
    GeneratedBatch batch;
    for (const auto& [stream_id, of_stream] : blocks) {
      for (const ReceivedBlock& block : of_stream) blocks_[batch_time].push_back(block.id);
    }
    batch.jobs.push_back(
        {.output_op_id = 0, .name = "Print", .description = "Print at fuzz.cc:1", .run = [] {
           return absl::OkStatus();
         }});
    return batch;
  }
  Time ClearCompleted(Time batch_time, bool /*cut_short*/) override {
    blocks_.erase(batch_time);
    return batch_time;
  }

 private:
  std::map<Time, std::vector<BlockRef>> blocks_;
};

class Harness {
 public:
  // `earlier`: the hello of a worker that another driver has left.
  explicit Harness(const proto::ToDriver& earlier) {
    for (int64_t id = 1; id <= kWorkers; ++id) AddWorker(id);
    if (earlier.has_hello()) {
      core_.HandleMessage(earlier);
      core_.earlier_blocks();
    }
    StartStreaming();
    StartJobs();
    env_.RunUntilIdle();
  }
  // Whatever was said, jobs end and nothing is kept once nobody needs it.
  ~Harness() {
    core_.Stop();
    held_.clear();
    env_.RunUntilIdle();
    CHECK_EQ(ended_count_, job_count_) << "a job without an end";
  }

  bool Take(const ScriptStep& step) {
    switch (step.kind % kKinds) {
      case kMessage: {
        proto::ToDriver message;
        if (!ParseStep(step, message)) return false;
        core_.HandleMessage(std::move(message));
        break;
      }
      case kAnswer:
        return Answer(step);
      default:
        Pass(step.bytes);
    }
    env_.RunUntilIdle();
    return true;
  }
  bool has_failed() const { return has_failed_; }

 private:
  void AddWorker(int64_t id) {
    proto::ToDriver message;
    message.set_worker_id(id);
    message.mutable_hello()->set_host("host" + std::to_string(id));
    message.mutable_hello()->set_task_slots(2);
    message.mutable_hello()->set_peer_address("host:" + std::to_string(id));
    core_.HandleMessage(std::move(message));
  }

  // Of the next launched task: the status is its own but for the id.
  bool Answer(const ScriptStep& step) {
    proto::TaskStatus status;
    if (!ParseStep(step, status) || workers_.launched().empty()) return false;
    const LaunchedTask task = workers_.Take();
    proto::ToDriver message;
    if (status.outcome() == proto::TaskStatus::SUCCEEDED) message = Success(task);
    message.set_worker_id(task.worker_id);
    message.mutable_task_status()->MergeFrom(status);
    message.mutable_task_status()->set_task_id(task.id());
    core_.HandleMessage(std::move(message));
    env_.RunUntilIdle();
    return true;
  }

  void Pass(const std::string& bytes) {
    const auto what = static_cast<uint8_t>(bytes.empty() ? 0 : bytes[0]);
    const int64_t worker_id = 1 + what / 4 % kWorkers;
    switch (what % 4) {
      case 0:
        return env_.Advance(1'100'000);
      case 1:
        return core_.WorkerLost(worker_id, "fuzz");
      case 2:
        return AddWorker(worker_id);
      default:
        return env_.Advance(50'000);
    }
  }

  // ---------------------------------------------------------------------------------------------
  // What is under way.

  static OperatorRef Op(const std::string& name, BindingKind binding = BindingKind::kNone) {
    return std::make_shared<const OperatorSpec>(OperatorSpec{name, "", binding, name});
  }
  RddRef Node(const std::string& name, int partitions, BindingKind binding = BindingKind::kNone) {
    static const RecordTypeOperators& type = *new RecordTypeOperators{
        Op("cached_read", BindingKind::kCached), Op("cached_write", BindingKind::kCached)};
    auto node = std::make_shared<RddNode>();
    node->rdd_id = ++last_id_;
    node->op = Op(name, binding);
    node->type = &type;
    node->num_partitions = partitions;
    return node;
  }
  Lease LeaseOf(int64_t id, void (DriverCore::*drop)(int64_t)) {
    return Lease(this, [this, id, drop](void*) { (core_.*drop)(id); });
  }
  RddRef Source(int partitions) {
    RddRef node = Node("source", partitions, BindingKind::kSplit);
    node->sources.resize(static_cast<size_t>(partitions));
    return node;
  }
  RddRef Shuffled(const std::string& name, const RddRef& parent, int partitions,
                  BindingKind binding = BindingKind::kNone) {
    RddRef node = Node(name, partitions, binding);
    auto shuffle = std::make_shared<ShuffleSpec>();
    shuffle->shuffle_id = ++last_id_;
    shuffle->num_reduce = partitions;
    shuffle->write = Op("write", BindingKind::kOutput);
    shuffle->read = Op("read", BindingKind::kShuffle);
    shuffle->lease = LeaseOf(shuffle->shuffle_id, &DriverCore::DropShuffle);
    Dependency dependency;
    dependency.kind = DependencyKind::kShuffle;
    dependency.parent = parent;
    dependency.shuffle = std::move(shuffle);
    node->dependencies.push_back(std::move(dependency));
    return node;
  }
  RddRef Persisted(RddRef node) {
    node->storage_level = StorageLevel::kMemoryAndDisk;
    node->cache_lease = LeaseOf(node->rdd_id, &DriverCore::DropRdd);
    return node;
  }
  RddRef Stateful(const RddRef& parent, int64_t batch_time_ms, int64_t previous_time_ms) {
    RddRef node = Persisted(Shuffled("state", parent, 2, BindingKind::kState));
    node->batch_time_ms = batch_time_ms;
    auto update = std::make_shared<StateUpdate>();
    update->state_id = 1;
    update->batch_time_ms = batch_time_ms;
    update->previous_time_ms = previous_time_ms;
    node->state = std::move(update);
    return node;
  }

  void Collect(const RddRef& rdd) {
    JobSpec spec;
    spec.rdd = rdd;
    spec.root = Op("collect");
    spec.partitions.resize(static_cast<size_t>(rdd->num_partitions));
    std::iota(spec.partitions.begin(), spec.partitions.end(), 0);
    held_.push_back(rdd);
    ++job_count_;
    core_.SubmitJob(std::move(spec), [this](const absl::StatusOr<JobResult>& result) {
      ++ended_count_;
      if (!result.ok()) has_failed_ = true;
    });
  }

  void StartJobs() {
    core_.accumulators().Register(7,
                                  [](std::string_view /*encoded*/, int64_t /*batch_time_ms*/) {});
    const RddRef cached = Persisted(Source(2));
    Collect(Shuffled("sum", cached, 2));
    Collect(cached);
    const RddRef state = Stateful(Source(2), 1000, -1);
    Collect(state);
    Collect(Stateful(Source(1), 2000, 1000));
  }

  void StartStreaming() {
    StreamingSpec spec;
    spec.batch_interval = std::chrono::milliseconds(1000);
    spec.graph = std::make_shared<OneJobGraph>();
    spec.backpressure_enabled = true;
    spec.initial_rate = 1000;
    for (int64_t stream_id = 0; stream_id < 2; ++stream_id) {
      ReceiverSpec receiver;
      receiver.stream_id = stream_id;
      receiver.operator_name = "receiver";
      receiver.name = "Receiver-" + std::to_string(stream_id);
      spec.receivers.push_back(std::move(receiver));
    }
    spec.recovered.taken_over[0] = {.assigned = {{0, 2}}, .unheard = {}};
    StreamingRun::Observer observer;
    observer.batch_completed = [](Time /*time*/, const absl::Status& /*status*/) {};
    observer.error = [](const absl::Status& /*error*/) {};
    observer.stopped = [] {};
    const auto run = core_.BeginStreaming(std::move(spec), std::move(observer));
    CHECK(run.ok()) << run.status();
    CHECK((*run)->Start().ok());
  }

  static DriverOptions Options() {
    DriverOptions options;
    options.epoch = 0;  // Ids are small numbers.
    options.worker_timeout_micros = 60'000'000;
    options.repairs_states = true;
    options.tasks.speculation.is_enabled = true;
    return options;
  }

  MemoryFileSystem fs_;
  FakeEnv env_{fs_};
  ScriptedWorkers workers_;
  int64_t last_id_ = 0;
  int job_count_ = 0;
  int ended_count_ = 0;
  bool has_failed_ = false;
  DriverCore core_{env_, workers_, Options()};
  std::vector<RddRef> held_;
};

bool Run(std::string_view bytes) {
  const std::vector<ScriptStep> steps = ReadScript(bytes);
  proto::ToDriver earlier;
  const bool begins_with_message = !steps.empty() && steps.front().kind % kKinds == kMessage;
  if (begins_with_message && !ParseStep(steps.front(), earlier)) earlier.Clear();
  Harness harness(earlier);
  bool is_right = true;
  for (const ScriptStep& step : steps) is_right = harness.Take(step) && is_right;
  return is_right && !harness.has_failed();
}

// -----------------------------------------------------------------------------------------------
// Seeds.

ScriptStep Moment(uint8_t what) { return {kMoment, std::string(1, static_cast<char>(what))}; }

ScriptStep Succeeded() {
  proto::TaskStatus status;
  status.set_result("result");
  status.add_accumulators()->set_accumulator_id(7);
  proto::OperatorMetrics& metrics = *status.add_operators();
  metrics.set_records(10);
  metrics.set_nanos(1000);
  status.set_run_micros(20);
  return StepOf(kAnswer, status);
}

std::string AllSucceed() { return WriteScript(std::vector<ScriptStep>(12, Succeeded())); }

std::string WorkersGo() {
  std::vector<ScriptStep> steps(3, Succeeded());
  steps.push_back(Moment(1));
  steps.push_back(Succeeded());
  steps.push_back(Moment(2));
  steps.insert(steps.end(), 14, Succeeded());
  return WriteScript(steps);
}

std::string BlocksAreReceived() {
  std::vector<ScriptStep> steps;
  proto::ToDriver started;
  started.set_worker_id(1);
  started.mutable_receiver_event()->set_name("Receiver-0");
  steps.push_back(StepOf(kMessage, started));
  proto::ToDriver report;
  report.set_worker_id(1);
  proto::StoredBlock& block = *report.mutable_block_report()->add_blocks();
  block.mutable_id()->set_sequence(1);
  block.set_record_count(10);
  block.set_size_bytes(100);
  block.set_replica(2);
  steps.push_back(StepOf(kMessage, report));
  proto::ToDriver cut;
  cut.set_worker_id(1);
  cut.mutable_block_report()->set_batch_time_ms(1000);
  steps.push_back(StepOf(kMessage, cut));
  steps.push_back(Moment(0));
  proto::ToDriver copied;
  copied.set_worker_id(3);
  *copied.mutable_blocks_copied()->add_blocks() = block.id();
  steps.push_back(StepOf(kMessage, copied));
  proto::ToDriver dropped;
  dropped.set_worker_id(2);
  dropped.mutable_cached_dropped()->add_partitions()->set_rdd_id(1);
  steps.push_back(StepOf(kMessage, dropped));
  proto::ToDriver heartbeat;
  heartbeat.set_worker_id(2);
  heartbeat.mutable_heartbeat()->set_memory_used_bytes(7);
  steps.push_back(StepOf(kMessage, heartbeat));
  proto::ToDriver stopped;
  stopped.set_worker_id(1);
  stopped.mutable_receiver_event()->set_kind(proto::ReceiverEvent::STOPPED);
  stopped.mutable_receiver_event()->set_message("it ended");
  steps.push_back(StepOf(kMessage, stopped));
  steps.push_back(Moment(0));
  steps.push_back(Moment(0));
  return WriteScript(steps);
}

std::string AWorkerWasLeft() {
  proto::ToDriver left;
  left.set_worker_id(4);
  proto::WorkerHello& hello = *left.mutable_hello();
  hello.set_host("host4");
  hello.set_task_slots(2);
  hello.set_driver_epoch(1);
  for (int64_t sequence = 1; sequence <= 4; ++sequence) {
    hello.add_blocks()->mutable_id()->set_sequence(sequence);
  }
  proto::StartReceiver& start = *hello.add_receivers()->mutable_start();
  start.set_operator_name("receiver");
  start.set_storage_level(static_cast<uint32_t>(StorageLevel::kMemoryAndDisk2));
  hello.add_receivers()->mutable_start()->set_stream_id(1);
  return WriteScript({StepOf(kMessage, left), Moment(0), Succeeded(), Moment(0)});
}

FuzzSeeds Seeds() {
  return {{"all-succeed", AllSucceed()},
          {"workers-go", WorkersGo()},
          {"blocks", BlocksAreReceived()},
          {"a-worker-was-left", AWorkerWasLeft()}};
}

std::vector<const google::protobuf::Message*> Prototypes() {
  return {&proto::ToDriver::default_instance(), &proto::TaskStatus::default_instance(), nullptr};
}

const FuzzTarget target("driver", Run, Seeds, Prototypes);

}  // namespace
}  // namespace millrace::internal
