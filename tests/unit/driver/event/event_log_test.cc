#include "driver/event/event_log.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "common/fs/file_util.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class EventLogTest : public ::testing::Test {
 protected:
  EventLogTest() { Make(EventLog::Options()); }

  void Make(EventLog::Options options) {
    log_ = nullptr;
    options.directory = "/events";
    options.app_name = "Word Count/1";
    options.master = "local[2]";
    options.process_id = 42;
    options.now_ms = [this] { return now_ms_; };
    log_ = std::make_unique<EventLog>(fs_, options);
  }
  std::vector<std::string> Lines(const std::string& path = "/events/Word_Count_1-5000-42.jsonl") {
    const auto contents = ReadWholeFile(fs_, path, 1 << 20);
    if (!contents.ok()) return {};
    std::vector<std::string> lines = absl::StrSplit(*contents, '\n', absl::SkipEmpty());
    return lines;
  }
  static BatchInfo CompletedBatch(int64_t ms) {
    BatchInfo batch;
    batch.batch_time = Time(ms);
    batch.submission_time = Time(ms + 1);
    batch.processing_start_time = Time(ms + 3);
    batch.processing_end_time = Time(ms + 10);
    batch.stream_id_to_input_info[0] = {.stream_id = 0, .num_records = 7, .metadata = {}};
    batch.stream_id_to_input_info[1] = {
        .stream_id = 1, .num_records = 0, .metadata = {{"Description", "/in/a\n/in/b"}}};
    OutputOperationInfo& output = batch.output_operation_infos[0];
    output.batch_time = Time(ms);
    output.name = "Print";
    output.description = "Print at wc.cc:16";
    output.start_time = Time(ms + 3);
    output.end_time = Time(ms + 9);
    output.failure_reason = "INTERNAL: \"boom\"";
    return batch;
  }

  MemoryFileSystem fs_;
  int64_t now_ms_ = 5000;
  std::unique_ptr<EventLog> log_;
};

TEST_F(EventLogTest, LinesCanBeReadBackWhateverTheTextHolds) {
  ReceiverInfo receiver;
  receiver.name = "ü€😀";
  receiver.last_error = std::string("\"\\\n\r\t\0\x1f/", 8);
  receiver.last_error_message =
      "a\xff"
      "b\xe2\x82";
  log_->OnReceiverError(receiver);
  const std::vector<std::string> lines = Lines();
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_THAT(lines[1], HasSubstr(R"("streamName":"ü€😀")"));
  EXPECT_THAT(lines[1], HasSubstr(R"("lastError":"\"\\\n\r\t\u0000\u001f/")"));
  EXPECT_THAT(lines[1], HasSubstr("\"lastErrorMessage\":\"a\xef\xbf\xbd"
                                  "b\xef\xbf\xbd\""));
}

TEST_F(EventLogTest, NothingIsWrittenBeforeTheFirstEvent) {
  EXPECT_THAT(fs_.AllPaths(), SizeIs(0));
}

TEST_F(EventLogTest, EveryEventIsALineWithAllItsFields) {
  log_->OnStreamingStarted(Time(4999));
  now_ms_ = 5001;
  const ReceiverInfo receiver{.stream_id = 3,
                              .name = "Socket-3",
                              .active = true,
                              .location = "host1",
                              .executor_id = "1",
                              .last_error_message = "reset",
                              .last_error = "by peer",
                              .last_error_time_ms = 4998};
  log_->OnReceiverStarted(receiver);
  log_->OnReceiverError(receiver);
  log_->OnReceiverStopped(receiver);
  const BatchInfo batch = CompletedBatch(6000);
  BatchInfo submitted = batch;
  submitted.processing_start_time = submitted.processing_end_time = std::nullopt;
  log_->OnBatchSubmitted(submitted);
  log_->OnBatchStarted(submitted);
  log_->OnOutputOperationStarted(batch.output_operation_infos.at(0));
  log_->OnOutputOperationCompleted(batch.output_operation_infos.at(0));
  log_->OnEventsDropped(12);
  log_->OnBatchCompleted(batch);

  const std::string receiver_fields =
      R"("loggedAt":5001,"streamId":3,"streamName":"Socket-3","isActive":true,"executorId":"1",)"
      R"("executorHost":"host1","lastErrorMessage":"reset","lastError":"by peer",)"
      R"("lastErrorTime":4998})";
  const std::string streams =
      R"("streams":[{"streamId":0,"numRecords":7},)"
      R"({"streamId":1,"numRecords":0,"metadata":{"Description":"/in/a\n/in/b"}}])";
  const std::string operation =
      R"("outputOpId":0,"name":"Print","description":"Print at wc.cc:16","startTime":6003,)"
      R"("endTime":6009,"duration":6,"failureReason":"INTERNAL: \"boom\"")";
  EXPECT_THAT(
      Lines(),
      ElementsAre(
          R"({"event":"logOpened","version":1,"appName":"Word Count/1","master":"local[2]",)"
          R"("startTime":5000,"processId":42})",
          R"({"event":"streamingStarted","loggedAt":5000,"time":4999})",
          R"({"event":"receiverStarted",)" + receiver_fields,
          R"({"event":"receiverError",)" + receiver_fields,
          R"({"event":"receiverStopped",)" + receiver_fields,
          R"({"event":"batchSubmitted","loggedAt":5001,"batchTime":6000,"inputSize":7,)"
          R"("submissionTime":6001,)" +
              streams + R"(,"outputOperations":[{)" + operation + "}]}",
          AllOf(StartsWith(R"({"event":"batchStarted")"), Not(HasSubstr("processingTime"))),
          R"({"event":"outputOperationStarted","loggedAt":5001,"batchTime":6000,)" + operation +
              "}",
          R"({"event":"outputOperationCompleted","loggedAt":5001,"batchTime":6000,)" + operation +
              "}",
          R"({"event":"eventsDropped","loggedAt":5001,"count":12})",
          R"({"event":"batchCompleted","loggedAt":5001,"batchTime":6000,"inputSize":7,)"
          R"("submissionTime":6001,"processingStartTime":6003,"processingEndTime":6010,)"
          R"("schedulingDelay":2,"processingTime":7,"totalDelay":9,)" +
              streams + R"(,"outputOperations":[{)" + operation + "}]}"));
}

TEST_F(EventLogTest, LinesAreOnDiskWithTheBatchsEnd) {
  log_->OnBatchSubmitted(CompletedBatch(1000));
  EXPECT_THAT(Lines(), SizeIs(0));
  log_->OnBatchCompleted(CompletedBatch(1000));
  EXPECT_THAT(Lines(), SizeIs(3));
  log_->OnBatchSubmitted(CompletedBatch(2000));
  log_ = nullptr;
  EXPECT_THAT(Lines(), SizeIs(4)) << "what was gathered is not lost";
}

TEST_F(EventLogTest, ItIsBoundedAndKeepsTheNewest) {
  EventLog::Options options;
  options.file_bytes_max = 4000;
  options.files_max = 2;
  Make(options);
  for (int64_t n = 1; n <= 100; ++n) log_->OnBatchCompleted(CompletedBatch(1000 * n));
  EXPECT_THAT(fs_.AllPaths(),
              ElementsAre("/events", EndsWith("-42.jsonl"), EndsWith("-42.jsonl.1")));
  for (const std::string& path : {log_->path(), log_->path() + ".1"}) {
    EXPECT_LE(fs_.Stat(path)->size_bytes, 4000) << path;
    EXPECT_THAT(Lines(path).front(), HasSubstr("logOpened")) << "each can be read alone";
  }
  EXPECT_THAT(Lines().back(), HasSubstr(R"("batchTime":100000)"));
}

TEST_F(EventLogTest, AFullDiskLosesLinesAndSaysHowMany) {
  log_->OnBatchCompleted(CompletedBatch(1000));
  const auto size = static_cast<uint64_t>(fs_.Stat(log_->path())->size_bytes);
  fs_.SetCapacity(size + 10);
  log_->OnBatchSubmitted(CompletedBatch(2000));
  log_->OnBatchCompleted(CompletedBatch(2000));
  fs_.SetCapacity(1 << 20);
  log_->OnBatchCompleted(CompletedBatch(3000));
  EXPECT_THAT(Lines(), Not(::testing::Contains(HasSubstr("3000")))) << "it is not tried at once";
  now_ms_ += 1000;
  log_->OnBatchCompleted(CompletedBatch(4000));
  const std::vector<std::string> lines = Lines();
  ASSERT_THAT(lines, SizeIs(5));
  EXPECT_THAT(lines[2], SizeIs(10)) << "what was cut stays on a line of its own";
  EXPECT_EQ(lines[3], R"({"event":"linesLost","loggedAt":6000,"count":3})");
  EXPECT_THAT(lines[4], HasSubstr(R"("batchTime":4000)"));
}

TEST_F(EventLogTest, ADirectoryThatCannotBeMadeIsTriedAgain) {
  fs_.SetFault([](FileOp op, const std::string&) {
    return op == FileOp::kMakeDir ? absl::PermissionDeniedError("read-only") : absl::OkStatus();
  });
  log_->OnBatchCompleted(CompletedBatch(1000));
  fs_.SetFault(nullptr);
  now_ms_ += 1000;
  log_->OnBatchCompleted(CompletedBatch(2000));
  EXPECT_THAT(Lines(), ElementsAre(HasSubstr("logOpened"), HasSubstr(R"("count":1)"),
                                   HasSubstr(R"("batchTime":2000)")));
}

}  // namespace
}  // namespace millrace::internal
