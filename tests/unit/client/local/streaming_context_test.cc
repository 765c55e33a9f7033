#include <millrace/millrace.h>
#include <millrace/streaming_context.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/local/streaming_core.h"
#include "client/rdd/lineage.h"
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

// Tells of the first batch that completes.
std::shared_ptr<StreamingListener> OnFirstBatch(OneShot<BatchInfo>& done) {
  struct Listener : StreamingListener {
    explicit Listener(OneShot<BatchInfo>& first) : done(first) {}
    void OnBatchCompleted(const BatchInfo& batch) override { done.Set(batch); }
    OneShot<BatchInfo>& done;
  };
  return std::make_shared<Listener>(done);
}

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
  for (const char* master : {"yarn", "local[0]", "local-cluster[0,1,512]"}) {
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

TEST_F(StreamingContextTest, WithoutInitThereAreNoWorkerProcesses) {
  StreamingContext ssc(Conf().SetMaster("local-cluster[2,1,512]"), 5ms);
  Numbers(ssc).Print();
  const absl::Status status = ssc.Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(status), HasSubstr("must begin with millrace::Init"));
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

TEST_F(StreamingContextTest, AFunctionOfTransformMayStopIt) {
  for (const bool graceful : {false, true}) {
    StreamingContext ssc(LocalConf(), 5ms);
    Numbers(ssc)
        .Transform([&ssc, graceful](const RDD<int64_t>& rdd) {
          ssc.Stop({.graceful = graceful});
          return rdd;
        })
        .ForeachRDD([](auto&) {});
    ASSERT_TRUE(ssc.Start().ok());
    EXPECT_TRUE(ssc.AwaitTermination().ok());
    EXPECT_EQ(ssc.State(), StreamingContextState::kStopped);
  }
}

TEST_F(StreamingContextTest, AnotherThreadMayStopIt) {
  for (const bool graceful : {false, true}) {
    OneShot<bool> ran;
    StreamingContext ssc(LocalConf(), 5ms);
    Numbers(ssc).ForeachRDD([&ran](auto&) { ran.Set(true); });
    ASSERT_TRUE(ssc.Start().ok());
    std::thread first([&] {
      ran.Wait();
      ssc.Stop({.graceful = graceful});
    });
    std::thread second([&] {
      ran.Wait();
      ssc.Stop({.graceful = graceful});
    });
    EXPECT_TRUE(ssc.AwaitTermination().ok());
    EXPECT_EQ(ssc.State(), StreamingContextState::kStopped);
    first.join();
    second.join();
  }
}

TEST_F(StreamingContextTest, StoppingTheContextBelowEndsTheRun) {
  StreamingContext ssc(LocalConf(), 5ms);
  Numbers(ssc).ForeachRDD([](auto&) {});
  ASSERT_TRUE(ssc.Start().ok());
  ssc.context().Stop();
  EXPECT_TRUE(ssc.AwaitTermination().ok());
  EXPECT_EQ(ssc.State(), StreamingContextState::kStopped);
  EXPECT_EQ(ssc.context().Parallelize({1}).Count().status().code(), absl::StatusCode::kCancelled);

  StreamingContext next(LocalConf(), 5ms);
  Numbers(next).ForeachRDD([](auto&) {});
  EXPECT_TRUE(next.Start().ok()) << "no other one is active";
}

TEST_F(StreamingContextTest, AJobMayStopTheContextBelow) {
  StreamingContext ssc(LocalConf(), 5ms);
  Numbers(ssc).ForeachRDD([&ssc](auto&) { ssc.context().Stop(); });
  ASSERT_TRUE(ssc.Start().ok());
  EXPECT_TRUE(ssc.AwaitTermination().ok());
  EXPECT_EQ(ssc.State(), StreamingContextState::kStopped);
}

TEST_F(StreamingContextTest, ContextsMayFollowOneAnotherInAProcess) {
  for (const char* master : {"local", "local[3]", "local[2]"}) {
    OneShot<int64_t> count;
    StreamingContext ssc(Conf().SetMaster(master), 5ms);
    Numbers(ssc).ForeachRDD([&count](const RDD<int64_t>& rdd) -> absl::Status {
      const auto n = rdd.Count();
      if (n.ok()) count.Set(*n);
      return n.status();
    });
    ASSERT_TRUE(ssc.Start().ok());
    EXPECT_EQ(count.Wait(), 2);
    ssc.Stop({.graceful = true});
    EXPECT_TRUE(ssc.AwaitTermination().ok());
  }
}

// More of them than threads are set aside for everything else.
TEST_F(StreamingContextTest, AsManyJobsRunAtOnceAsTheSettingSays) {
  constexpr int kJobs = 20;
  absl::Mutex mutex;
  int running = 0;
  OneShot<BatchInfo> done;
  StreamingContext ssc(LocalConf().Set("millrace.streaming.concurrentJobs", kJobs), 5ms);
  for (int i = 0; i < kJobs; ++i) {
    Numbers(ssc).ForeachRDD([&](auto&) {
      const absl::MutexLock lock(&mutex);
      ++running;
      const auto all_run = [&running] { return running >= kJobs; };
      return mutex.AwaitWithTimeout(absl::Condition(&all_run), absl::Seconds(30))
                 ? absl::OkStatus()
                 : absl::DeadlineExceededError("the other jobs do not run");
    });
  }
  ssc.AddStreamingListener(OnFirstBatch(done));
  ASSERT_TRUE(ssc.Start().ok());
  for (const auto& [id, operation] : done.Wait().output_operation_infos) {
    EXPECT_EQ(operation.failure_reason, std::nullopt);
  }
}

// With many of them that never return, batches and the other listeners go on.
TEST_F(StreamingContextTest, ListenersThatHangOrThrowHarmNobody) {
  struct Hanging : StreamingListener {
    void OnBatchCompleted(const BatchInfo&) override { end->Wait(); }
    OneShot<bool>* end = nullptr;
  };
  struct Throwing : StreamingListener {
    void OnBatchCompleted(const BatchInfo&) override { throw std::runtime_error("no"); }
  };
  struct Counting : StreamingListener {
    void OnBatchCompleted(const BatchInfo&) override {
      if (++batches == 20) twenty.Set(true);
    }
    int batches = 0;
    OneShot<bool> twenty;
  };
  OneShot<bool> end;
  StreamingContext ssc(LocalConf(), 5ms);
  for (int i = 0; i < 2; ++i) {
    const auto hanging = std::make_shared<Hanging>();
    hanging->end = &end;
    ssc.AddStreamingListener(hanging);
    ssc.AddStreamingListener(std::make_shared<Throwing>());
  }
  const auto counting = std::make_shared<Counting>();
  ssc.AddStreamingListener(counting);
  ssc.AddStreamingListener(nullptr);
  Numbers(ssc).ForeachRDD([](auto&) {});
  ASSERT_TRUE(ssc.Start().ok());
  counting->twenty.Wait();
  end.Set(true);
  ssc.Stop({.graceful = true});
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
template <int kNumber>
class StoresOnce : public Receiver<int64_t> {
 public:
  void OnStart() override { stored().Set(this->Store(std::vector<int64_t>{1, 2, 3})); }
  void OnStop() override {}
  static OneShot<absl::Status>& stored() {
    static OneShot<absl::Status>& stored = *new OneShot<absl::Status>;
    return stored;
  }
};
using Once = StoresOnce<1>;
using OnceMore = StoresOnce<2>;

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

// The next batch is an hour away: a graceful stop would wait for it.
TEST_F(StreamingContextTest, ASignalStopsItAtOnceIfTheSettingSaysSo) {
  StreamingContext ssc(LocalConf().Set("millrace.streaming.stopGracefullyOnShutdown", false), 1h);
  ssc.ReceiverStream<OnceMore>().ForeachRDD([](auto&) {});
  ASSERT_TRUE(ssc.Start().ok());
  ASSERT_TRUE(OnceMore::stored().Wait().ok());
  raise(SIGTERM);
  EXPECT_TRUE(ssc.AwaitTermination().ok());
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

// ---------------------------------------------------------------------------------------------
// The event log.

class EventLogFilesTest : public StreamingContextTest {
 protected:
  Conf LoggingConf() const {
    return LocalConf()
        .SetAppName("Numbers")
        .Set("millrace.eventLog.enabled", true)
        .Set("millrace.eventLog.dir", dir_.path() + "/events");
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> files;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path() + "/events", none)) {
      files.push_back(entry.path().string());
    }
    return files;
  }
  // Until the first batch has ended.
  void RunOn(Context context) {
    OneShot<BatchInfo> done;
    StreamingContext ssc(std::move(context), 5ms);
    ssc.AddStreamingListener(OnFirstBatch(done));
    Numbers(ssc).ForeachRDD([](auto&) {});
    ASSERT_TRUE(ssc.Start().ok());
    done.Wait();
    ssc.Stop({.graceful = true, .stop_context = false});
  }
  // "event" of each line.
  static std::vector<std::string> EventsOf(const std::string& file) {
    std::vector<std::string> events;
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
      const std::string head = "{\"event\":\"";
      EXPECT_THAT(line, ::testing::StartsWith(head));
      EXPECT_THAT(line, ::testing::EndsWith("}"));
      events.push_back(line.substr(head.size(), line.find('"', head.size()) - head.size()));
    }
    return events;
  }

  const TempDir dir_;
};

TEST_F(EventLogFilesTest, OneFileAnApplicationHasItsRunsInOrder) {
  Context context(LoggingConf());
  RunOn(context);
  RunOn(context);
  const std::vector<std::string> files = Files();
  ASSERT_THAT(files, ::testing::SizeIs(1));
  EXPECT_THAT(files[0], HasSubstr("/events/Numbers-"));
  const std::vector<std::string> events = EventsOf(files[0]);
  ASSERT_GE(events.size(), 13u);
  EXPECT_THAT(std::vector<std::string>(events.begin(), events.begin() + 7),
              ::testing::ElementsAre("logOpened", "streamingStarted", "batchSubmitted",
                                     "batchStarted", "outputOperationStarted",
                                     "outputOperationCompleted", "batchCompleted"));
  EXPECT_EQ(std::count(events.begin(), events.end(), "streamingStarted"), 2);
  EXPECT_EQ(events.back(), "batchCompleted");
}

TEST_F(EventLogFilesTest, ItIsOffUnlessItIsAskedFor) {
  RunOn(Context(LoggingConf().Set("millrace.eventLog.enabled", false)));
  EXPECT_THAT(Files(), ::testing::IsEmpty());
}

TEST_F(EventLogFilesTest, ADirectoryThatCannotBeWrittenStopsNothing) {
  std::ofstream(dir_.path() + "/events") << "a file is here";
  RunOn(Context(LoggingConf()));
}

// ---------------------------------------------------------------------------------------------
// Pools.

TEST_F(StreamingContextTest, JobsHaveThePoolOfTheirThread) {
  Context context(LocalConf());
  const auto pool = [&] {
    return internal::MakeJob(context.Parallelize({1, 2}).node(), nullptr, "job").pool;
  };
  EXPECT_EQ(pool(), "");
  context.SetLocalProperty("millrace.scheduler.pool", "urgent");
  EXPECT_EQ(context.GetLocalProperty("millrace.scheduler.pool"), "urgent");
  EXPECT_EQ(pool(), "urgent");
  std::thread([&] { EXPECT_EQ(pool(), ""); }).join();
  context.SetLocalProperty("millrace.scheduler.pool", "");
  EXPECT_EQ(context.GetLocalProperty("millrace.scheduler.pool"), std::nullopt);
  EXPECT_EQ(pool(), "");
}

TEST_F(StreamingContextTest, BatchesHaveThePoolOfTheThreadThatStartedThem) {
  StreamingContext ssc(LocalConf(), 5ms);
  Context& context = ssc.context();
  const auto pool_of = [](const RDD<int64_t>& rdd) {
    return internal::MakeJob(rdd.node(), nullptr, "job").pool;
  };
  absl::Mutex mutex;  // The next batch is made while this one's job runs.
  std::vector<std::string> of_transform;
  std::vector<std::string> of_job;  // Before and after a change.
  OneShot<bool> enough;
  Numbers(ssc)
      .Transform([&](const RDD<int64_t>& rdd) {
        const absl::MutexLock lock(&mutex);
        of_transform.push_back(pool_of(rdd));
        return rdd;
      })
      .ForeachRDD([&](const RDD<int64_t>& rdd) {
        const absl::MutexLock lock(&mutex);
        of_job.push_back(pool_of(rdd));
        context.SetLocalProperty("millrace.scheduler.pool", "own");
        of_job.push_back(pool_of(rdd));
        if (of_job.size() >= 6) enough.Set(true);
      });
  context.SetLocalProperty("millrace.scheduler.pool", "dashboards");
  const absl::Status started = ssc.Start();
  context.SetLocalProperty("millrace.scheduler.pool", "");
  ASSERT_TRUE(started.ok());
  enough.Wait();
  ssc.Stop({.graceful = true});
  EXPECT_THAT(of_transform, ::testing::Each("dashboards"));
  for (size_t i = 0; i < of_job.size(); i += 2) {
    EXPECT_EQ(of_job[i], "dashboards");
    EXPECT_EQ(of_job[i + 1], "own");
  }
}

TEST_F(StreamingContextTest, PoolsComeFromTheirFile) {
  const TempDir dir;
  const std::string path = dir.path() + "/pools.xml";
  const Conf conf = LocalConf()
                        .Set("millrace.scheduler.mode", "FAIR")
                        .Set("millrace.scheduler.allocation.file", path);
  EXPECT_THAT(MessageOf(Context(conf).status()), HasSubstr("millrace.scheduler.allocation.file"));
  std::ofstream(path) << "<allocations>\n<pool name='a'><weight>0</weight></pool></allocations>";
  EXPECT_EQ(Context(conf).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(Context(conf).status()), HasSubstr(path + "': line 2: weight"));
  std::ofstream(path) << "<allocations><pool name='a'><weight>2</weight></pool></allocations>";
  Context context(conf);
  context.SetLocalProperty("millrace.scheduler.pool", "a");
  EXPECT_EQ(*context.Parallelize({1, 2}).Count(), 2);
  context.SetLocalProperty("millrace.scheduler.pool", "");
}

}  // namespace
}  // namespace millrace
