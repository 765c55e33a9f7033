// A worker among a driver and peers that may say anything.
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/memory/compression.h"
#include "common/record/codec.h"
#include "common/time/system_clock.h"
#include "executor/service/worker_node.h"
#include "glog/logging.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/message_script.h"
#include "tests/fuzz/plan_operators.h"
#include "tests/support/fake_env.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

// kAnswer: what a peer says next to this worker. kMoment: time goes on, a held task runs, ...
enum Kind : uint8_t { kDriver, kPeer, kAnswer, kMoment, kKinds };

constexpr int64_t kWorkerId = 1;
constexpr size_t kMemoryBytes = size_t{1} << 20;

class Harness : WorkerTransport, PeerConnections {
 public:
  Harness() : node_(NodeOptions(), {env_, fs_, *this, *this}) {
    node_.MakeCore(CoreOptions());
    node_.core().Start();
  }
  // Whatever was said, nothing is left behind.
  ~Harness() override {
    node_.core().Stop();
    env_.HoldTasks(false);
    env_.RunUntilIdle();
    CHECK(node_.core().idle());
    CHECK(launched_.empty()) << "a task without a status";
  }

  bool has_failed() const { return has_failed_; }
  bool Take(const ScriptStep& step) {
    switch (step.kind % kKinds) {
      case kDriver:
        return TakeDriver(step);
      case kPeer:
        return TakePeer(step);
      case kAnswer: {
        proto::PeerReply reply;
        if (!ParseStep(step, reply)) return false;
        answers_.push_back(std::move(reply));
        return true;
      }
      default:
        Pass(step.bytes);
        return true;
    }
  }

 private:
  static WorkerNode::Options NodeOptions() {
    return {.worker_id = kWorkerId,
            .memory_bytes = kMemoryBytes,
            .spill_path = "/spill",
            .shuffle_message_bytes = 1024,
            .shuffle_codec = CompressionCodec::kLz4,
            .nanos = &MonotonicNanos};
  }

  static WorkerOptions CoreOptions() {
    WorkerOptions options;
    options.task_slots = 2;
    options.heartbeat_interval_micros = 1'000'000;
    options.status_bytes_max = size_t{64} << 10;
    return options;
  }

  bool TakeDriver(const ScriptStep& step) {
    proto::ToWorker message;
    if (!ParseStep(step, message) || message.has_shutdown()) return false;
    if (message.has_register_plan()) ExpandPlan(*message.mutable_register_plan());
    const bool is_heard = message.driver_epoch() >= epoch_;
    if (is_heard) HearEpoch(message.driver_epoch());
    for (const proto::TaskRequest& task : message.launch_tasks().tasks()) {
      if (is_heard && !answered_.contains(task.task_id())) launched_.insert(task.task_id());
    }
    node_.Handle(std::move(message));
    env_.RunUntilIdle();
    return true;
  }

  // The tasks of the driver before end without a word.
  void HearEpoch(int64_t epoch) {
    if (epoch_ != 0 && epoch != epoch_) {
      answered_.merge(launched_);
      launched_.clear();
    }
    epoch_ = epoch;
  }

  bool TakePeer(const ScriptStep& step) {
    proto::PeerRequest request;
    if (!ParseStep(step, request)) return false;
    bool is_done = false;
    node_.HandlePeer(std::move(request),
                     [&](const proto::PeerReply& reply) { is_done = reply.error_code() == 0; });
    env_.RunUntilIdle();
    return is_done;
  }

  static void ExpandPlan(proto::RegisterPlan& message) {
    proto::StagePlan plan;
    if (!plan.ParseFromString(message.plan())) return;
    ExpandOperatorNames(plan);
    message.set_plan(plan.SerializeAsString());
  }

  void Pass(const std::string& bytes) {
    const auto what = static_cast<uint8_t>(bytes.empty() ? 0 : bytes[0]);
    if (what % 2 == 0) env_.HoldTasks(what % 4 == 0);
    if (what % 8 == 1) env_.RunNextTask();
    if (what % 8 == 3) env_.Advance(1'500'000);
    env_.RunUntilIdle();
  }

  void SendToDriver(proto::ToDriver message) override {
    CHECK_EQ(message.worker_id(), kWorkerId);
    // It would be refused on its way.
    CHECK(proto::ToDriver().ParseFromString(message.SerializeAsString()));
    if (!message.has_task_status()) return;
    const int64_t task_id = message.task_status().task_id();
    if (message.task_status().outcome() == proto::TaskStatus::FAILED) has_failed_ = true;
    CHECK_EQ(launched_.erase(task_id), 1u) << "a status that nobody waits for";
    answered_.insert(task_id);
  }

  // A peer answers what the script says, or does what this worker would do in its place.
  void Call(int64_t worker_id, proto::PeerRequest request, Done done) override {
    if (!peers_.contains(worker_id)) return done(absl::UnavailableError("no such worker"));
    if (!answers_.empty()) {
      proto::PeerReply reply = std::move(answers_.front());
      answers_.pop_front();
      return done(std::move(reply));
    }
    proto::PeerReply answer;
    node_.HandlePeer(std::move(request),
                     [&](proto::PeerReply reply) { answer = std::move(reply); });
    done(std::move(answer));
  }
  void AddPeer(int64_t worker_id, std::string /*address*/) override { peers_.insert(worker_id); }
  void RemovePeer(int64_t worker_id) override { peers_.erase(worker_id); }

  MemoryFileSystem fs_;
  FakeEnv env_{fs_};
  std::set<int64_t> peers_;
  std::deque<proto::PeerReply> answers_;
  int64_t epoch_ = 0;
  std::set<int64_t> launched_;  // And not answered yet.
  std::set<int64_t> answered_;
  bool has_failed_ = false;  // A task.
  WorkerNode node_;
};

bool Run(std::string_view bytes) {
  Harness harness;
  bool is_right = true;
  for (const ScriptStep& step : ReadScript(bytes)) is_right = harness.Take(step) && is_right;
  return is_right && !harness.has_failed();
}

// -----------------------------------------------------------------------------------------------
// Seeds.

constexpr uint64_t kMapPlan = 7;
constexpr uint64_t kReducePlan = 8;

class SeedWriter {
 public:
  proto::ToWorker& Driver() { return driver_.emplace_back(); }
  SeedWriter& Say() {
    for (const proto::ToWorker& message : std::exchange(driver_, {})) {
      steps_.push_back(StepOf(kDriver, message));
    }
    return *this;
  }
  SeedWriter& Peer(const proto::PeerRequest& request) {
    Say().steps_.push_back(StepOf(kPeer, request));
    return *this;
  }
  SeedWriter& Moment(uint8_t what) {
    Say().steps_.push_back({kMoment, std::string(1, static_cast<char>(what))});
    return *this;
  }
  SeedWriter& Answer(const proto::PeerReply& reply) {
    Say().steps_.push_back(StepOf(kAnswer, reply));
    return *this;
  }
  std::string Take() {
    Say();
    return WriteScript(steps_);
  }

 private:
  std::deque<proto::ToWorker> driver_;
  std::vector<ScriptStep> steps_;
};

void RegisterPlan(SeedWriter& seed, uint64_t digest, const proto::StagePlan& plan) {
  proto::RegisterPlan& message = *seed.Driver().mutable_register_plan();
  message.set_plan_digest(digest);
  message.set_plan(plan.SerializeAsString());
}

proto::TaskRequest& AddTask(proto::ToWorker& message, int64_t task_id, uint64_t plan) {
  proto::TaskRequest& task = *message.mutable_launch_tasks()->add_tasks();
  task.set_task_id(task_id);
  task.set_plan_digest(plan);
  return task;
}

std::string Words() { return EncodeToString(Word("a", 1)) + EncodeToString(Word("b", 2)); }

// What a map task on another worker would send.
proto::PeerRequest MapOutputOf(uint32_t map_partition, CompressionCodec codec) {
  proto::PeerRequest request;
  proto::PutMapOutput& put = *request.mutable_put_map_output();
  put.set_shuffle_id(3);
  put.set_map_partition(map_partition);
  put.set_task_id(100 + map_partition);
  put.set_is_last(true);
  std::string records;
  for (int i = 0; i < 20; ++i) {
    records += EncodeToString(uint64_t{0}) + EncodeToString(Word("word", i));
  }
  put.add_reduce_partitions(0);
  put.add_reduce_partitions(1);
  put.add_pieces(records);
  put.add_pieces(records);
  if (const auto compressed = Compress(codec, records)) {
    put.set_codec(static_cast<uint32_t>(codec));
    put.set_pieces(0, *compressed);
    put.add_plain_sizes(static_cast<uint32_t>(records.size()));
    put.add_plain_sizes(0);
  }
  return request;
}

// Of words that are counted, with a partition of the map outputs here and all of the others there.
std::string ShuffleSeed() {
  SeedWriter seed;
  proto::StagePlan map;
  AddNode(map, 'K', {AddNode(map, 'V', {}, proto::BINDING_SPLIT)}, proto::BINDING_OUTPUT);
  RegisterPlan(seed, kMapPlan, map);
  proto::StagePlan reduce;
  AddCollect(reduce, AddNode(reduce, 'k', {AddNode(reduce, 'r', {}, proto::BINDING_SHUFFLE)}));
  RegisterPlan(seed, kReducePlan, reduce);
  proto::Peers::Peer& peer = *seed.Driver().mutable_peers()->add_added();
  peer.set_worker_id(2);
  peer.set_address("elsewhere:7");
  proto::ToWorker& launch = seed.Driver();
  proto::TaskRequest& map_task = AddTask(launch, 1, kMapPlan);
  proto::OutputBinding& output = *map_task.add_bindings()->mutable_output();
  output.set_shuffle_id(3);
  output.set_reduce_count(2);
  output.add_reduce_workers(1);
  output.add_reduce_workers(2);
  map_task.add_bindings()->set_split(Words());
  proto::ShuffleBinding& input = *AddTask(launch, 2, kReducePlan).add_bindings()->mutable_shuffle();
  input.set_shuffle_id(3);
  input.set_map_count(3);
  proto::PeerReply accepted;
  seed.Answer(accepted);
  seed.Peer(MapOutputOf(1, CompressionCodec::kLz4)).Peer(MapOutputOf(2, CompressionCodec::kZstd));
  seed.Driver().mutable_drop_shuffle()->set_shuffle_id(3);
  return seed.Take();
}

// A block's second copy, a task that reads it, and the end of the worker that had received it.
std::string BlocksSeed() {
  SeedWriter seed;
  proto::StagePlan plan;
  const uint32_t lines = AddNode(plan, 'L', {}, proto::BINDING_BLOCKS);
  AddCollect(plan, AddNode(plan, 'm', {lines}));
  RegisterPlan(seed, kMapPlan, plan);
  proto::PeerRequest put;
  put.mutable_put_block()->set_receiving_worker(2);
  put.mutable_put_block()->mutable_block()->mutable_id()->set_stream_id(1);
  put.mutable_put_block()->mutable_block()->mutable_id()->set_sequence(5);
  put.mutable_put_block()->set_storage_level(3);
  put.mutable_put_block()->add_buffers("a line\nanother\n");
  seed.Peer(put);
  proto::PeerRequest fetch;
  fetch.mutable_fetch_block()->set_stream_id(1);
  fetch.mutable_fetch_block()->set_sequence(5);
  seed.Peer(fetch);
  proto::BlockId& block =
      *AddTask(seed.Driver(), 1, kMapPlan).add_bindings()->mutable_blocks()->add_blocks();
  block = put.put_block().block().id();
  seed.Driver().mutable_peers()->add_removed(2);
  *seed.Driver().mutable_drop_blocks()->add_blocks() = block;
  return seed.Take();
}

std::string StateSeed() {
  SeedWriter seed;
  proto::StagePlan plan;
  const uint32_t words = AddNode(plan, 'V', {}, proto::BINDING_SPLIT);
  AddNode(plan, 'U', {AddNode(plan, 'h', {words})}, proto::BINDING_STATE);
  RegisterPlan(seed, kMapPlan, plan);
  proto::TaskRequest& task = AddTask(seed.Driver(), 1, kMapPlan);
  proto::StateBinding& state = *task.add_bindings()->mutable_state();
  state.set_state_id(5);
  state.set_batch_time_ms(1000);
  state.set_previous_time_ms(-1);
  state.set_rdd_id(12);
  state.set_storage_level(3);
  task.add_bindings()->set_split(Words());
  seed.Driver().mutable_commit_task()->set_task_id(1);
  proto::PeerRequest fetch;
  fetch.mutable_fetch_cached()->set_rdd_id(12);
  seed.Peer(fetch);
  seed.Driver().mutable_drop_state()->set_state_id(5);
  seed.Driver().mutable_drop_rdd()->set_rdd_id(12);
  return seed.Take();
}

// Of tasks that are held and cancelled, and of all that a driver says besides.
std::string CancelSeed() {
  SeedWriter seed;
  proto::StagePlan plan;
  AddNode(plan, 'N', {AddNode(plan, 'V', {}, proto::BINDING_SPLIT)});
  RegisterPlan(seed, kMapPlan, plan);
  seed.Driver().mutable_put_broadcast()->set_broadcast_id(4);
  seed.Moment(0);
  proto::ToWorker& launch = seed.Driver();
  for (const int64_t id : {1, 2, 3}) {
    proto::TaskRequest& task = AddTask(launch, id, kMapPlan);
    task.add_bindings()->set_split(Words());
    task.add_broadcast_ids(4);
  }
  seed.Driver().mutable_cancel_task()->set_task_id(1);
  seed.Driver().mutable_cancel_task()->set_task_id(3);
  seed.Moment(1).Moment(3);
  seed.Driver().mutable_start_receiver()->set_stream_id(1);
  seed.Driver().mutable_update_rate()->set_stream_id(1);
  seed.Driver().mutable_cut_blocks()->set_batch_time_ms(1000);
  seed.Driver().mutable_stop_receiver()->set_stream_id(1);
  proto::CopyBlocks& copy = *seed.Driver().mutable_copy_blocks();
  copy.set_holder(2);
  copy.set_storage_level(3);
  copy.add_blocks()->set_stream_id(1);
  seed.Driver().mutable_drop_broadcast()->set_broadcast_id(4);
  proto::PeerRequest abandon;
  abandon.mutable_abandon_map_output()->set_shuffle_id(3);
  return seed.Peer(abandon).Take();
}

FuzzSeeds Seeds() {
  return {{"shuffle", ShuffleSeed()},
          {"blocks", BlocksSeed()},
          {"state", StateSeed()},
          {"cancel", CancelSeed()}};
}

std::vector<const google::protobuf::Message*> Prototypes() {
  return {&proto::ToWorker::default_instance(), &proto::PeerRequest::default_instance(),
          &proto::PeerReply::default_instance(), nullptr};
}

const FuzzTarget target("worker", Run, Seeds, Prototypes);

}  // namespace
}  // namespace millrace::internal
