#include "driver/batch/streaming_run.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "common/log/block_log.h"
#include "common/log/segment_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/driver_fixture.h"

namespace millrace::internal {
namespace {

using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr int64_t kMicrosPerMilli = 1000;

// A graph whose every batch has the same jobs.
class ScriptedGraph : public BatchGraph {
 public:
  void BeginAfter(Time zero_time) override {
    EXPECT_THAT(log, IsEmpty());
    zero_times.push_back(zero_time);
  }
  absl::StatusOr<GeneratedBatch> GenerateJobs(Time batch_time, const BatchBlocks& blocks) override {
    log.push_back("generate " + std::to_string(batch_time.ms()));
    for (const auto& [stream_id, stream_blocks] : blocks) {
      for (const ReceivedBlock& block : stream_blocks) {
        received.emplace_back(batch_time.ms(), block.id.sequence);
      }
    }
    if (batch_time == failing_generation) return absl::InternalError("Transform: no such file");
    GeneratedBatch batch;
    batch.input_infos = input_infos;
    for (int id = 0; id < jobs_per_batch; ++id) {
      BatchJob job;
      job.output_op_id = id;
      job.name = "Print";
      job.description = "Print at test.cc:9";
      job.run = [this, batch_time, id] {
        log.push_back("run " + std::to_string(batch_time.ms()) + "/" + std::to_string(id));
        return run == nullptr ? absl::OkStatus() : run(batch_time, id);
      };
      batch.jobs.push_back(std::move(job));
    }
    return batch;
  }
  void StartsEnded(const ReceiverStarts& starts) override {
    for (const auto& [stream_id, numbers] : starts) {
      for (const int64_t number : numbers) log.push_back("ended " + std::to_string(number));
    }
  }
  Time ClearCompleted(Time batch_time, bool /*cut_short*/) override {
    log.push_back("clear " + std::to_string(batch_time.ms()));
    return batch_time;
  }

  Time NextMissed(Time next, Time end) override {
    return std::min(next_missed ? next_missed(next) : end, end);
  }

  int jobs_per_batch = 1;
  std::function<Time(Time)> next_missed;
  Time failing_generation{-1};
  std::function<absl::Status(Time, int)> run;
  std::vector<std::string> log;
  std::vector<Time> zero_times;
  std::vector<std::pair<int64_t, int64_t>> received;  // Batch time, sequence.
  std::map<int, StreamInputInfo> input_infos;         // Of each batch.
};

// Writes down what it hears.
class LoggingListener : public StreamingListener {
 public:
  void OnStreamingStarted(Time /*time*/) override { log.push_back("started"); }
  void OnReceiverStarted(const ReceiverInfo& r) override { log.push_back("receiver " + r.name); }
  void OnReceiverStopped(const ReceiverInfo& r) override { log.push_back("no more " + r.name); }
  void OnBatchSubmitted(const BatchInfo& b) override { Log("submitted", b.batch_time); }
  void OnBatchStarted(const BatchInfo& b) override { Log("begun", b.batch_time); }
  void OnBatchCompleted(const BatchInfo& b) override {
    Log("completed", b.batch_time);
    infos.push_back(b);
  }
  void OnOutputOperationStarted(const OutputOperationInfo& o) override {
    Log("output " + std::to_string(o.id), o.batch_time);
  }
  void OnOutputOperationCompleted(const OutputOperationInfo& o) override {
    Log("done " + std::to_string(o.id), o.batch_time);
  }

  std::vector<std::string> log;
  std::vector<BatchInfo> infos;

 private:
  void Log(const std::string& what, Time time) {
    log.push_back(what + " " + std::to_string(time.ms()));
  }
};

class StreamingRunTest : public DriverFixture {
 protected:
  StreamingRunTest() {
    spec_.batch_interval = milliseconds(1000);
    spec_.graph = graph_;
  }

  void AddReceiver(int64_t stream_id) {
    ReceiverSpec receiver;
    receiver.stream_id = stream_id;
    receiver.operator_name = "receiver";
    receiver.name = "Receiver-" + std::to_string(stream_id);
    spec_.receivers.push_back(receiver);
  }

  absl::Status Start() {
    StreamingRun::Observer observer;
    observer.batch_completed = [this](Time time, const absl::Status& status) {
      completed_.emplace_back(time.ms(), status);
    };
    observer.error = [this](const absl::Status& error) { errors_.push_back(error); };
    observer.stopped = [this] { stopped_ = true; };
    const absl::StatusOr<StreamingRun*> run = core_.BeginStreaming(spec_, std::move(observer));
    if (!run.ok()) return run.status();
    run_ = *run;
    for (const auto& listener : listeners_) run_->bus().Add(listener);
    absl::Status status = run_->Start();
    env_.RunUntilIdle();
    return status;
  }
  void AdvanceMillis(int64_t millis) { env_.Advance(millis * kMicrosPerMilli); }

  // What a worker says of a receiver.
  void ReceiverSays(int64_t worker_id, int64_t stream_id, proto::ReceiverEvent::Kind kind,
                    const std::string& message_text = "", const std::string& error = "") {
    proto::ToDriver message;
    message.set_worker_id(worker_id);
    message.mutable_receiver_event()->set_stream_id(stream_id);
    message.mutable_receiver_event()->set_kind(kind);
    message.mutable_receiver_event()->set_message(message_text);
    message.mutable_receiver_event()->set_error(error);
    Tell(std::move(message));
    env_.RunUntilIdle();
  }
  void Report(int64_t worker_id, int64_t stream_id, const std::vector<int64_t>& sequences,
              int64_t batch_time_ms = 0, int64_t record_count = 500, int64_t size_bytes = 0,
              int64_t replica = 0) {
    proto::ToDriver message;
    message.set_worker_id(worker_id);
    proto::BlockReport& report = *message.mutable_block_report();
    report.set_stream_id(stream_id);
    report.set_batch_time_ms(batch_time_ms);
    for (const int64_t sequence : sequences) {
      proto::StoredBlock& block = *report.add_blocks();
      block.mutable_id()->set_stream_id(stream_id);
      block.mutable_id()->set_sequence(sequence);
      block.set_record_count(record_count);
      block.set_size_bytes(size_bytes);
      block.set_replica(replica);
    }
    Tell(std::move(message));
    env_.RunUntilIdle();
  }
  std::vector<int64_t> DroppedBlocks() const {
    std::vector<int64_t> sequences;
    for (const SentMessage& sent : workers_.sent()) {
      for (const proto::BlockId& id : sent.message.drop_blocks().blocks()) {
        sequences.push_back(id.sequence());
      }
    }
    return sequences;
  }
  std::vector<int64_t> CompletedTimes() const {
    std::vector<int64_t> times;
    for (const auto& [time, status] : completed_) times.push_back(time);
    return times;
  }

  StreamingSpec spec_;
  const std::shared_ptr<ScriptedGraph> graph_ = std::make_shared<ScriptedGraph>();
  std::vector<std::shared_ptr<StreamingListener>> listeners_;
  StreamingRun* run_ = nullptr;
  std::vector<std::pair<int64_t, absl::Status>> completed_;
  std::vector<absl::Status> errors_;
  bool stopped_ = false;
};

// ---------------------------------------------------------------------------------------------
// Ticks.

TEST_F(StreamingRunTest, BatchTimesAreTheMultiplesOfTheInterval) {
  AdvanceMillis(2300);
  ASSERT_TRUE(Start().ok());
  AdvanceMillis(699);
  EXPECT_THAT(completed_, IsEmpty());
  AdvanceMillis(1);
  EXPECT_THAT(CompletedTimes(), ElementsAre(3000));
  AdvanceMillis(2000);
  EXPECT_THAT(CompletedTimes(), ElementsAre(3000, 4000, 5000));
}

TEST_F(StreamingRunTest, ATimeThatIsAMultipleIsNotItself) {
  AdvanceMillis(2000);
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(completed_, IsEmpty());
  AdvanceMillis(1000);
  EXPECT_THAT(CompletedTimes(), ElementsAre(3000));
}

TEST_F(StreamingRunTest, JitterDelaysBatchesAndLeavesTheirTimes) {
  spec_.batch_jitter = milliseconds(400);
  spec_.batch_jitter_share = 0.5;
  AdvanceMillis(2300);
  ASSERT_TRUE(Start().ok());
  AdvanceMillis(899);
  EXPECT_THAT(completed_, IsEmpty());
  AdvanceMillis(1);
  EXPECT_THAT(CompletedTimes(), ElementsAre(3000));
  AdvanceMillis(2999);
  EXPECT_THAT(CompletedTimes(), ElementsAre(3000, 4000, 5000));
  EXPECT_EQ(graph_->zero_times.front(), Time(2000));
}

TEST_F(StreamingRunTest, AJitterAboveTheIntervalIsTheInterval) {
  spec_.batch_jitter = milliseconds(5000);
  spec_.batch_jitter_share = 0.75;
  ASSERT_TRUE(Start().ok());
  AdvanceMillis(1749);
  EXPECT_THAT(completed_, IsEmpty());
  AdvanceMillis(1);
  EXPECT_THAT(CompletedTimes(), ElementsAre(1000));
}

TEST_F(StreamingRunTest, TicksThatTheClockHasPassedWaitForNoJitter) {
  spec_.batch_jitter = milliseconds(100);
  spec_.batch_jitter_share = 0.5;
  ASSERT_TRUE(Start().ok());
  env_.JumpWall(5'000'000);
  AdvanceMillis(1050);
  EXPECT_THAT(CompletedTimes(), ElementsAre(1000, 2000, 3000, 4000, 5000, 6000));
}

TEST_F(StreamingRunTest, NoTickIsSkippedWhenGenerationFallsBehind) {
  ASSERT_TRUE(Start().ok());
  env_.HoldJobs(true);
  AdvanceMillis(3000);
  EXPECT_THAT(completed_, IsEmpty());
  env_.HoldJobs(false);
  env_.RunUntilIdle();
  EXPECT_THAT(CompletedTimes(), ElementsAre(1000, 2000, 3000));
}

TEST_F(StreamingRunTest, TheNextBatchIsGeneratedWhileTheLastOneRuns) {
  graph_->jobs_per_batch = 2;
  spec_.concurrent_jobs = 2;
  ASSERT_TRUE(Start().ok());
  env_.HoldJobs(true);
  AdvanceMillis(1000);
  env_.RunNextJob();  // Generates.
  env_.RunUntilIdle();
  EXPECT_EQ(env_.job_count(), 2u) << "both lanes have a job";
  AdvanceMillis(1000);
  EXPECT_EQ(env_.job_count(), 3u) << "and the second batch is being generated";
  env_.HoldJobs(false);
  env_.RunUntilIdle();
  EXPECT_THAT(CompletedTimes(), ElementsAre(1000, 2000));
}

TEST_F(StreamingRunTest, TheGraphKnowsTheZeroTimeFromTheStart) {
  AdvanceMillis(2300);
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(graph_->zero_times, ElementsAre(Time(2000)));
  AdvanceMillis(700);
  EXPECT_THAT(CompletedTimes(), ElementsAre(3000));
  EXPECT_THAT(graph_->zero_times, SizeIs(1)) << "once";
}

// ---------------------------------------------------------------------------------------------
// Jobs and events.

TEST_F(StreamingRunTest, ListenersHearOfABatchInOrder) {
  const auto listener = std::make_shared<LoggingListener>();
  listeners_.push_back(listener);
  graph_->jobs_per_batch = 2;
  ASSERT_TRUE(Start().ok());
  AdvanceMillis(1000);
  EXPECT_THAT(listener->log,
              ElementsAre("started", "submitted 1000", "begun 1000", "output 0 1000", "done 0 1000",
                          "output 1 1000", "done 1 1000", "completed 1000"));
  EXPECT_THAT(graph_->log, ElementsAre("generate 1000", "run 1000/0", "run 1000/1", "clear 1000"));
  const BatchInfo& info = listener->infos.at(0);
  EXPECT_EQ(info.submission_time, Time(1000));
  EXPECT_EQ(info.processing_start_time, Time(1000));
  EXPECT_EQ(info.processing_end_time, Time(1000));
  ASSERT_THAT(info.output_operation_infos, SizeIs(2));
  EXPECT_EQ(info.output_operation_infos.at(1).description, "Print at test.cc:9");
  EXPECT_EQ(info.output_operation_infos.at(1).failure_reason, std::nullopt);
}

TEST_F(StreamingRunTest, ABatchWithoutJobsHasNoEvents) {
  const auto listener = std::make_shared<LoggingListener>();
  listeners_.push_back(listener);
  graph_->jobs_per_batch = 0;
  ASSERT_TRUE(Start().ok());
  AdvanceMillis(1000);
  EXPECT_THAT(listener->log, ElementsAre("started"));
  EXPECT_THAT(CompletedTimes(), ElementsAre(1000));
  EXPECT_THAT(graph_->log, ElementsAre("generate 1000", "clear 1000"));
}

TEST_F(StreamingRunTest, AFailedJobIsReportedAndTheOthersGoOn) {
  const auto listener = std::make_shared<LoggingListener>();
  listeners_.push_back(listener);
  graph_->jobs_per_batch = 2;
  graph_->run = [](Time time, int id) {
    return time == Time(1000) && id == 0 ? absl::DataLossError("Map at test.cc:3: boom")
                                         : absl::OkStatus();
  };
  ASSERT_TRUE(Start().ok());
  AdvanceMillis(2000);
  EXPECT_THAT(graph_->log, Contains("run 1000/1"));
  EXPECT_THAT(graph_->log, Contains("clear 1000")) << "a failed batch is cleaned, too";
  ASSERT_THAT(errors_, SizeIs(1));
  EXPECT_EQ(errors_[0].code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(errors_[0].message(), "batch 1000 ms: Map at test.cc:3: boom");
  EXPECT_EQ(completed_[0].second, errors_[0]);
  EXPECT_TRUE(completed_[1].second.ok());
  const BatchInfo& info = listener->infos.at(0);
  EXPECT_THAT(info.output_operation_infos.at(0).failure_reason.value(), HasSubstr("boom"));
  EXPECT_EQ(info.output_operation_infos.at(1).failure_reason, std::nullopt);
}

TEST_F(StreamingRunTest, WhatAJobThrowsIsItsError) {
  graph_->run = [](Time, int) -> absl::Status { throw std::runtime_error("out of luck"); };
  ASSERT_TRUE(Start().ok());
  AdvanceMillis(1000);
  ASSERT_THAT(errors_, SizeIs(1));
  EXPECT_EQ(errors_[0].message(), "batch 1000 ms: Print at test.cc:9: out of luck");
}

TEST_F(StreamingRunTest, ABatchThatCannotBeGeneratedIsReportedAndCleaned) {
  graph_->failing_generation = Time(1000);
  ASSERT_TRUE(Start().ok());
  AdvanceMillis(2000);
  ASSERT_THAT(errors_, SizeIs(1));
  EXPECT_EQ(errors_[0].message(), "batch 1000 ms: Transform: no such file");
  EXPECT_THAT(graph_->log, ElementsAre("generate 1000", "clear 1000", "generate 2000", "run 2000/0",
                                       "clear 2000"));
}

TEST_F(StreamingRunTest, ConcurrentBatchesEndInAnyOrder) {
  spec_.concurrent_jobs = 2;
  ASSERT_TRUE(Start().ok());
  env_.HoldJobs(true);
  AdvanceMillis(1000);
  env_.RunNextJob();
  env_.RunUntilIdle();  // The first batch's job is held.
  AdvanceMillis(1000);
  EXPECT_EQ(env_.job_count(), 2u);
  env_.HoldJobs(false);
  env_.RunUntilIdle();
  EXPECT_THAT(CompletedTimes(), ElementsAre(1000, 2000));
  EXPECT_THAT(errors_, IsEmpty());
}

// A job that takes longer than the interval: time goes on within it.
TEST_F(StreamingRunTest, BatchesThatOverrunQueueUpInOrderAndTheirDelayIsSeen) {
  const auto listener = std::make_shared<LoggingListener>();
  listeners_.push_back(listener);
  graph_->run = [this](Time time, int) {
    AdvanceMillis(time <= Time(2000) ? 2500 : 100);
    return absl::OkStatus();
  };
  ASSERT_TRUE(Start().ok());
  AdvanceMillis(1000);
  AdvanceMillis(7000 - env_.NowMicros() / kMicrosPerMilli);
  EXPECT_THAT(CompletedTimes(), ElementsAre(1000, 2000, 3000, 4000, 5000, 6000, 7000));
  std::vector<std::pair<int64_t, int64_t>> delays;  // Scheduling, processing.
  for (const BatchInfo& info : listener->infos) {
    EXPECT_EQ(info.submission_time, info.batch_time) << "made in time";
    EXPECT_EQ(*info.total_delay(), *info.scheduling_delay() + *info.processing_delay());
    EXPECT_EQ(info.precise_scheduling_delay, *info.scheduling_delay());
    delays.emplace_back(info.scheduling_delay()->count(), info.processing_delay()->count());
  }
  EXPECT_THAT(delays, ElementsAre(Pair(0, 2500), Pair(1500, 2500), Pair(3000, 100), Pair(2100, 100),
                                  Pair(1200, 100), Pair(300, 100), Pair(0, 100)));
}

TEST_F(StreamingRunTest, BatchesFarBehindAreMadeWhenTheirTurnComesAndTheirDelayCountsAllTheSame) {
  const auto listener = std::make_shared<LoggingListener>();
  listeners_.push_back(listener);
  int made_ahead = 0;
  graph_->run = [&](Time time, int) {
    if (time != Time(1000)) return absl::OkStatus();
    AdvanceMillis(1'500'000);
    made_ahead = static_cast<int>(
        std::count_if(graph_->log.begin(), graph_->log.end(),
                      [](const std::string& line) { return line.starts_with("generate"); }));
    return absl::OkStatus();
  };
  ASSERT_TRUE(Start().ok());
  AdvanceMillis(1000);
  EXPECT_EQ(made_ahead, 1 + 1000);
  ASSERT_THAT(completed_, SizeIs(1501));
  for (size_t i = 0; i < listener->infos.size(); ++i) {
    const BatchInfo& info = listener->infos[i];
    ASSERT_EQ(info.batch_time, Time(static_cast<int64_t>(i + 1) * 1000));
    ASSERT_EQ(info.submission_time, info.batch_time);
    ASSERT_EQ(*info.scheduling_delay(),
              i == 0 ? milliseconds(0) : Time(1'501'000) - info.batch_time);
  }
}

// ---------------------------------------------------------------------------------------------
// Receivers.

TEST_F(StreamingRunTest, BlocksHoldNoMoreThanABlockCan) {
  const auto listener = std::make_shared<LoggingListener>();
  listeners_.push_back(listener);
  AddWorker(1, 1);
  AddReceiver(0);
  ASSERT_TRUE(Start().ok());
  ReceiverSays(1, 0, proto::ReceiverEvent::STARTED);
  Report(1, 0, {1, 2}, 0, INT64_MAX, INT64_MAX);
  AdvanceMillis(1000);
  Report(1, 0, {3, 4}, 1000, INT64_MIN, INT64_MIN);
  ASSERT_THAT(listener->infos, SizeIs(1));
  EXPECT_EQ(listener->infos[0].num_records(), int64_t{2} << 40);
}

TEST_F(StreamingRunTest, BlocksBelongToTheBatchThatIsCutAfterThem) {
  AddWorker(1, 1);
  AddReceiver(0);
  ASSERT_TRUE(Start().ok());
  ASSERT_EQ(workers_.CountSent(proto::ToWorker::kStartReceiver), 1);
  ReceiverSays(1, 0, proto::ReceiverEvent::STARTED);
  Report(1, 0, {1, 2});
  AdvanceMillis(1000);
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kCutBlocks), 1);
  EXPECT_THAT(graph_->log, IsEmpty()) << "until the receiver has answered";
  Report(1, 0, {3}, 1000);
  EXPECT_THAT(graph_->received, ElementsAre(Pair(1000, 1), Pair(1000, 2), Pair(1000, 3)));
  Report(1, 0, {4});
  EXPECT_THAT(DroppedBlocks(), ElementsAre(1, 2, 3));
  AdvanceMillis(1000);
  Report(1, 0, {}, 2000);
  EXPECT_THAT(graph_->received, Contains(Pair(2000, 4)));
}

TEST_F(StreamingRunTest, AReceiverThatDoesNotAnswerHoldsUpNothingForLong) {
  AddWorker(1, 1);
  AddReceiver(0);
  ASSERT_TRUE(Start().ok());
  ReceiverSays(1, 0, proto::ReceiverEvent::STARTED);
  AdvanceMillis(1000);
  AdvanceMillis(49);
  EXPECT_THAT(completed_, IsEmpty());
  AdvanceMillis(1);
  EXPECT_THAT(CompletedTimes(), ElementsAre(1000));
  Report(1, 0, {1}, 1000);
  AdvanceMillis(950);
  Report(1, 0, {}, 2000);
  EXPECT_THAT(graph_->received, ElementsAre(Pair(2000, 1)));
}

TEST_F(StreamingRunTest, BlocksAreCutAtTheTickHoweverLateTheBatchIsGenerated) {
  AddWorker(1, 1);
  AddReceiver(0);
  ASSERT_TRUE(Start().ok());
  ReceiverSays(1, 0, proto::ReceiverEvent::STARTED);
  env_.HoldJobs(true);
  for (int64_t n = 1; n <= 3; ++n) {
    Report(1, 0, {n});
    AdvanceMillis(1000);
    Report(1, 0, {}, 1000 * n);
  }
  env_.HoldJobs(false);
  env_.RunUntilIdle();
  EXPECT_THAT(graph_->received, ElementsAre(Pair(1000, 1), Pair(2000, 2), Pair(3000, 3)));
}

TEST_F(StreamingRunTest, ARunningBatchKeepsItsBlocksWhenALaterOneEnds) {
  AddWorker(1, 1);
  AddReceiver(0);
  spec_.concurrent_jobs = 2;
  ASSERT_TRUE(Start().ok());
  ReceiverSays(1, 0, proto::ReceiverEvent::STARTED);
  env_.HoldJobs(true);
  Report(1, 0, {1});
  AdvanceMillis(1000);
  Report(1, 0, {}, 1000);
  env_.RunNextJob();
  env_.RunUntilIdle();
  EXPECT_EQ(env_.job_count(), 1u) << "the job of batch 1000, which is held from here on";
  Report(1, 0, {2});
  AdvanceMillis(1000);
  Report(1, 0, {}, 2000);
  env_.RotateJobs();  // The next batch overtakes it.
  env_.RunNextJob();  // Generates batch 2000, and
  env_.RunUntilIdle();
  env_.RotateJobs();
  env_.RunNextJob();  // runs it.
  env_.RunUntilIdle();
  EXPECT_THAT(CompletedTimes(), ElementsAre(2000));
  EXPECT_THAT(DroppedBlocks(), IsEmpty());
  env_.HoldJobs(false);
  env_.RunUntilIdle();
  EXPECT_THAT(CompletedTimes(), ElementsAre(2000, 1000));
  EXPECT_THAT(DroppedBlocks(), ElementsAre(1, 2));
}

TEST_F(StreamingRunTest, AReceiverThatEndsIsStartedAgainAfterItsDelay) {
  AddWorker(1, 1);
  AddReceiver(0);
  ASSERT_TRUE(Start().ok());
  ReceiverSays(1, 0, proto::ReceiverEvent::STARTED);
  ReceiverSays(1, 0, proto::ReceiverEvent::STOPPED);
  AdvanceMillis(1999);
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kStartReceiver), 1);
  AdvanceMillis(1);
  ASSERT_EQ(workers_.CountSent(proto::ToWorker::kStartReceiver), 2);
  EXPECT_GT(workers_.sent().back().message.start_receiver().first_sequence(), 0);
}

TEST_F(StreamingRunTest, ListenersHearOfReceiversWithAllThereIsToKnow) {
  struct ReceiverListener : StreamingListener {
    void OnReceiverStarted(const ReceiverInfo& r) override { infos.emplace_back("started", r); }
    void OnReceiverError(const ReceiverInfo& r) override { infos.emplace_back("error", r); }
    void OnReceiverStopped(const ReceiverInfo& r) override { infos.emplace_back("stopped", r); }
    std::vector<std::pair<std::string, ReceiverInfo>> infos;
  };
  const auto listener = std::make_shared<ReceiverListener>();
  listeners_.push_back(listener);
  AddWorker(1, 1);
  AddReceiver(3);
  ASSERT_TRUE(Start().ok());
  ReceiverSays(1, 3, proto::ReceiverEvent::STARTED);
  AdvanceMillis(500);
  ReceiverSays(1, 3, proto::ReceiverEvent::ERROR, "restarting", "connection refused");
  AdvanceMillis(100);
  ReceiverSays(1, 3, proto::ReceiverEvent::STOPPED, "the receiver failed", "OnStart threw: no");
  AdvanceMillis(2000);
  ReceiverSays(1, 3, proto::ReceiverEvent::STARTED);
  run_->Stop(/*graceful=*/true);
  ReceiverSays(1, 3, proto::ReceiverEvent::STOPPED, "the streaming context stops");

  ASSERT_THAT(listener->infos, SizeIs(5));
  for (const auto& [event, info] : listener->infos) {
    EXPECT_EQ(info.stream_id, 3);
    EXPECT_EQ(info.name, "Receiver-3");
    EXPECT_EQ(info.location, "host1");
    EXPECT_EQ(info.executor_id, "1");
    EXPECT_EQ(info.active, event != "stopped");
  }
  const auto expect = [&](size_t index, const std::string& event, const std::string& message,
                          const std::string& error, int64_t time_ms) {
    const auto& [seen_event, info] = listener->infos[index];
    EXPECT_EQ(seen_event, event);
    EXPECT_EQ(info.last_error_message, message);
    EXPECT_EQ(info.last_error, error);
    EXPECT_EQ(info.last_error_time_ms, time_ms);
  };
  expect(0, "started", "", "", -1);
  expect(1, "error", "restarting", "connection refused", 500);
  expect(2, "stopped", "the receiver failed", "OnStart threw: no", 600);
  expect(3, "started", "the receiver failed", "OnStart threw: no", 600);
  expect(4, "stopped", "the streaming context stops", "", -1);
}

TEST_F(StreamingRunTest, AReceiverOfALostWorkerStartsElsewhereAtOnce) {
  AddWorker(1, 1);
  AddWorker(2, 1);
  AddReceiver(0);
  ASSERT_TRUE(Start().ok());
  const int64_t first = workers_.sent().back().worker_id;
  ReceiverSays(first, 0, proto::ReceiverEvent::STARTED);
  workers_.ClearSent();
  core_.WorkerLost(first, "connection reset");
  ASSERT_EQ(workers_.CountSent(proto::ToWorker::kStartReceiver), 1);
  EXPECT_NE(workers_.sent().back().worker_id, first);
}

// Worker 1 receives and worker 2 has the second copies.
TEST_F(StreamingRunTest, BlocksOfALostWorkerComeFromTheirSecondCopies) {
  AddWorker(1, 1);
  AddReceiver(0);
  ASSERT_TRUE(Start().ok());
  AddWorker(2, 1);
  ReceiverSays(1, 0, proto::ReceiverEvent::STARTED);
  Report(1, 0, {1}, 0, 500, /*size_bytes=*/0, /*replica=*/2);
  AdvanceMillis(1000);
  Report(1, 0, {2}, 1000, 500, /*size_bytes=*/0, /*replica=*/2);
  core_.WorkerLost(1, "connection reset");
  workers_.ClearSent();
  // It has the two that are known, and one that the first worker did not live to report.
  Report(2, 0, {1, 2, 3});
  AdvanceMillis(1000);
  EXPECT_THAT(graph_->received, ElementsAre(Pair(1000, 1), Pair(1000, 2), Pair(2000, 3)));
}

// A driver of a later epoch, and what a worker tells it of its predecessor's time.
class TakenOverTest : public StreamingRunTest {
 protected:
  static constexpr int64_t kEarlier = 1;
  static constexpr int64_t kStart = int64_t{1} << 32;  // The first number behind those.

  // Blocks and a receiver of stream 0, which were there before it said hello.
  void AddWorkerWith(int64_t id, const std::vector<int64_t>& sequences, bool receives) {
    proto::ToDriver message;
    message.set_worker_id(id);
    proto::WorkerHello& hello = *message.mutable_hello();
    hello.set_host("host" + std::to_string(id));
    hello.set_task_slots(1);
    hello.set_driver_epoch(kEarlier);
    for (const int64_t sequence : sequences) {
      proto::StoredBlock& block = *hello.add_blocks();
      block.mutable_id()->set_sequence(sequence);
      block.set_size_bytes(100);
    }
    if (receives) {
      proto::RunningReceiver& running = *hello.add_receivers();
      running.mutable_start()->set_operator_name("receiver");
      running.mutable_start()->set_storage_level(
          static_cast<uint32_t>(StorageLevel::kMemoryAndDisk2));
      running.set_stored_bytes(900);
    }
    core_.HandleMessage(std::move(message));
  }
  static std::vector<ReceivedBlock> BlocksOf(const std::vector<int64_t>& sequences) {
    std::vector<ReceivedBlock> blocks;
    for (const int64_t sequence : sequences) {
      blocks.emplace_back().id = {0, sequence};
      blocks.back().size_bytes = 100;
    }
    return blocks;
  }
  // The checkpoint has batches 2000, which has ended, and 3000, which has not.
  void ResumeAt(int64_t millis) {
    AdvanceMillis(millis);
    spec_.resume = ResumePoint{Time(2000), Time(3000)};
    spec_.recovered.batches[Time(3000)][0] = BlocksOf({3});
    spec_.recovered.unallocated[0] = BlocksOf({4});
    spec_.recovered.taken_over[0] = {.assigned = {{0, 3}}, .unheard = {}};
  }
};

TEST_F(TakenOverTest, ReceiversAndBlocksOnWorkersGoOn) {
  AddReceiver(0);
  spec_.backpressure_enabled = true;
  AddWorkerWith(1, {2, 3, 4, 5}, /*receives=*/true);
  AddWorkerWith(2, {3, 4, 6}, /*receives=*/false);  // Copies, one of which nobody has reported.
  ResumeAt(3500);
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kStartReceiver), 0);
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kStopReceiver), 0);
  EXPECT_THAT(DroppedBlocks(), ElementsAre(2, 3, 3))
      << "2 was in a batch; 3 is in one that is over";
  Report(1, 0, {7});
  Report(1, 0, {2, 5, 7});  // Once more.
  AdvanceMillis(500);
  Report(1, 0, {}, 4000);
  EXPECT_THAT(graph_->received, ElementsAre(Pair(3000, 3), Pair(4000, 4), Pair(4000, 5),
                                            Pair(4000, 6), Pair(4000, 7)));
  // The receiver is one of this driver's, and numbers of the next one are new.
  ReceiverSays(1, 0, proto::ReceiverEvent::STOPPED);
  AdvanceMillis(spec_.receiver_restart_delay.count());
  ASSERT_EQ(workers_.CountSent(proto::ToWorker::kStartReceiver), 1);
  for (const SentMessage& sent : workers_.sent()) {
    if (!sent.message.has_start_receiver()) continue;
    EXPECT_EQ(sent.message.start_receiver().first_sequence(), kStart);
  }
}

// Copies of a lost worker's blocks are told late. The books tell starts that are done, whose blocks
// were in batches, from those that no driver has heard of.
TEST_F(TakenOverTest, LateBlocksCountWhereTheirStartIsNotDone) {
  AddReceiver(0);
  spec_.receivers[0].first_sequence = 8 * kStart;
  AddWorkerWith(1, {4}, /*receives=*/false);
  ResumeAt(3500);
  spec_.recovered.taken_over[0].assigned[5] = 5 * kStart + 2;
  spec_.recovered.taken_over[0].unheard.Append(6, 8);
  ASSERT_TRUE(Start().ok());
  Report(1, 0, {kStart, 5 * kStart + 2, 5 * kStart + 3, 7 * kStart});
  EXPECT_THAT(DroppedBlocks(), ElementsAre(kStart, 5 * kStart + 2));
  AdvanceMillis(500);
  EXPECT_THAT(graph_->received, ElementsAre(Pair(3000, 3), Pair(4000, 4),
                                            Pair(4000, 5 * kStart + 3), Pair(4000, 7 * kStart)));
}

TEST_F(TakenOverTest, AReceiverThatIsNotTheSameEndsBeforeItsStreamHasAnother) {
  AddReceiver(0);
  spec_.receivers[0].params = "another port";
  AddWorkerWith(1, {4}, /*receives=*/true);
  ResumeAt(3500);
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kStopReceiver), 1);
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kStartReceiver), 0);
  Report(1, 0, {5});  // Its last.
  ReceiverSays(1, 0, proto::ReceiverEvent::STOPPED);
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kStartReceiver), 1);
  AdvanceMillis(500);
  EXPECT_THAT(graph_->received, ElementsAre(Pair(3000, 3), Pair(4000, 4), Pair(4000, 5)));
}

TEST_F(TakenOverTest, WhatNoCheckpointKnowsOfIsDropped) {
  AddReceiver(0);
  AddWorkerWith(1, {2, 3}, /*receives=*/true);
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(DroppedBlocks(), ElementsAre(2, 3));
  Report(1, 0, {4});
  EXPECT_THAT(DroppedBlocks(), ElementsAre(2, 3, 4));
  ReceiverSays(1, 0, proto::ReceiverEvent::STOPPED);
  ReceiverSays(1, 0, proto::ReceiverEvent::STARTED);
  Report(1, 0, {kStart});
  AdvanceMillis(1000);
  Report(1, 0, {}, 1000);
  EXPECT_THAT(graph_->received, ElementsAre(Pair(1000, kStart)));
}

TEST_F(TakenOverTest, WhoComesBehindTheStartIsNotTaken) {
  AddReceiver(0);
  ASSERT_TRUE(Start().ok());
  AddWorkerWith(1, {2}, /*receives=*/true);
  EXPECT_TRUE(workers_.disconnected().contains(1));
  AddWorkerWith(2, {}, /*receives=*/false);
  EXPECT_FALSE(workers_.disconnected().contains(2));
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kStartReceiver), 1);
}

// Its receiver's worker does not know who has got it.
TEST_F(StreamingRunTest, ABlockWhoseSecondCopyIsNotConfirmedIsDroppedOnAllWorkers) {
  AddWorker(1, 1);
  AddReceiver(0);
  ASSERT_TRUE(Start().ok());
  AddWorker(2, 1);
  AddWorker(3, 1);
  ReceiverSays(1, 0, proto::ReceiverEvent::STARTED);
  Report(1, 0, {1}, 0, 500, /*size_bytes=*/0, /*replica=*/2);
  Report(1, 0, {2});
  Report(1, 0, {2}, 0, 500, /*size_bytes=*/0, /*replica=*/2);
  for (int i = 0; i < 10; ++i) {
    AdvanceMillis(1000);
    Report(1, 0, {}, 1000 * (i + 1));
  }
  std::map<int64_t, std::set<int64_t>> told;  // Workers, by block.
  for (const SentMessage& sent : workers_.sent()) {
    for (const proto::BlockId& id : sent.message.drop_blocks().blocks()) {
      told[id.sequence()].insert(sent.worker_id);
    }
  }
  EXPECT_THAT(told[1], ElementsAre(1, 2));
  EXPECT_THAT(told[2], ElementsAre(1, 2, 3));
}

TEST_F(StreamingRunTest, ASecondCopyThatComesTooLateIsDropped) {
  AddWorker(1, 1);
  AddReceiver(0);
  ASSERT_TRUE(Start().ok());
  AddWorker(2, 1);
  ReceiverSays(1, 0, proto::ReceiverEvent::STARTED);
  Report(1, 0, {1, 2});
  for (int i = 0; i < 10; ++i) {
    AdvanceMillis(1000);
    Report(1, 0, {}, 1000 * (i + 1));
  }
  core_.WorkerLost(1, "connection reset");
  workers_.ClearSent();
  Report(2, 0, {1, 2});
  EXPECT_THAT(DroppedBlocks(), ElementsAre(1, 2));
  AdvanceMillis(1000);
  EXPECT_THAT(graph_->received, ElementsAre(Pair(1000, 1), Pair(1000, 2))) << "once";
}

TEST_F(StreamingRunTest, ReceiversWaitForAWorker) {
  AddReceiver(0);
  ASSERT_TRUE(Start().ok());
  AdvanceMillis(1000);
  EXPECT_THAT(CompletedTimes(), ElementsAre(1000)) << "batches do not wait for receivers";
  AddWorker(1, 1);
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kStartReceiver), 1);
}

TEST_F(StreamingRunTest, BackpressureSlowsEachReceiverByItsOwnBatches) {
  AddWorker(1, 1);
  AddReceiver(0);
  AddReceiver(1);
  spec_.backpressure_enabled = true;
  spec_.initial_rate = 5000;
  spec_.concurrent_jobs = 2;  // So that the start of a job is seen before it runs.
  graph_->run = [this](Time, int) {
    env_.JumpMonotonic(800'000);
    return absl::OkStatus();
  };
  ASSERT_TRUE(Start().ok());
  for (const SentMessage& sent : workers_.sent()) {
    if (!sent.message.has_start_receiver()) continue;
    EXPECT_EQ(sent.message.start_receiver().rate_limit(), 5000);
  }
  ReceiverSays(1, 0, proto::ReceiverEvent::STARTED);
  ReceiverSays(1, 1, proto::ReceiverEvent::STARTED);
  for (int64_t n = 1; n <= 2; ++n) {
    Report(1, 0, {n});
    AdvanceMillis(1000 * n - env_.NowMicros() / kMicrosPerMilli);
    Report(1, 0, {}, 1000 * n);
    Report(1, 1, {}, 1000 * n);
    if (n == 1) {
      EXPECT_EQ(workers_.CountSent(proto::ToWorker::kUpdateRate), 0) << "only primes";
    }
  }
  ASSERT_EQ(workers_.CountSent(proto::ToWorker::kUpdateRate), 1) << "the other received nothing";
  for (const SentMessage& sent : workers_.sent()) {
    if (!sent.message.has_update_rate()) continue;
    EXPECT_EQ(sent.message.update_rate().stream_id(), 0);
    EXPECT_NEAR(sent.message.update_rate().rate_limit(), 625, 1);
  }
}

TEST_F(StreamingRunTest, BackpressureSetsTheRateOfADirectStream) {
  const auto limit = std::make_shared<RateLimit>();
  spec_.direct_streams.push_back({3, limit});
  spec_.backpressure_enabled = true;
  spec_.initial_rate = 5000;
  spec_.max_rate = 10;  // Of receivers.
  graph_->input_infos[3] = {.stream_id = 3, .num_records = 500, .metadata = {}};
  graph_->run = [this](Time, int) {
    env_.JumpMonotonic(800'000);
    return absl::OkStatus();
  };
  spec_.concurrent_jobs = 2;  // So that the start of a job is seen before it runs.
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(limit->rate(), 5000);
  AdvanceMillis(1000);
  EXPECT_EQ(limit->rate(), 5000) << "only primes";
  AdvanceMillis(1000);
  EXPECT_NEAR(limit->rate(), 625, 1);
}

TEST_F(StreamingRunTest, SenselessRateSettingsAreRefused) {
  AddReceiver(0);
  spec_.backpressure_enabled = true;
  spec_.pid_min_rate = 0;
  EXPECT_EQ(Start().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(StreamingRunTest, AReceiverHearsWhatOfItsOwnBlocksIsProcessed) {
  AddWorker(1, 1);
  AddReceiver(0);
  spec_.backpressure_enabled = true;
  spec_.initial_rate = 5000;
  ASSERT_TRUE(Start().ok());
  ReceiverSays(1, 0, proto::ReceiverEvent::STARTED);
  const auto processed = [this] { return workers_.sent().back().message.update_rate(); };
  Report(1, 0, {1, 2}, 0, -1, 100);
  AdvanceMillis(1000);
  Report(1, 0, {3}, 1000, -1, 11);
  EXPECT_EQ(processed().processed_bytes(), 211);
  Report(1, 0, {4}, 0, -1, 1000);
  // It starts again: what is still to come of its blocks from before is not the new one's.
  ReceiverSays(1, 0, proto::ReceiverEvent::STOPPED);
  AdvanceMillis(2000);
  const int64_t first = workers_.sent().back().message.start_receiver().first_sequence();
  ASSERT_GT(first, 4);
  ReceiverSays(1, 0, proto::ReceiverEvent::STARTED);
  Report(1, 0, {5}, 0, -1, 1000);
  Report(1, 0, {first}, 0, -1, 7);
  AdvanceMillis(1000);
  Report(1, 0, {}, 4000);
  EXPECT_EQ(processed().processed_bytes(), 7);
}

// A source that brings twice what can be processed: 2,000 records a second, 1 ms a record. Time
// goes on in small steps, also within jobs; the source takes what its limits allow.
// ---------------------------------------------------------------------------------------------
// Logs of receivers.

class ReceiverLogTest : public StreamingRunTest {
 protected:
  static constexpr char kDirectory[] = "/received/run-1/stream";

  ReceiverLogTest() {
    AddReceiver(0);
    spec_.receivers[0].log = ReceiverLogSpec{kDirectory, "/received/run-1/sealed"};
    spec_.receivers[0].first_sequence = int64_t{5} << 32;
  }

  static int64_t Sequence(int64_t start, int64_t block) { return (start << 32) + block; }
  static std::string DirectoryOf(int64_t start) {
    return std::string(kDirectory) + "/" + std::to_string(start);
  }
  // What a receiver's worker does.
  void LogBlocks(int64_t start, const std::vector<int64_t>& blocks) {
    ASSERT_TRUE(fs_.CreateDirs(DirectoryOf(start)).ok());
    auto segment = SegmentWriter::Create(fs_, DirectoryOf(start), 1);
    ASSERT_TRUE(segment.ok()) << segment.status();
    for (const int64_t block : blocks) {
      proto::StoredBlock stored;
      stored.mutable_id()->set_sequence(Sequence(start, block));
      ASSERT_TRUE(segment->Append(EncodeLoggedBlock(stored, {Buffer::CopyOf("records")})).ok());
    }
    ASSERT_TRUE(segment->Finish().ok());
  }
  std::vector<int64_t> LogStarts() const {
    std::vector<int64_t> starts;
    for (const SentMessage& sent : workers_.sent()) {
      if (!sent.message.has_start_receiver()) continue;
      const proto::StartReceiver& start = sent.message.start_receiver();
      starts.push_back(start.first_sequence() >> 32);
      EXPECT_EQ(start.log().directory(), DirectoryOf(starts.back()));
      EXPECT_THAT(start.log().seals(),
                  ElementsAre("/received/run-1/sealed", DirectoryOf(starts.back()) + "/sealed"));
    }
    return starts;
  }
};

TEST_F(ReceiverLogTest, WhatALostWorkerHadLoggedAndNotReportedIsInTheNextBatch) {
  AddWorker(1, 1);
  ASSERT_TRUE(Start().ok());
  LogBlocks(5, {0, 1, 2});
  Report(1, 0, {Sequence(5, 0)});
  core_.WorkerLost(1, "killed");
  AddWorker(2, 1);
  env_.RunUntilIdle();
  EXPECT_THAT(LogStarts(), ElementsAre(5, 6));
  EXPECT_TRUE(*fs_.Exists(DirectoryOf(5) + "/sealed"));
  AdvanceMillis(1000);
  EXPECT_THAT(graph_->received, ElementsAre(Pair(1000, Sequence(5, 0)), Pair(1000, Sequence(5, 1)),
                                            Pair(1000, Sequence(5, 2))));
  EXPECT_THAT(graph_->log, Contains("ended 5"));
  AdvanceMillis(1000);
  EXPECT_THAT(graph_->received, SizeIs(3));
}

TEST_F(ReceiverLogTest, ALogThatCannotBeReadIsTriedAgain) {
  AddWorker(1, 1);
  ASSERT_TRUE(Start().ok());
  LogBlocks(5, {0});
  fs_.SetFault([](FileOp, const std::string&) { return absl::UnavailableError("no disk"); });
  core_.WorkerLost(1, "killed");
  AdvanceMillis(1500);
  EXPECT_THAT(graph_->received, IsEmpty());
  EXPECT_THAT(graph_->log, Not(Contains("ended 5")));
  fs_.SetFault(nullptr);
  AdvanceMillis(2000);
  EXPECT_THAT(graph_->received, ElementsAre(Pair(3000, Sequence(5, 0))));
}

TEST_F(ReceiverLogTest, AGracefulStopWaitsForTheLogOfALostWorker) {
  AddWorker(1, 1);
  ASSERT_TRUE(Start().ok());
  LogBlocks(5, {0});
  env_.HoldJobs(true);
  core_.WorkerLost(1, "killed");
  run_->Stop(/*graceful=*/true);
  env_.RunUntilIdle();
  EXPECT_FALSE(stopped_);
  env_.HoldJobs(false);
  AdvanceMillis(1000);
  EXPECT_THAT(graph_->received, ElementsAre(Pair(1000, Sequence(5, 0))));
  EXPECT_TRUE(stopped_);
}

TEST_F(ReceiverLogTest, AReceiverThatEndsByItselfHasReportedEverything) {
  AddWorker(1, 1);
  ASSERT_TRUE(Start().ok());
  ReceiverSays(1, 0, proto::ReceiverEvent::STARTED);
  Report(1, 0, {Sequence(5, 0)});
  ReceiverSays(1, 0, proto::ReceiverEvent::STOPPED);
  AdvanceMillis(1000);
  EXPECT_THAT(graph_->log, ElementsAre("ended 5", "generate 1000", "run 1000/0", "clear 1000"));
}

TEST_F(ReceiverLogTest, RecoveredBatchesHaveWhatTheyHadAndTheFirstNewOneTheRest) {
  const auto block = [](int64_t sequence) {
    ReceivedBlock received;
    received.id = {0, sequence};
    return received;
  };
  AdvanceMillis(4500);
  spec_.resume = ResumePoint{Time(1000), Time(3000)};
  spec_.recovered.batches[Time(2000)][0] = {block(Sequence(3, 0)), block(Sequence(3, 1))};
  spec_.recovered.unallocated[0] = {block(Sequence(3, 2)), block(Sequence(4, 0))};
  AddWorker(1, 1);
  ASSERT_TRUE(Start().ok());
  AdvanceMillis(500);
  EXPECT_THAT(graph_->received,
              ElementsAre(Pair(2000, Sequence(3, 0)), Pair(2000, Sequence(3, 1)),
                          Pair(5000, Sequence(3, 2)), Pair(5000, Sequence(4, 0))));
  EXPECT_THAT(LogStarts(), ElementsAre(5));
}

std::vector<std::string> Generated(const std::vector<std::string>& log) {
  std::vector<std::string> generated;
  for (const std::string& line : log) {
    if (line.starts_with("generate ")) generated.push_back(line.substr(9));
  }
  return generated;
}

// Of ten hours the first 500 batches run, then those that the graph names, then those that come.
TEST_F(StreamingRunTest, OfManyMissedBatchesTheLaterOnesRunIfTheGraphNeedsThem) {
  constexpr int64_t kHoursMillis = 36'000'000;
  AdvanceMillis(kHoursMillis + 500);
  spec_.resume = ResumePoint{Time(1000), Time(3000)};
  graph_->next_missed = [](Time next) {
    return next.Floor(milliseconds(700'000)) + milliseconds(700'000);
  };
  graph_->run = [this](Time time, int) {
    // Batches come due meanwhile.
    if (time == Time(1'400'000)) AdvanceMillis(1000);
    return absl::OkStatus();
  };
  ASSERT_TRUE(Start().ok());
  AdvanceMillis(500);
  std::vector<std::string> expected;
  for (int64_t time = 2000; time <= 503'000; time += 1000) {
    expected.push_back(std::to_string(time));
  }
  for (int64_t time = 700'000; time <= kHoursMillis; time += 700'000) {
    expected.push_back(std::to_string(time));
  }
  for (int64_t time = kHoursMillis + 1000; time <= kHoursMillis + 2000; time += 1000) {
    expected.push_back(std::to_string(time));
  }
  EXPECT_EQ(Generated(graph_->log), expected);
  run_->Stop(/*graceful=*/true);
  AdvanceMillis(1000);
  EXPECT_TRUE(stopped_);
}

TEST_F(StreamingRunTest, AStopAtOnceMakesNoMoreOfTheMissedBatches) {
  AdvanceMillis(36'000'500);
  spec_.resume = ResumePoint{Time(1000), Time(3000)};
  graph_->next_missed = [](Time next) { return next; };
  graph_->run = [this](Time time, int) {
    if (time == Time(600'000)) run_->Stop(/*graceful=*/false);
    return absl::OkStatus();
  };
  ASSERT_TRUE(Start().ok());
  AdvanceMillis(500);
  // The next one was being made.
  EXPECT_EQ(Generated(graph_->log).back(), "601000");
  EXPECT_TRUE(stopped_);
}

class FastSourceTest : public StreamingRunTest {
 protected:
  static constexpr int64_t kStepMillis = 10;
  static constexpr double kRecordsPerMilli = 2;

  FastSourceTest() {
    AddWorker(1, 1);
    AddReceiver(0);
    graph_->run = [this](Time time, int) {
      if (env_.NowMicros() < end_micros_) Pass(records_of_batch_[time] * millis_per_record_);
      return absl::OkStatus();
    };
    listeners_.push_back(listener_);
  }

  // What waits then costs no time.
  void RunFor(int64_t millis) {
    end_micros_ = millis * kMicrosPerMilli;
    ASSERT_TRUE(Start().ok());
    ReceiverSays(1, 0, proto::ReceiverEvent::STARTED);
    while (env_.NowMicros() < end_micros_) Pass(kStepMillis);
  }

  void Pass(int64_t millis) {
    while (millis > 0) {
      const int64_t step = std::min(kStepMillis, millis);
      millis -= step;
      if (HasRoom()) {
        open_records_ +=
            static_cast<double>(step) *
            (limit_ > 0 ? std::min(kRecordsPerMilli, limit_ / 1000) : kRecordsPerMilli);
      }
      AdvanceMillis(step);
      AnswerDriver();
    }
  }
  bool HasRoom() const {
    const auto taken = static_cast<int64_t>(open_records_) + taken_records_;
    return unprocessed_bytes_max_ == 0 ||
           taken * bytes_per_record_ - processed_bytes_ < unprocessed_bytes_max_;
  }
  // What the worker does of what it was told.
  void AnswerDriver() {
    while (next_message_ < workers_.sent().size()) {
      const proto::ToWorker message = workers_.sent()[next_message_++].message;
      if (message.has_start_receiver()) {
        limit_ = message.start_receiver().rate_limit();
        unprocessed_bytes_max_ = message.start_receiver().unprocessed_bytes_max();
      }
      if (message.has_update_rate()) {
        const double byte_rate = message.update_rate().byte_rate_limit();
        limit_ = counts_records_ ? message.update_rate().rate_limit()
                                 : byte_rate / static_cast<double>(bytes_per_record_);
        unprocessed_bytes_max_ = message.update_rate().unprocessed_bytes_max();
        processed_bytes_ = message.update_rate().processed_bytes();
      }
      for (const proto::BlockId& id : message.drop_blocks().blocks()) {
        stored_records_ -= records_of_block_[id.sequence()];
      }
      if (message.has_cut_blocks()) CutBlock(Time(message.cut_blocks().batch_time_ms()));
    }
  }
  void CutBlock(Time batch_time) {
    const auto records = static_cast<int64_t>(open_records_);
    open_records_ -= static_cast<double>(records);
    const int64_t sequence = ++last_sequence_;
    records_of_block_[sequence] = records_of_batch_[batch_time] = records;
    stored_records_ += records;
    stored_records_max_ = std::max(stored_records_max_, stored_records_);
    taken_records_ += records;
    Report(1, 0, {sequence}, batch_time.ms(), counts_records_ ? records : -1,
           records * bytes_per_record_);
  }
  std::chrono::milliseconds DelayMaxOfLast(size_t batches) const {
    std::chrono::milliseconds delay_max{0};
    const auto& infos = listener_->infos;
    for (size_t i = infos.size() - batches; i < infos.size(); ++i) {
      delay_max = std::max(delay_max, *infos[i].total_delay());
    }
    return delay_max;
  }
  int64_t RecordsOfLast(size_t batches) const {
    int64_t records = 0;
    const auto& infos = listener_->infos;
    for (size_t i = infos.size() - batches; i < infos.size(); ++i) {
      records += records_of_batch_.at(infos[i].batch_time);
    }
    return records;
  }

  const std::shared_ptr<LoggingListener> listener_ = std::make_shared<LoggingListener>();
  int64_t millis_per_record_ = 1;
  int64_t bytes_per_record_ = 100;
  bool counts_records_ = true;
  int64_t end_micros_ = 0;
  double limit_ = 0;
  int64_t unprocessed_bytes_max_ = 0;
  int64_t processed_bytes_ = 0;
  int64_t taken_records_ = 0;
  double open_records_ = 0;
  int64_t last_sequence_ = 0;
  int64_t stored_records_ = 0;
  int64_t stored_records_max_ = 0;
  size_t next_message_ = 0;
  std::map<int64_t, int64_t> records_of_block_;
  std::map<Time, int64_t> records_of_batch_;
};

TEST_F(FastSourceTest, WithoutBackpressureWhatWaitsGrowsWithoutEnd) {
  RunFor(60'000);
  EXPECT_GT(stored_records_max_, 50'000);
  EXPECT_GT(DelayMaxOfLast(listener_->infos.size()), milliseconds(25'000));
}

TEST_F(FastSourceTest, BackpressureBoundsWhatWaitsAndTheDelay) {
  spec_.backpressure_enabled = true;
  RunFor(120'000);
  EXPECT_LE(DelayMaxOfLast(40), milliseconds(1500));
  EXPECT_GE(RecordsOfLast(40), 40 * 900) << "and the processing is kept busy";
  EXPECT_LE(stored_records_max_, 20'000) << "what came before the first estimate, worked off";
  EXPECT_LE(stored_records_, 2500);
}

TEST_F(FastSourceTest, ASlowStartKeepsTheFirstBatchesSmall) {
  spec_.backpressure_enabled = true;
  bytes_per_record_ = 5000;
  RunFor(60'000);
  EXPECT_LE(DelayMaxOfLast(listener_->infos.size()), milliseconds(2000));
  EXPECT_GE(RecordsOfLast(50), 50 * 900) << "it is over soon";
  EXPECT_LE(stored_records_max_, 2500);
}

TEST_F(FastSourceTest, BytesAreLimitedWhereNobodyCountsRecords) {
  spec_.backpressure_enabled = true;
  counts_records_ = false;
  RunFor(120'000);
  EXPECT_LE(DelayMaxOfLast(40), milliseconds(1500));
  EXPECT_GE(RecordsOfLast(40), 40 * 900);
  EXPECT_LE(stored_records_, 2500);
}

TEST_F(FastSourceTest, RecordsThatAreTooSlowForTheLeastRateHaveNoGrowingDelay) {
  spec_.backpressure_enabled = true;
  spec_.initial_rate = 100;
  millis_per_record_ = 50;
  RunFor(300'000);
  EXPECT_LE(DelayMaxOfLast(40), milliseconds(2500));
  EXPECT_GE(RecordsOfLast(40), 40 * 16) << "20 can be done";
}

TEST_F(FastSourceTest, AnInitialRateKeepsTheFirstBatchesSmallToo) {
  spec_.backpressure_enabled = true;
  spec_.initial_rate = 500;
  RunFor(60'000);
  EXPECT_LE(DelayMaxOfLast(listener_->infos.size()), milliseconds(1500));
  EXPECT_GE(RecordsOfLast(40), 40 * 900);
  EXPECT_LE(stored_records_max_, 2500);
}

TEST_F(FastSourceTest, ALimitHoldsWithoutBackpressure) {
  spec_.max_rate = 800;
  RunFor(30'000);
  EXPECT_EQ(limit_, 800);
  EXPECT_LE(DelayMaxOfLast(listener_->infos.size()), milliseconds(1000));
  EXPECT_LE(stored_records_max_, 1600);
}

// ---------------------------------------------------------------------------------------------
// Stopping.

TEST_F(StreamingRunTest, AGracefulStopWithNothingToDoEndsAtOnce) {
  ASSERT_TRUE(Start().ok());
  AdvanceMillis(1000);
  run_->Stop(/*graceful=*/true);
  env_.RunUntilIdle();
  EXPECT_TRUE(stopped_);
  AdvanceMillis(5000);
  EXPECT_THAT(CompletedTimes(), ElementsAre(1000));
  EXPECT_EQ(env_.timer_count(), 0u);
}

TEST_F(StreamingRunTest, AGracefulStopProcessesWhatWasReceived) {
  AddWorker(1, 1);
  AddReceiver(0);
  const auto listener = std::make_shared<LoggingListener>();
  listeners_.push_back(listener);
  ASSERT_TRUE(Start().ok());
  ReceiverSays(1, 0, proto::ReceiverEvent::STARTED);
  AdvanceMillis(400);
  run_->Stop(/*graceful=*/true);
  ASSERT_EQ(workers_.CountSent(proto::ToWorker::kStopReceiver), 1);
  Report(1, 0, {1});
  ReceiverSays(1, 0, proto::ReceiverEvent::STOPPED);
  EXPECT_FALSE(stopped_);
  AdvanceMillis(599);
  EXPECT_THAT(graph_->log, IsEmpty()) << "batches have the times of their ticks to the end";
  AdvanceMillis(1);
  EXPECT_TRUE(stopped_);
  EXPECT_THAT(graph_->received, ElementsAre(Pair(1000, 1)));
  EXPECT_EQ(listener->log.back(), "completed 1000") << "listeners hear all of it";
  AdvanceMillis(5000);
  EXPECT_THAT(CompletedTimes(), ElementsAre(1000)) << "no empty batches behind it";
  EXPECT_EQ(env_.timer_count(), 0u);
}

TEST_F(StreamingRunTest, AGracefulStopDoesNotWaitLongerWhenTheLastBatchFails) {
  graph_->run = [](Time, int) { return absl::InternalError("boom"); };
  ASSERT_TRUE(Start().ok());
  env_.HoldJobs(true);
  AdvanceMillis(1000);
  run_->Stop(/*graceful=*/true);
  env_.RunUntilIdle();
  EXPECT_FALSE(stopped_);
  env_.HoldJobs(false);
  env_.RunUntilIdle();
  EXPECT_TRUE(stopped_);
  EXPECT_THAT(errors_, SizeIs(1));
}

TEST_F(StreamingRunTest, AGracefulStopHasADeadline) {
  AddWorker(1, 1);
  AddReceiver(0);
  spec_.graceful_stop_timeout = milliseconds(3000);
  ASSERT_TRUE(Start().ok());
  ReceiverSays(1, 0, proto::ReceiverEvent::STARTED);
  run_->Stop(/*graceful=*/true);
  AdvanceMillis(2999);
  EXPECT_THAT(errors_, IsEmpty());
  AdvanceMillis(1);
  ASSERT_THAT(errors_, SizeIs(1));
  EXPECT_EQ(errors_[0].code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(errors_[0].message()), HasSubstr("3000 ms"));
  AdvanceMillis(10'000);
  EXPECT_TRUE(stopped_) << "a receiver that never ends is given up";
}

TEST_F(StreamingRunTest, AStopFromAJobEndsBehindIt) {
  graph_->jobs_per_batch = 2;
  graph_->run = [this](Time, int id) {
    if (id == 0) env_.Post([this] { run_->Stop(/*graceful=*/true); });
    return absl::OkStatus();
  };
  ASSERT_TRUE(Start().ok());
  AdvanceMillis(1000);
  EXPECT_TRUE(stopped_);
  EXPECT_THAT(graph_->log, ElementsAre("generate 1000", "run 1000/0", "run 1000/1", "clear 1000"));
}

TEST_F(StreamingRunTest, AnImmediateStopDropsWhatHasNotBegun) {
  ASSERT_TRUE(Start().ok());
  env_.HoldJobs(true);
  AdvanceMillis(3000);
  run_->Stop(/*graceful=*/false);
  env_.RunUntilIdle();
  EXPECT_FALSE(stopped_) << "the batch that is being made may still run user code";
  env_.HoldJobs(false);
  env_.RunUntilIdle();
  EXPECT_TRUE(stopped_);
  EXPECT_THAT(graph_->log, Not(Contains("generate 2000")));
  EXPECT_THAT(graph_->log, Not(Contains("run 1000/0")));
  EXPECT_THAT(errors_, IsEmpty()) << "to be stopped is no error";
}

TEST_F(StreamingRunTest, AnImmediateStopCancelsTheJobsOfBatchesOnly) {
  AddWorker(1, 4);
  ASSERT_TRUE(Start().ok());
  const auto of_batch = Collect(Values("values", 1), /*batch_time_ms=*/1000);
  const auto of_program = Collect(Values("values", 1));
  run_->Stop(/*graceful=*/false);
  EXPECT_EQ(of_batch->status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Collect(Values("values", 1), 1000)->status().code(), absl::StatusCode::kCancelled);
  SucceedAll();
  EXPECT_TRUE(of_program->status().ok());
}

TEST_F(StreamingRunTest, WhatAnImmediateStopCutsShortIsNoTrouble) {
  const auto all = std::make_shared<LoggingListener>();
  const auto trouble = std::make_shared<LoggingListener>();
  listeners_.push_back(all);
  graph_->run = [](Time, int id) {
    return id == 0 ? absl::InternalError("boom") : absl::CancelledError("the stop");
  };
  graph_->jobs_per_batch = 2;
  ASSERT_TRUE(Start().ok());
  run_->bus().Add(trouble, "", ListensTo::kTrouble);
  env_.HoldJobs(true);
  AdvanceMillis(1000);
  EXPECT_TRUE(env_.RunNextJob());
  run_->Stop(/*graceful=*/false);
  env_.HoldJobs(false);
  env_.RunUntilIdle();
  EXPECT_TRUE(stopped_);
  EXPECT_THAT(all->log, Contains("done 1 1000"));
  EXPECT_THAT(trouble->log, ElementsAre("done 0 1000"));
}

TEST_F(StreamingRunTest, AnImmediateStopGivesUpJobsThatDoNotReturn) {
  ASSERT_TRUE(Start().ok());
  env_.HoldJobs(true);
  AdvanceMillis(1000);
  run_->Stop(/*graceful=*/false);
  AdvanceMillis(1999);
  EXPECT_FALSE(stopped_);
  AdvanceMillis(1);
  EXPECT_TRUE(stopped_);
  // The context may be used again before the job returns.
  ASSERT_TRUE(Start().ok());
  env_.HoldJobs(false);
  env_.RunUntilIdle();
  AdvanceMillis(1000);
  EXPECT_THAT(CompletedTimes(), Contains(4000));
}

TEST_F(StreamingRunTest, AnImmediateStopMayFollowAGracefulOne) {
  AddWorker(1, 1);
  AddReceiver(0);
  ASSERT_TRUE(Start().ok());
  ReceiverSays(1, 0, proto::ReceiverEvent::STARTED);
  Report(1, 0, {1});
  run_->Stop(/*graceful=*/true);
  run_->Stop(/*graceful=*/false);
  EXPECT_EQ(workers_.CountSent(proto::ToWorker::kStopReceiver), 1);
  ReceiverSays(1, 0, proto::ReceiverEvent::STOPPED);
  EXPECT_TRUE(stopped_);
  EXPECT_THAT(DroppedBlocks(), ElementsAre(1));
}

// With concurrent batches the later one may come to its state first.
TEST_F(StreamingRunTest, AnUpdateOfStateWaitsForBatchesThatMayStillBringTheOneBefore) {
  AddWorker(1, 4);
  spec_.concurrent_jobs = 2;
  ASSERT_TRUE(Start().ok());
  env_.HoldJobs(true);
  AdvanceMillis(1000);
  const int64_t state_id = NewId();
  Lease lease = LeaseOf(state_id, &DriverCore::DropState);
  const auto job = Collect(Stateful("update", Values("values", 0), 1, state_id, 2000, 1000), 2000);
  EXPECT_THAT(workers_.launched(), IsEmpty());
  env_.HoldJobs(false);
  env_.RunUntilIdle();  // Batch 1000 ends without any update.
  EXPECT_THAT(workers_.launched(), SizeIs(1));
  SucceedAll();
  EXPECT_TRUE(job->status().ok());
}

TEST_F(StreamingRunTest, OneRunAtATime) {
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(Start().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(StreamingRunTest, BlocksOfTwoRunsHaveDifferentNumbers) {
  AddWorker(1, 1);
  AddReceiver(0);
  ASSERT_TRUE(Start().ok());
  const int64_t first = workers_.sent().back().message.start_receiver().first_sequence();
  run_->Stop(/*graceful=*/true);
  ReceiverSays(1, 0, proto::ReceiverEvent::STOPPED);
  ASSERT_TRUE(Start().ok());
  EXPECT_GT(workers_.sent().back().message.start_receiver().first_sequence(),
            first + (int64_t{1} << 40));
}

TEST_F(StreamingRunTest, BlocksThatComeWithoutARunAreDropped) {
  AddWorker(1, 1);
  Report(1, 0, {7});
  EXPECT_THAT(DroppedBlocks(), ElementsAre(7));
}

}  // namespace
}  // namespace millrace::internal
