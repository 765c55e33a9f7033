#include "driver/service/driver_service.h"

#include <thread>

#include "absl/synchronization/notification.h"
#include "common/env/real_env.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr milliseconds kPatience{30'000};

// Answers every task at once, on the loop: with its partition, or not at all.
class EchoWorker : public DriverTransport {
 public:
  explicit EchoWorker(Env& env) : env_(env) {}

  void SendToWorker(int64_t worker_id, proto::ToWorker message) override {
    if (message.has_drop_shuffle()) shuffle_dropped.Notify();
    if (is_silent) return;
    for (const proto::TaskRequest& request : message.launch_tasks().tasks()) {
      proto::ToDriver answer;
      answer.set_worker_id(worker_id);
      answer.mutable_task_status()->set_task_id(request.task_id());
      answer.mutable_task_status()->set_result(std::to_string(request.partition()));
      env_.Post([this, answer] { driver->core().HandleMessage(answer); });
    }
  }

  void DisconnectWorker(int64_t /*worker_id*/, const absl::Status& /*reason*/) override {}

  DriverService* driver = nullptr;
  std::atomic<bool> is_silent{false};
  absl::Notification shuffle_dropped;

 private:
  Env& env_;
};

class DriverServiceTest : public ::testing::Test {
 protected:
  DriverServiceTest() {
    worker_.driver = &driver_;
    env_.Post([this] {
      proto::ToDriver hello;
      hello.set_worker_id(1);
      hello.mutable_hello()->set_task_slots(4);
      driver_.core().HandleMessage(std::move(hello));
      connected_.Notify();
    });
    connected_.WaitForNotification();
  }
  ~DriverServiceTest() override { Stop(); }
  void Stop() {
    driver_.Stop();
    env_.Stop();
  }

  RddRef Source(int partitions) {
    auto node = std::make_shared<RddNode>();
    node->rdd_id = driver_.NewId();
    node->op = Op("source");
    node->num_partitions = partitions;
    return node;
  }
  static OperatorRef Op(const std::string& name, BindingKind binding = BindingKind::kNone) {
    return std::make_shared<const OperatorSpec>(OperatorSpec{name, "", binding, name});
  }
  JobSpec Collecting(const RddRef& rdd) {
    JobSpec spec;
    spec.rdd = rdd;
    spec.root = Op("collect");
    for (int i = 0; i < rdd->num_partitions; ++i) spec.partitions.push_back(i);
    spec.batch_time_ms = 1000;
    return spec;
  }

  static RealEnv::Options EnvOptions() {
    RealEnv::Options options;
    options.manual_wall_clock = true;
    return options;
  }

  MemoryFileSystem fs_;
  RealEnv env_{EnvOptions(), fs_};
  EchoWorker worker_{env_};
  DriverService driver_{env_, worker_, {}};
  absl::Notification connected_;
};

TEST_F(DriverServiceTest, RunsJobsOfManyThreads) {
  EXPECT_EQ(driver_.total_slots(), 4);
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 100; ++n) {
        const absl::StatusOr<JobResult> result = driver_.RunJob(Collecting(Source(3)));
        if (result.ok() && result->results == std::vector<std::string>{"0", "1", "2"}) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 800);
  const auto stages = driver_.StagesOf(1000, kPatience);
  ASSERT_TRUE(stages.has_value());
  EXPECT_THAT(*stages, SizeIs(800));
}

TEST_F(DriverServiceTest, IdsAreNeverGivenTwice) {
  const int64_t id = driver_.NewId();
  EXPECT_GT(driver_.NewId(), id);
}

TEST_F(DriverServiceTest, WhoWaitsWhenTheDriverStopsIsCancelled) {
  worker_.is_silent = true;
  absl::Notification submitted;
  absl::Status outcome;
  driver_.SubmitJob(Collecting(Source(1)), [](const absl::StatusOr<JobResult>&) {});
  std::thread waiting([&] {
    submitted.Notify();
    outcome = driver_.RunJob(Collecting(Source(1))).status();
  });
  submitted.WaitForNotification();
  driver_.Stop();
  waiting.join();
  EXPECT_EQ(outcome.code(), absl::StatusCode::kCancelled);
}

TEST_F(DriverServiceTest, CallsAfterTheStopAreCancelledAndLeasesDoNothing) {
  Lease shuffle = driver_.ShuffleLease(driver_.NewId());
  Lease broadcast = driver_.PutBroadcast(driver_.NewId(), "value");
  Stop();
  EXPECT_EQ(driver_.RunJob(Collecting(Source(1))).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(driver_.StagesOf(1000, kPatience), std::nullopt);
  shuffle.reset();
  broadcast.reset();
  driver_.RegisterAccumulator(7, [](std::string_view, int64_t) {});
}

TEST_F(DriverServiceTest, TheLastReferenceToAShuffleDropsIt) {
  const RddRef source = Source(1);
  auto shuffle = std::make_shared<ShuffleSpec>();
  shuffle->shuffle_id = driver_.NewId();
  shuffle->num_reduce = 1;
  shuffle->write = Op("write", BindingKind::kOutput);
  shuffle->read = Op("read", BindingKind::kShuffle);
  shuffle->lease = driver_.ShuffleLease(shuffle->shuffle_id);
  RddRef sum = Source(1);
  Dependency& dependency = sum->dependencies.emplace_back();
  dependency.kind = DependencyKind::kShuffle;
  dependency.parent = source;
  dependency.shuffle = std::move(shuffle);
  EXPECT_TRUE(driver_.RunJob(Collecting(sum)).ok());
  EXPECT_FALSE(worker_.shuffle_dropped.HasBeenNotified());
  sum.reset();
  EXPECT_TRUE(worker_.shuffle_dropped.WaitForNotificationWithTimeout(absl::Seconds(30)));
}

// A graph of one job a batch.
class OneJobGraph : public BatchGraph {
 public:
  explicit OneJobGraph(std::function<absl::Status(Time)> run) : run_(std::move(run)) {}
  void BeginAfter(Time /*zero_time*/) override {}
  absl::StatusOr<GeneratedBatch> GenerateJobs(Time time, const BatchBlocks& /*blocks*/) override {
    GeneratedBatch batch;
    BatchJob& job = batch.jobs.emplace_back();
    job.description = "Print at test.cc:9";
    job.run = [this, time] { return run_(time); };
    return batch;
  }
  Time ClearCompleted(Time batch_time, bool /*cut_short*/) override { return batch_time; }

 private:
  const std::function<absl::Status(Time)> run_;
};

class StreamingServiceTest : public DriverServiceTest {
 protected:
  absl::Status Start(std::function<absl::Status(Time)> run) {
    StreamingSpec spec;
    spec.batch_interval = seconds(1);
    spec.graph = std::make_shared<OneJobGraph>(std::move(run));
    return streaming_->Start(std::move(spec));
  }

  const std::shared_ptr<StreamingHandle> streaming_ = driver_.NewStreaming();
};

TEST_F(StreamingServiceTest, RunsTheJobsOfABatchThatWaitForOthers) {
  std::vector<std::string> results;
  ASSERT_TRUE(Start([&](Time) {
                auto result = driver_.RunJob(Collecting(Source(2)));
                if (result.ok()) results = result->results;
                return result.status();
              }).ok());
  env_.AdvanceWall(seconds(1));
  EXPECT_TRUE(streaming_->AwaitBatch(Time(1000), kPatience).ok());
  EXPECT_THAT(results, ElementsAre("0", "1"));
}

TEST_F(StreamingServiceTest, AnErrorEndsTheWaitButNotTheRun) {
  ASSERT_TRUE(Start([](Time time) {
                return time == Time(1000) ? absl::DataLossError("boom") : absl::OkStatus();
              }).ok());
  env_.AdvanceWall(seconds(1));
  const StreamingResult result = streaming_->Await(kPatience);
  EXPECT_EQ(result.status.message(), "batch 1000 ms: boom");
  EXPECT_FALSE(result.stopped);
  env_.AdvanceWall(seconds(1));
  EXPECT_TRUE(streaming_->AwaitBatch(Time(2000), kPatience).ok());
  EXPECT_EQ(streaming_->AwaitBatch(Time(1000), kPatience).message(), "batch 1000 ms: boom");
  EXPECT_FALSE(streaming_->Await(milliseconds(0)).status.ok()) << "every later wait tells it again";
}

TEST_F(StreamingServiceTest, StopEndsEveryWait) {
  ASSERT_TRUE(Start([](Time) { return absl::OkStatus(); }).ok());
  EXPECT_FALSE(streaming_->Await(milliseconds(0)).stopped);
  EXPECT_EQ(streaming_->AwaitBatch(Time(1000), milliseconds(0)).code(),
            absl::StatusCode::kDeadlineExceeded);
  streaming_->Stop(/*graceful=*/true);
  EXPECT_TRUE(streaming_->AwaitStopped(kPatience));
  EXPECT_TRUE(streaming_->Await(kPatience).stopped);
  EXPECT_EQ(streaming_->AwaitBatch(Time(1000), kPatience).code(), absl::StatusCode::kCancelled);
}

TEST_F(StreamingServiceTest, AJobMayStopItsOwnRun) {
  ASSERT_TRUE(Start([this](Time) {
                streaming_->Stop(/*graceful=*/true);
                return absl::OkStatus();
              }).ok());
  env_.AdvanceWall(seconds(3));
  EXPECT_TRUE(streaming_->AwaitStopped(kPatience));
}

TEST_F(StreamingServiceTest, TheDriversStopEndsTheRun) {
  ASSERT_TRUE(Start([](Time) { return absl::OkStatus(); }).ok());
  driver_.Stop();
  EXPECT_TRUE(streaming_->AwaitStopped(kPatience));
}

TEST_F(StreamingServiceTest, ARunThatTheEnvsStopCutsOffHasStopped) {
  ASSERT_TRUE(Start([](Time) { return absl::OkStatus(); }).ok());
  env_.Stop();
  EXPECT_FALSE(streaming_->AwaitStopped(milliseconds(0)));
  driver_.EnvStopped();
  EXPECT_TRUE(streaming_->AwaitStopped(kPatience));
  EXPECT_EQ(streaming_->AwaitBatch(Time(1000), kPatience).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(driver_.NewStreaming(), nullptr);
}

}  // namespace
}  // namespace millrace::internal
