#include "executor/service/worker_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "common/base/epoch_ids.h"
#include "common/time/system_clock.h"
#include "tests/support/fake_env.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/number_operators.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

using Status = proto::TaskStatus;

// Notes what it is asked for.
class NotingReceivers : public ReceiverService {
 public:
  void SetListener(Listener* listener) override { listener_ = listener; }
  void Start(const proto::StartReceiver& request) override {
    calls.push_back("start " + std::to_string(request.stream_id()));
  }
  void Stop(int64_t stream_id, const std::string& reason) override {
    calls.push_back("stop " + std::to_string(stream_id) + " " + reason);
  }
  void UpdateRate(const proto::UpdateRate& request) override {
    calls.push_back("rate " + std::to_string(request.stream_id()) + " " +
                    std::to_string(static_cast<int>(request.rate_limit())));
  }
  void CutBlocks(int64_t batch_time_ms) override {
    calls.push_back("cut " + std::to_string(batch_time_ms));
    proto::BlockReport report;
    report.set_stream_id(1);
    report.set_batch_time_ms(batch_time_ms);
    listener_->OnBlockReport(std::move(report));
  }

  std::vector<proto::RunningReceiver> Running() const override {
    proto::RunningReceiver running;
    running.set_stored_bytes(77);
    return {running};
  }

  std::vector<std::string> calls;
  Listener* listener_ = nullptr;
};

// Another worker, which answers when the test says so.
class HeldPeer : public PeerTransport {
 public:
  void Call(int64_t worker_id, proto::PeerRequest request, Done done) override {
    EXPECT_EQ(worker_id, 7);
    if (request.has_abandon_map_output()) ++abandoned;
    if (request.has_put_map_output()) unanswered.push_back(std::move(done));
  }
  void Answer(absl::StatusOr<proto::PeerReply> reply) {
    Done done = std::move(unanswered.front());
    unanswered.erase(unanswered.begin());
    done(std::move(reply));
  }

  std::vector<Done> unanswered;
  int abandoned = 0;
};

class WorkerCoreTest : public ::testing::Test, protected WorkerTransport {
 protected:
  static constexpr uint64_t kMap = 100;      // split -> hooked -> shuffle write
  static constexpr uint64_t kReduce = 101;   // shuffle read -> collect
  static constexpr uint64_t kCollect = 102;  // split -> hooked -> collect
  static constexpr uint64_t kState = 103;    // split -> hooked -> sum
  static constexpr uint64_t kCache = 104;    // split -> cache

  WorkerCoreTest()
      : env_(fs_),
        disk_(fs_, "/spill"),
        blocks_(budget_, disk_),
        shuffles_(budget_, blocks_, disk_),
        core_(
            {.worker_id = 42,
             .application_id = "app",
             .host = "here",
             .peer_address = "here:77",
             .binary_digest = "abc",
             .task_slots = 2,
             .status_bytes_max = 4096},
            {env_, *this, TaskServices{blocks_, shuffles_, router_, states_, fs_, &MonotonicNanos},
             disk_, budget_, receivers_}) {
    TestHook::on_number = [](int64_t) {};
    RegisterPlans();
  }
  // Whatever a test did, nothing is left behind.
  ~WorkerCoreTest() override {
    env_.HoldTasks(false);
    env_.RunUntilIdle();
    EXPECT_TRUE(core_.idle());
    TestHook::on_number = nullptr;
  }

  void SendToDriver(proto::ToDriver message) override {
    EXPECT_EQ(message.worker_id(), 42);
    if (message.has_task_status()) {
      const Status& status = message.task_status();
      EXPECT_TRUE(statuses_.emplace(status.task_id(), status).second) << "two statuses";
      finished_.push_back(status.task_id());
    }
    messages_.push_back(std::move(message));
  }

  void RegisterPlans() {
    PlanBuilder map;
    map.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
    map.Add<HookedNumbers>({0});
    map.Add<ShuffleWriteNumbers>({1}, "", proto::BINDING_OUTPUT);
    Register(kMap, map.Serialize());
    PlanBuilder reduce;
    reduce.Add<ShuffleReadNumbers>({}, "", proto::BINDING_SHUFFLE);
    reduce.Add<CollectNumbers>({0});
    Register(kReduce, reduce.Serialize());
    PlanBuilder collect;
    collect.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
    collect.Add<HookedNumbers>({0});
    collect.Add<CollectNumbers>({1});
    Register(kCollect, collect.Serialize());
    PlanBuilder state;
    state.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
    state.Add<HookedNumbers>({0});
    state.Add<SumState>({1}, "", proto::BINDING_STATE);
    Register(kState, state.Serialize());
    PlanBuilder cache;
    cache.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
    cache.Add<CacheNumbers>({0}, "", proto::BINDING_CACHED);
    Register(kCache, cache.Serialize());
  }
  void Register(uint64_t digest, const std::string& plan) {
    proto::ToWorker message;
    message.mutable_register_plan()->set_plan_digest(digest);
    message.mutable_register_plan()->set_plan(plan);
    core_.Handle(std::move(message));
  }
  static void AddTask(proto::ToWorker& message, int64_t task_id, uint64_t plan,
                      const std::vector<proto::Binding>& bindings) {
    proto::TaskRequest& task = *message.mutable_launch_tasks()->add_tasks();
    task.set_task_id(task_id);
    task.set_plan_digest(plan);
    for (const proto::Binding& binding : bindings) *task.add_bindings() = binding;
  }
  void Launch(int64_t task_id, uint64_t plan, const std::vector<proto::Binding>& bindings) {
    proto::ToWorker message;
    AddTask(message, task_id, plan, bindings);
    core_.Handle(std::move(message));
  }
  void LaunchOf(int64_t driver_epoch, int64_t task_id, uint64_t plan,
                const std::vector<proto::Binding>& bindings) {
    proto::ToWorker message;
    message.set_driver_epoch(driver_epoch);
    AddTask(message, task_id, plan, bindings);
    core_.Handle(std::move(message));
  }
  void Cancel(int64_t task_id) {
    proto::ToWorker message;
    message.mutable_cancel_task()->set_task_id(task_id);
    core_.Handle(std::move(message));
  }
  void Judge(int64_t task_id, bool abort) {
    proto::ToWorker message;
    message.mutable_commit_task()->set_task_id(task_id);
    message.mutable_commit_task()->set_abort(abort);
    core_.Handle(std::move(message));
  }
  void DropShuffle(int64_t shuffle_id) {
    proto::ToWorker message;
    message.mutable_drop_shuffle()->set_shuffle_id(shuffle_id);
    core_.Handle(std::move(message));
  }
  void DropRdd(int64_t rdd_id) {
    proto::ToWorker message;
    message.mutable_drop_rdd()->set_rdd_id(rdd_id);
    core_.Handle(std::move(message));
  }
  // Runs the oldest task's work and tells the core.
  void RunOneTask() {
    ASSERT_TRUE(env_.RunNextTask());
    env_.RunUntilIdle();
  }

  MemoryFileSystem fs_;
  FakeEnv env_;
  MemoryBudget budget_{1000};
  SpillDir disk_;
  BlockStore blocks_;
  ShuffleStore shuffles_;
  HeldPeer peer_;
  ShuffleRouter router_{{.worker_id = 42, .timeout = std::chrono::seconds(10)}, shuffles_, peer_};
  StateStore states_;
  NotingReceivers receivers_;
  std::vector<proto::ToDriver> messages_;
  std::map<int64_t, Status> statuses_;
  std::vector<int64_t> finished_;
  WorkerCore core_;
};

TEST_F(WorkerCoreTest, SaysHello) {
  core_.Start();
  ASSERT_EQ(messages_.size(), 1u);
  EXPECT_EQ(messages_[0].hello().host(), "here");
  EXPECT_EQ(messages_[0].hello().task_slots(), 2u);
  EXPECT_EQ(messages_[0].hello().binary_digest(), "abc");
  EXPECT_EQ(messages_[0].hello().application_id(), "app");
  EXPECT_EQ(messages_[0].hello().peer_address(), "here:77");
}

TEST_F(WorkerCoreTest, RunsATaskAndReturnsItsResult) {
  Launch(1, kCollect, {SplitBinding({1, 2})});
  env_.RunUntilIdle();
  EXPECT_THAT(NumbersOf(statuses_[1]), ElementsAre(1, 2));
  EXPECT_TRUE(core_.idle());
}

TEST_F(WorkerCoreTest, AResultThatCannotBeSentFailsItsTask) {
  std::vector<int64_t> numbers(5000, int64_t{1} << 60);
  Launch(1, kCollect, {SplitBinding(numbers)});
  env_.RunUntilIdle();
  EXPECT_EQ(statuses_[1].outcome(), Status::FAILED);
  EXPECT_EQ(statuses_[1].error_code(), static_cast<int>(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(statuses_[1].error_message(), HasSubstr("the task's result of "));
  EXPECT_EQ(statuses_[1].result(), "");
}

TEST_F(WorkerCoreTest, ReducesStartWhenTheLastMapHasFinishedWithoutTheDriver) {
  env_.HoldTasks(true);
  proto::ToWorker message;
  AddTask(message, 1, kMap, {ShuffleOutput(9, 0, 2), SplitBinding({1, 2})});
  AddTask(message, 2, kMap, {ShuffleOutput(9, 1, 2), SplitBinding({3, 4})});
  AddTask(message, 3, kReduce, {ShuffleInput(9, 0, 2)});
  AddTask(message, 4, kReduce, {ShuffleInput(9, 1, 2)});
  core_.Handle(std::move(message));
  EXPECT_EQ(env_.task_count(), 2u);
  RunOneTask();
  EXPECT_EQ(env_.task_count(), 1u);
  RunOneTask();
  EXPECT_EQ(env_.task_count(), 2u);
  env_.HoldTasks(false);
  env_.RunUntilIdle();
  EXPECT_THAT(NumbersOf(statuses_[3]), ElementsAre(2, 4));
  EXPECT_THAT(NumbersOf(statuses_[4]), ElementsAre(1, 3));
}

TEST_F(WorkerCoreTest, AWaitingReduceHoldsNoSlot) {
  env_.HoldTasks(true);
  for (int64_t id = 1; id <= 5; ++id) Launch(id, kReduce, {ShuffleInput(9, 0, 1)});
  EXPECT_EQ(env_.task_count(), 0u);
  Launch(6, kCollect, {SplitBinding({1})});
  EXPECT_EQ(env_.task_count(), 1u);
  Launch(7, kMap, {ShuffleOutput(9, 0, 1), SplitBinding({1})});
  env_.HoldTasks(false);
  env_.RunUntilIdle();
  EXPECT_EQ(statuses_.size(), 7u);
}

// A map task whose only output gathers on worker 7.
class AcknowledgementTest : public WorkerCoreTest {
 protected:
  void LaunchMap(int64_t task_id) {
    proto::Binding output = ShuffleOutput(9, 0, 1);
    output.mutable_output()->add_reduce_workers(7);
    Launch(task_id, kMap, {output, SplitBinding({1, 2})});
    env_.RunUntilIdle();
  }
};

TEST_F(AcknowledgementTest, ATaskThatWaitsForItHoldsNoSlot) {
  LaunchMap(1);
  EXPECT_THAT(statuses_, IsEmpty());
  EXPECT_FALSE(core_.idle());
  env_.HoldTasks(true);
  for (int64_t id = 2; id <= 3; ++id) Launch(id, kCollect, {SplitBinding({1})});
  EXPECT_EQ(env_.task_count(), 2u);
  peer_.Answer(proto::PeerReply());
  env_.RunUntilIdle();
  EXPECT_EQ(statuses_[1].outcome(), Status::SUCCEEDED);
  EXPECT_EQ(peer_.abandoned, 0);
}

TEST_F(AcknowledgementTest, ARefusalFailsTheTask) {
  LaunchMap(1);
  proto::PeerReply refusal;
  refusal.set_error_code(static_cast<int>(absl::StatusCode::kFailedPrecondition));
  refusal.set_error_message("shuffle 9 was dropped");
  peer_.Answer(refusal);
  env_.RunUntilIdle();
  EXPECT_EQ(statuses_[1].outcome(), Status::FAILED);
  EXPECT_THAT(statuses_[1].error_message(), HasSubstr("shuffle 9 was dropped"));
  EXPECT_EQ(peer_.abandoned, 1);
}

TEST_F(AcknowledgementTest, APeerThatIsLostIsMissed) {
  LaunchMap(1);
  peer_.Answer(absl::UnavailableError("it ended the connection"));
  env_.RunUntilIdle();
  EXPECT_EQ(statuses_[1].outcome(), Status::PEER_MISS);
}

TEST_F(AcknowledgementTest, APeerThatDoesNotAnswerIsMissed) {
  LaunchMap(1);
  env_.Advance(9'999'999);
  EXPECT_THAT(statuses_, IsEmpty());
  env_.Advance(1);
  EXPECT_EQ(statuses_[1].outcome(), Status::PEER_MISS);
  peer_.Answer(proto::PeerReply());
  env_.RunUntilIdle();
}

TEST_F(AcknowledgementTest, ACancelledTaskDoesNotWait) {
  LaunchMap(1);
  Cancel(1);
  EXPECT_EQ(statuses_[1].outcome(), Status::CANCELLED);
  EXPECT_EQ(peer_.abandoned, 1);
  peer_.Answer(proto::PeerReply());
  env_.RunUntilIdle();
}

TEST_F(WorkerCoreTest, ATaskOfSeveralShufflesWaitsForAll) {
  PlanBuilder both;
  both.Add<ShuffleReadNumbers>({}, "", proto::BINDING_SHUFFLE);
  both.AddNamed("millrace.Concat", {0}, "", proto::BINDING_CONCAT);
  both.Add<CollectNumbers>({1});
  Register(200, both.Serialize());
  proto::Binding two;
  two.set_concat(2);
  Launch(1, 200, {two, ShuffleInput(8, 0, 1), ShuffleInput(9, 0, 1)});
  Launch(2, kMap, {ShuffleOutput(9, 0, 1), SplitBinding({5})});
  env_.RunUntilIdle();
  EXPECT_EQ(statuses_.count(1), 0u);
  Launch(3, kMap, {ShuffleOutput(8, 0, 1), SplitBinding({4})});
  env_.RunUntilIdle();
  EXPECT_THAT(NumbersOf(statuses_[1]), ElementsAre(4, 5));
}

TEST_F(WorkerCoreTest, MapOutputsFromElsewhereMakeReducesRunnable) {
  Launch(1, kReduce, {ShuffleInput(9, 0, 1)});
  MapOutput output;
  output.shuffle_id = 9;
  output.pieces.emplace_back(0, Buffer(EncodeToString(Numbers{6})));
  ASSERT_TRUE(shuffles_.Put(std::move(output)).ok());
  core_.OnMapOutputsArrived();
  env_.RunUntilIdle();
  EXPECT_THAT(NumbersOf(statuses_[1]), ElementsAre(6));
}

TEST_F(WorkerCoreTest, NoMoreTasksRunThanThereAreSlotsAndTheyRunInOrder) {
  env_.HoldTasks(true);
  for (int64_t id = 1; id <= 6; ++id) Launch(id, kCollect, {SplitBinding({id})});
  EXPECT_EQ(env_.task_count(), 2u);
  for (int i = 0; i < 6; ++i) {
    EXPECT_LE(env_.task_count(), 2u);
    RunOneTask();
  }
  EXPECT_THAT(finished_, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(WorkerCoreTest, TellsHowLongATaskWaited) {
  env_.HoldTasks(true);
  for (int64_t id = 1; id <= 3; ++id) Launch(id, kCollect, {SplitBinding({id})});
  env_.Advance(700);
  RunOneTask();
  RunOneTask();
  RunOneTask();
  EXPECT_EQ(statuses_[1].wait_micros(), 0);
  EXPECT_EQ(statuses_[3].wait_micros(), 700);
}

TEST_F(WorkerCoreTest, ALaunchThatComesTwiceRunsOnce) {
  env_.HoldTasks(true);
  Launch(1, kCollect, {SplitBinding({1})});
  Launch(1, kCollect, {SplitBinding({1})});
  EXPECT_EQ(env_.task_count(), 1u);
  RunOneTask();
  Launch(1, kCollect, {SplitBinding({1})});
  EXPECT_EQ(env_.task_count(), 0u);
  EXPECT_EQ(statuses_.size(), 1u);
}

TEST_F(WorkerCoreTest, AnUnknownPlanIsAskedForAndABrokenOneFailsItsTasks) {
  Launch(1, 999, {});
  EXPECT_EQ(statuses_[1].outcome(), Status::PLAN_MISS);
  Register(999, "\xff\xff");
  Launch(2, 999, {});
  EXPECT_EQ(statuses_[2].outcome(), Status::FAILED);
  EXPECT_THAT(statuses_[2].error_message(), HasSubstr("is not a StagePlan"));
}

TEST_F(WorkerCoreTest, ErrorMessagesCanAlwaysBeSent) {
  TestHook::on_number = [](int64_t) { throw std::runtime_error("bad line \xff\xfe"); };
  Launch(1, kCollect, {SplitBinding({1})});
  env_.RunUntilIdle();
  EXPECT_THAT(statuses_[1].error_message(), HasSubstr("bad line \xef\xbf\xbd\xef\xbf\xbd"));
}

TEST_F(WorkerCoreTest, WaitingTasksAreCancelledAtOnceAndRunningOnesWhenTheyLook) {
  env_.HoldTasks(true);
  Launch(1, kReduce, {ShuffleInput(9, 0, 1)});
  Launch(2, kCollect, {SplitBinding({1})});
  Launch(3, kCollect, {SplitBinding({1})});
  Launch(4, kCollect, {SplitBinding({1})});
  for (int64_t id = 1; id <= 5; ++id) Cancel(id);
  EXPECT_THAT(finished_, UnorderedElementsAre(1, 4));
  env_.HoldTasks(false);
  env_.RunUntilIdle();
  for (int64_t id = 1; id <= 4; ++id) EXPECT_EQ(statuses_[id].outcome(), Status::CANCELLED) << id;
  // Its input comes too late for it.
  Launch(6, kMap, {ShuffleOutput(9, 0, 1), SplitBinding({1})});
  env_.RunUntilIdle();
  EXPECT_EQ(statuses_.size(), 5u);
}

TEST_F(WorkerCoreTest, StateCountsFromTheCommitOn) {
  Launch(1, kState, {StateUpdateOf(5, 0, 1000, -1, 30), SplitBinding({1, 2})});
  env_.RunUntilIdle();
  EXPECT_THAT(NumbersOf(statuses_[1]), ElementsAre(3));
  Launch(2, kState, {StateUpdateOf(5, 0, 2000, 1000, 31), SplitBinding({4})});
  env_.RunUntilIdle();
  EXPECT_THAT(statuses_[2].error_message(), HasSubstr("held by task 1"));
  Judge(1, /*abort=*/false);
  Launch(3, kState, {StateUpdateOf(5, 0, 2000, 1000, 31), SplitBinding({4})});
  env_.RunUntilIdle();
  EXPECT_THAT(NumbersOf(statuses_[3]), ElementsAre(7));
  Judge(3, /*abort=*/true);
  Launch(4, kState, {StateUpdateOf(5, 0, 2000, 1000, 31), SplitBinding({5})});
  env_.RunUntilIdle();
  EXPECT_THAT(NumbersOf(statuses_[4]), ElementsAre(8));
  Judge(4, /*abort=*/false);
  Judge(4, /*abort=*/false);
  Judge(777, /*abort=*/true);
}

TEST_F(WorkerCoreTest, AnAbortOfARunningTaskCancelsIt) {
  env_.HoldTasks(true);
  Launch(1, kState, {StateUpdateOf(5, 0, 1000, -1, 30), SplitBinding({1})});
  Judge(1, /*abort=*/true);
  RunOneTask();
  EXPECT_EQ(statuses_[1].outcome(), Status::CANCELLED);
  EXPECT_EQ(states_.partition_count(), 0u);
}

TEST_F(WorkerCoreTest, AShuffleThatIsDroppedDuringItsMapsLeavesNothing) {
  env_.HoldTasks(true);
  Launch(1, kMap, {ShuffleOutput(9, 0, 1), SplitBinding({1})});
  Launch(2, kReduce, {ShuffleInput(9, 0, 1)});
  ASSERT_TRUE(env_.RunNextTask());
  DropShuffle(9);
  EXPECT_EQ(statuses_[2].outcome(), Status::CANCELLED);
  Launch(3, kMap, {ShuffleOutput(8, 0, 1), SplitBinding({1})});
  DropShuffle(8);
  env_.HoldTasks(false);
  env_.RunUntilIdle();
  EXPECT_EQ(shuffles_.shuffle_count(), 0u);
  EXPECT_EQ(budget_.used_bytes(), 0u);
}

TEST_F(WorkerCoreTest, ADataSetThatIsDroppedDuringItsTasksLeavesNothingAndOthersStay) {
  env_.HoldTasks(true);
  Launch(1, kCache, {CachedPartition(30, 0, 1), SplitBinding({1})});
  Launch(2, kCache, {CachedPartition(31, 0, 1), SplitBinding({1})});
  DropRdd(30);
  env_.HoldTasks(false);
  env_.RunUntilIdle();
  EXPECT_FALSE(blocks_.Contains(StoreKey::Cached(30, 0)));
  EXPECT_TRUE(blocks_.Contains(StoreKey::Cached(31, 0)));
}

TEST_F(WorkerCoreTest, DroppedBlocksAndTheirFilesGo) {
  StoreData data{.buffers = {Buffer::CopyOf("x")}, .level = StorageLevel::kDiskOnly};
  ASSERT_TRUE(blocks_.Put(StoreKey::Block(1, 7), data).ok());
  EXPECT_EQ(fs_.List("/spill")->size(), 1u);
  proto::ToWorker message;
  proto::BlockId& id = *message.mutable_drop_blocks()->add_blocks();
  id.set_stream_id(1);
  id.set_sequence(7);
  core_.Handle(std::move(message));
  env_.RunUntilIdle();
  EXPECT_FALSE(blocks_.Contains(StoreKey::Block(1, 7)));
  EXPECT_THAT(*fs_.List("/spill"), IsEmpty());
}

TEST_F(WorkerCoreTest, TellsWhichCachedPartitionsHadToGo) {
  StoreData old{.buffers = {Buffer(std::string(990, 'x'))}};
  ASSERT_TRUE(blocks_.Put(StoreKey::Cached(20, 4), old).ok());
  Launch(1, kCache, {CachedPartition(30, 0, 1), SplitBinding({1, 2, 3})});
  env_.RunUntilIdle();
  ASSERT_TRUE(messages_.back().has_cached_dropped());
  ASSERT_EQ(messages_.back().cached_dropped().partitions_size(), 1);
  EXPECT_EQ(messages_.back().cached_dropped().partitions(0).rdd_id(), 20);
  EXPECT_EQ(messages_.back().cached_dropped().partitions(0).partition(), 4u);
}

TEST_F(WorkerCoreTest, BroadcastValuesAreThereForTasksThatNameThem) {
  proto::ToWorker put;
  put.mutable_put_broadcast()->set_broadcast_id(3);
  put.mutable_put_broadcast()->set_value("shared");
  core_.Handle(std::move(put));
  std::string seen;
  TestHook::on_number = [&seen](int64_t number) {
    const auto value = TaskContext::Current()->Broadcast(number);
    seen += value == nullptr ? "none." : *value + ".";
  };
  env_.HoldTasks(true);
  proto::ToWorker launch;
  AddTask(launch, 1, kCollect, {SplitBinding({3, 4})});
  launch.mutable_launch_tasks()->mutable_tasks(0)->add_broadcast_ids(3);
  core_.Handle(std::move(launch));
  proto::ToWorker drop;
  drop.mutable_drop_broadcast()->set_broadcast_id(3);
  core_.Handle(std::move(drop));
  RunOneTask();
  EXPECT_EQ(seen, "shared.none.");

  proto::ToWorker again;
  AddTask(again, 2, kCollect, {SplitBinding({3})});
  again.mutable_launch_tasks()->mutable_tasks(0)->add_broadcast_ids(3);
  core_.Handle(std::move(again));
  EXPECT_THAT(statuses_[2].error_message(), HasSubstr("broadcast value 3 is not on this worker"));
}

TEST_F(WorkerCoreTest, ReceiversGetWhatIsMeantForThemAndTheirReportsGoOut) {
  proto::ToWorker message;
  message.mutable_start_receiver()->set_stream_id(1);
  core_.Handle(message);
  message.mutable_update_rate()->set_stream_id(1);
  message.mutable_update_rate()->set_rate_limit(50);
  core_.Handle(message);
  message.mutable_cut_blocks()->set_batch_time_ms(1000);
  core_.Handle(message);
  message.mutable_stop_receiver()->set_stream_id(1);
  message.mutable_stop_receiver()->set_reason("done");
  core_.Handle(message);
  EXPECT_THAT(receivers_.calls, ElementsAre("start 1", "rate 1 50", "cut 1000", "stop 1 done"));
  ASSERT_EQ(messages_.size(), 1u);
  EXPECT_EQ(messages_[0].block_report().batch_time_ms(), 1000);
  proto::ReceiverEvent event;
  event.set_message("odd byte \xff");
  receivers_.listener_->OnReceiverEvent(std::move(event));
  EXPECT_EQ(messages_[1].receiver_event().message(), "odd byte \xef\xbf\xbd");
}

TEST_F(WorkerCoreTest, ADriverThatWasReplacedIsNotListenedTo) {
  proto::ToWorker newer;
  newer.set_driver_epoch(2);
  newer.mutable_cut_blocks()->set_batch_time_ms(1);
  core_.Handle(std::move(newer));
  proto::ToWorker older;
  older.set_driver_epoch(1);
  older.mutable_cut_blocks()->set_batch_time_ms(2);
  core_.Handle(std::move(older));
  EXPECT_THAT(receivers_.calls, ElementsAre("cut 1"));
}

TEST_F(WorkerCoreTest, WhatBelongedToADriverThatWasReplacedGoesAndWhatWasReceivedStays) {
  proto::ToWorker first;
  first.set_driver_epoch(1);
  first.mutable_put_broadcast()->set_broadcast_id(3);
  core_.Handle(std::move(first));
  const int64_t id = FirstIdOfEpoch(1);
  StoreData block;
  block.buffers.push_back(Buffer::CopyOf("b"));
  ASSERT_TRUE(blocks_.Put(StoreKey::Block(0, 5), block).ok());
  proto::BlockReport report;
  report.add_blocks()->mutable_id()->set_sequence(5);
  report.mutable_blocks(0)->set_replica(2);
  report.add_blocks()->mutable_id()->set_sequence(6);
  core_.OnBlockReport(report);
  proto::ToWorker drop;
  drop.set_driver_epoch(1);
  drop.mutable_drop_blocks()->add_blocks()->set_sequence(6);
  core_.Handle(std::move(drop));
  LaunchOf(1, id + 1, kState, {StateUpdateOf(id + 9, 0, 1000, -1, id + 8), SplitBinding({1})});
  LaunchOf(1, id + 2, kMap, {ShuffleOutput(id + 7, 0, 1), SplitBinding({2})});
  env_.RunUntilIdle();
  ASSERT_TRUE(states_.Holds(id + 1));
  env_.HoldTasks(true);
  LaunchOf(1, id + 3, kCollect, {SplitBinding({3})});
  LaunchOf(1, id + 4, kReduce, {ShuffleInput(id + 6, 0, 1)});
  core_.Disconnected();
  messages_.clear();
  core_.Start();
  ASSERT_EQ(messages_.size(), 1u);
  const proto::WorkerHello& hello = messages_[0].hello();
  EXPECT_EQ(hello.driver_epoch(), 1);
  ASSERT_EQ(hello.blocks_size(), 1);
  EXPECT_EQ(hello.blocks(0).id().sequence(), 5);
  EXPECT_EQ(hello.blocks(0).replica(), 0) << "the other worker says so itself";
  ASSERT_EQ(hello.receivers_size(), 1);
  EXPECT_EQ(hello.receivers(0).stored_bytes(), 77);

  statuses_.clear();
  proto::ToWorker second;
  second.set_driver_epoch(2);
  core_.Handle(std::move(second));
  EXPECT_FALSE(states_.Holds(id + 1));
  EXPECT_EQ(states_.partition_count(), 0u);
  EXPECT_EQ(shuffles_.shuffle_count(), 0u);
  EXPECT_EQ(blocks_.entry_count(), 1u);
  env_.HoldTasks(false);
  env_.RunUntilIdle();
  EXPECT_TRUE(core_.idle());
  EXPECT_THAT(statuses_, IsEmpty()) << "nobody waits for them";
  // A map task of another worker that does not know yet.
  MapOutput late;
  late.shuffle_id = id + 7;
  late.pieces.emplace_back(0, Buffer::CopyOf("x"));
  EXPECT_EQ(shuffles_.Put(std::move(late)).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(WorkerCoreTest, CopiesThatADriverWantedAreToldToTheNextOne) {
  proto::BlocksCopied copied;
  copied.add_blocks()->set_sequence(4);
  copied.add_blocks()->set_sequence(5);
  core_.NoteCopies(copied);
  proto::ToWorker drop;
  drop.mutable_drop_blocks()->add_blocks()->set_sequence(4);
  core_.Handle(std::move(drop));
  core_.Start();
  ASSERT_EQ(messages_.at(0).hello().blocks_size(), 1);
  EXPECT_EQ(messages_[0].hello().blocks(0).id().sequence(), 5);
  EXPECT_EQ(messages_[0].hello().blocks(0).record_count(), -1);
}

TEST_F(WorkerCoreTest, NothingIsSaidWithoutAConnection) {
  core_.Disconnected();
  proto::BlockReport report;
  report.add_blocks()->mutable_id()->set_sequence(5);
  core_.OnBlockReport(report);
  EXPECT_THAT(messages_, IsEmpty());
  core_.Start();
  EXPECT_EQ(messages_.at(0).hello().blocks_size(), 1);
}

TEST_F(WorkerCoreTest, AfterStopNothingStartsAndEverythingIsAnswered) {
  env_.HoldTasks(true);
  Launch(1, kCollect, {SplitBinding({1})});
  Launch(2, kReduce, {ShuffleInput(9, 0, 1)});
  core_.Stop();
  Launch(3, kCollect, {SplitBinding({1})});
  env_.HoldTasks(false);
  env_.RunUntilIdle();
  for (int64_t id = 1; id <= 3; ++id) EXPECT_EQ(statuses_[id].outcome(), Status::CANCELLED) << id;
}

TEST_F(WorkerCoreTest, HeartbeatsTellWhatIsUsedAndWhatRuns) {
  WorkerOptions options;
  options.worker_id = 42;
  options.heartbeat_interval_micros = 1000;
  WorkerCore core(
      options,
      {env_, *this, TaskServices{blocks_, shuffles_, router_, states_, fs_, &MonotonicNanos}, disk_,
       budget_, receivers_});
  core.Start();
  env_.Advance(2500);
  ASSERT_EQ(messages_.size(), 4u);
  EXPECT_EQ(messages_[3].heartbeat().memory_limit_bytes(), 1000);
  core.Stop();
  env_.Advance(5000);
  EXPECT_EQ(messages_.size(), 4u);
}

}  // namespace
}  // namespace millrace::internal
