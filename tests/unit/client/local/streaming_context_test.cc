#include <millrace/millrace.h>
#include <millrace/streaming_context.h>
#include <signal.h>

#include <atomic>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/local/streaming_core.h"
#include "common/concurrent/one_shot.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

// A graceful stop gets ten intervals, which here is less than a busy machine may need.
Conf LocalConf() {
  return Conf().SetMaster("local[2]").Set("millrace.streaming.gracefulStopTimeout", "1min");
}

// A context in which something happens every few milliseconds.
class StreamingContextTest : public ::testing::Test {
 protected:
  DStream<int64_t> Numbers(StreamingContext& ssc) {
    return ssc.ConstantStream(ssc.context().Parallelize(std::vector<int64_t>{1, 2}, 1));
  }
};

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

TEST_F(StreamingContextTest, LivesOnce) {
  OneShot<bool> ran;
  StreamingContext ssc(LocalConf(), 5ms);
  Numbers(ssc).ForeachRDD([&ran](auto&) { ran.Set(true); });
  EXPECT_EQ(ssc.State(), StreamingContextState::kInitialized);
  EXPECT_EQ(ssc.AwaitTermination().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(ssc.Start().ok());
  EXPECT_EQ(ssc.State(), StreamingContextState::kActive);
  EXPECT_TRUE(ssc.Start().ok());  // Once more is a warning.
  ran.Wait();
  ssc.Stop();
  EXPECT_EQ(ssc.State(), StreamingContextState::kStopped);
  EXPECT_TRUE(ssc.AwaitTermination().ok());
  EXPECT_EQ(ssc.Start().code(), absl::StatusCode::kFailedPrecondition);
  ssc.Stop();  // Once more is a warning.
}

TEST_F(StreamingContextTest, StoppedBeforeItStartedStaysStopped) {
  StreamingContext ssc(LocalConf(), 5ms);
  Numbers(ssc).Print();
  ssc.Stop();
  EXPECT_EQ(ssc.State(), StreamingContextState::kStopped);
  EXPECT_EQ(ssc.Start().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(StreamingContextTest, WithoutOutputItDoesNotStart) {
  StreamingContext ssc(LocalConf(), 5ms);
  const absl::Status status = ssc.Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(status), HasSubstr("No output operations registered"));
  EXPECT_EQ(ssc.State(), StreamingContextState::kStopped);
}

TEST_F(StreamingContextTest, WrongSettingsComeBackFromStart) {
  for (const char* master :
       {"yarn", "local[0]", "local-cluster[2,1,512]", "millrace://host:7077"}) {
    StreamingContext ssc(Conf().SetMaster(master), 5ms);
    Numbers(ssc).Print();
    const absl::Status status = ssc.Start();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << master;
    EXPECT_THAT(MessageOf(status), HasSubstr(master));
  }
  StreamingContext ssc(LocalConf().Set("millrace.streaming.blockInterval", "soon"), 5ms);
  Numbers(ssc).Print();
  EXPECT_THAT(MessageOf(ssc.Start()), HasSubstr("millrace.streaming.blockInterval"));
}

TEST_F(StreamingContextTest, ActionsOfABrokenContextSayWhy) {
  Context context(Conf().SetMaster("mars"));
  EXPECT_EQ(context.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(context.Parallelize({1, 2}).Collect().status(), context.status());
}

TEST_F(StreamingContextTest, BatchIntervalMustBePositive) {
  StreamingContext ssc(LocalConf(), 0ms);
  Numbers(ssc).Print();
  EXPECT_THAT(MessageOf(ssc.Start()), HasSubstr("batch interval must be positive"));
}

TEST_F(StreamingContextTest, OneIsActiveInAProcess) {
  StreamingContext first(LocalConf(), 5ms);
  Numbers(first).ForeachRDD([](auto&) {});
  ASSERT_TRUE(first.Start().ok());
  StreamingContext second(LocalConf(), 5ms);
  Numbers(second).ForeachRDD([](auto&) {});
  const absl::Status status = second.Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(status), HasSubstr("streaming_context_test.cc:"));
  EXPECT_EQ(second.State(), StreamingContextState::kInitialized);
  first.Stop();
  EXPECT_TRUE(second.Start().ok());
}

TEST_F(StreamingContextTest, ContextsMayFollowOneAnotherOnOneContext) {
  Context context(LocalConf());
  for (int i = 0; i < 3; ++i) {
    OneShot<int64_t> count;
    StreamingContext ssc(context, 5ms);
    Numbers(ssc).ForeachRDD([&count](const RDD<int64_t>& rdd) -> absl::Status {
      const auto n = rdd.Count();
      if (n.ok()) count.Set(*n);
      return n.status();
    });
    ASSERT_TRUE(ssc.Start().ok());
    EXPECT_EQ(count.Wait(), 2);
    ssc.Stop({.graceful = i == 1, .stop_context = false});
  }
  EXPECT_EQ(*context.Parallelize({1, 2, 3}).Count(), 3);
}

TEST_F(StreamingContextTest, StoppingTheContextEndsItsDataSets) {
  StreamingContext ssc(LocalConf(), 5ms);
  auto rdd = ssc.context().Parallelize({1, 2});
  Numbers(ssc).ForeachRDD([](auto&) {});
  ASSERT_TRUE(ssc.Start().ok());
  ssc.Stop({.graceful = false, .stop_context = false});
  EXPECT_TRUE(rdd.Count().ok());
  ssc.Stop();
  EXPECT_EQ(rdd.Count().status().code(), absl::StatusCode::kCancelled);
}

TEST_F(StreamingContextTest, TheRunEndsWithTheContextBelow) {
  OneShot<bool> ran;
  Context context(LocalConf());
  StreamingContext ssc(context, 5ms);
  Numbers(ssc).ForeachRDD([&ran](auto&) { ran.Set(true); });
  ASSERT_TRUE(ssc.Start().ok());
  ran.Wait();
  context.Stop();
  EXPECT_TRUE(ssc.AwaitTermination().ok());
  EXPECT_EQ(ssc.State(), StreamingContextState::kStopped);
  ssc.Stop();
}

TEST_F(StreamingContextTest, AJobMayStopIt) {
  for (const bool graceful : {false, true}) {
    StreamingContext ssc(LocalConf(), 5ms);
    Numbers(ssc).ForeachRDD([&ssc, graceful](auto&) { ssc.Stop({.graceful = graceful}); });
    ASSERT_TRUE(ssc.Start().ok());
    EXPECT_TRUE(ssc.AwaitTermination().ok());
    EXPECT_EQ(ssc.State(), StreamingContextState::kStopped);
  }
}

TEST_F(StreamingContextTest, AListenerMayStopIt) {
  struct Stopper : StreamingListener {
    void OnBatchCompleted(const BatchInfo&) override { ssc->Stop(); }
    StreamingContext* ssc = nullptr;
  };
  StreamingContext ssc(LocalConf(), 5ms);
  auto listener = std::make_shared<Stopper>();
  listener->ssc = &ssc;
  ssc.AddStreamingListener(listener);
  Numbers(ssc).ForeachRDD([](auto&) {});
  ASSERT_TRUE(ssc.Start().ok());
  EXPECT_TRUE(ssc.AwaitTermination().ok());
}

TEST_F(StreamingContextTest, AFailedBatchIsReportedAndTheContextGoesOn) {
  std::atomic<int> batches = 0;
  OneShot<bool> went_on;
  StreamingContext ssc(LocalConf(), 5ms);
  Numbers(ssc).ForeachRDD([&](auto&) -> absl::Status {
    if (++batches == 1) return absl::DataLossError("lost it");
    if (batches > 2) went_on.Set(true);
    return absl::OkStatus();
  });
  ASSERT_TRUE(ssc.Start().ok());
  const absl::Status status = ssc.AwaitTermination();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(MessageOf(status), HasSubstr("ForeachRDD at streaming_context_test.cc:"));
  EXPECT_EQ(ssc.State(), StreamingContextState::kActive);
  went_on.Wait();
  EXPECT_EQ(ssc.AwaitTerminationOrTimeout(1h).status(), status);
}

TEST_F(StreamingContextTest, AwaitingEndsWithTheTimeToo) {
  StreamingContext ssc(LocalConf(), 1h);
  Numbers(ssc).ForeachRDD([](auto&) {});
  ASSERT_TRUE(ssc.Start().ok());
  const absl::StatusOr<bool> stopped = ssc.AwaitTerminationOrTimeout(1ms);
  ASSERT_TRUE(stopped.ok());
  EXPECT_FALSE(*stopped);
  ssc.Stop();
  EXPECT_TRUE(*ssc.AwaitTerminationOrTimeout(1ms));
}

// Stores three records and says so.
class Once : public Receiver<int64_t> {
 public:
  void OnStart() override { stored().Set(Store(std::vector<int64_t>{1, 2, 3})); }
  void OnStop() override {}
  static OneShot<absl::Status>& stored() {
    static OneShot<absl::Status>& stored = *new OneShot<absl::Status>;
    return stored;
  }
};

TEST_F(StreamingContextTest, GracefulStopProcessesWhatWasReceived) {
  std::atomic<int64_t> sum = 0;
  StreamingContext ssc(LocalConf(), 20ms);
  ssc.ReceiverStream<Once>().ForeachRDD([&sum](const RDD<int64_t>& rdd) -> absl::Status {
    const auto records = rdd.Collect();
    if (!records.ok()) return records.status();
    for (const int64_t x : *records) sum += x;
    return absl::OkStatus();
  });
  ASSERT_TRUE(ssc.Start().ok());
  ASSERT_TRUE(Once::stored().Wait().ok());
  ssc.Stop({.graceful = true});
  EXPECT_EQ(sum, 6);
}

TEST_F(StreamingContextTest, ASignalStopsItGracefully) {
  std::atomic<bool> raised = false;
  StreamingContext ssc(LocalConf(), 5ms);
  Numbers(ssc).ForeachRDD([&raised](auto&) {
    if (!raised.exchange(true)) raise(SIGTERM);
  });
  EXPECT_EQ(ssc.Run(), 0);
  EXPECT_EQ(ssc.State(), StreamingContextState::kStopped);
}

TEST_F(StreamingContextTest, RunReturnsOneAfterAnError) {
  StreamingContext ssc(LocalConf(), 5ms);
  Numbers(ssc).ForeachRDD([](auto&) { return absl::InternalError("broken"); });
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(ssc.Run(), 1);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("broken"));
  EXPECT_EQ(ssc.State(), StreamingContextState::kStopped);
}

TEST_F(StreamingContextTest, LateDeclarationsAreReportedWhenItEnds) {
  StreamingContext ssc(LocalConf(), 1h);
  auto numbers = Numbers(ssc);
  numbers.ForeachRDD([](auto&) {});
  ASSERT_TRUE(ssc.Start().ok());
  numbers.Print();
  ssc.Stop();
  EXPECT_THAT(MessageOf(ssc.AwaitTermination()), HasSubstr("after starting a context"));
}

TEST_F(StreamingContextTest, GetOrCreateMakesItWhereThereIsNoCheckpoint) {
  const TempDir dir;
  const std::string checkpoint = dir.path() + "/checkpoint";
  auto ssc = StreamingContext::GetOrCreate(checkpoint, [&] {
    StreamingContext made(LocalConf(), 5ms);
    made.Checkpoint(checkpoint);
    return made;
  });
  ASSERT_TRUE(ssc.ok()) << ssc.status();
  EXPECT_EQ(ssc->batch_interval(), 5ms);
  EXPECT_TRUE(std::filesystem::is_directory(checkpoint));
  EXPECT_FALSE(
      StreamingContext::GetOrCreate("", [] { return StreamingContext(LocalConf(), 5ms); }).ok());
}

TEST_F(StreamingContextTest, CheckpointDirectoryMayComeFromSettings) {
  const TempDir dir;
  StreamingContext ssc(
      LocalConf().Set("millrace.streaming.checkpoint.directory", dir.path() + "/state"), 1h);
  Numbers(ssc)
      .Map([](int64_t x) { return std::pair(x, x); })
      .ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 2h, 1h)
      .ForeachRDD([](auto&) {});
  EXPECT_TRUE(ssc.Start().ok());
}

}  // namespace
}  // namespace millrace
