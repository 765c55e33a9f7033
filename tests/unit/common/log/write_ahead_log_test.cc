#include "common/log/write_ahead_log.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/fs/file_util.h"
#include "common/fs/path.h"
#include "common/log/segment_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kDirectory[] = "/checkpoint/receivedData/run/7";
constexpr char kSeal[] = "/checkpoint/receivedData/run/sealed";

class WriteAheadLogTest : public ::testing::Test {
 protected:
  WriteAheadLog::Options Options() {
    return {.directory = kDirectory, .seals = {kSeal, std::string(kDirectory) + "/sealed"}};
  }
  static std::vector<LogPayload> Records(const std::vector<std::string>& records) {
    std::vector<LogPayload> payloads;
    for (const std::string& record : records) payloads.push_back({Buffer::CopyOf(record)});
    return payloads;
  }
  static WriteAheadLog::Places Append(WriteAheadLog& log, const std::vector<std::string>& records) {
    return WriteAheadLog::Await(log.Append(Records(records)), 30s);
  }
  std::string Read(const SegmentPlace& place) {
    const auto payload = ReadLogRecord(fs_, kDirectory, place);
    return payload.ok() ? std::string(payload->view()) : payload.status().ToString();
  }
  void FailSyncs(int count) {
    fs_.SetFault([left = std::make_shared<std::atomic<int>>(count)](FileOp op, const std::string&) {
      return op == FileOp::kSync && (*left)-- > 0 ? absl::UnknownError("the disk is bad")
                                                  : absl::OkStatus();
    });
  }

  MemoryFileSystem fs_;
};

TEST_F(WriteAheadLogTest, NothingIsThereBeforeTheFirstAppend) {
  { const WriteAheadLog log(fs_, Options()); }
  EXPECT_TRUE(fs_.AllPaths().empty());
}

TEST_F(WriteAheadLogTest, ADiskThatIsNotSharedIsAnError) {
  WriteAheadLog::Options options = Options();
  options.shared_directory = "/checkpoint/receivedData/run";
  WriteAheadLog log(fs_, options);
  const auto places = Append(log, {"a"});
  EXPECT_EQ(places.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(places.status().message()),
              HasSubstr("'/checkpoint/receivedData/run', which the driver has made, is not there"));
  EXPECT_TRUE(fs_.AllPaths().empty());
  ASSERT_TRUE(fs_.CreateDirs(options.shared_directory).ok());
  EXPECT_TRUE(Append(log, {"a"}).ok());
}

TEST_F(WriteAheadLogTest, WhatWasAppendedOutlivesALossOfPower) {
  WriteAheadLog log(fs_, Options());
  const auto first = Append(log, {"a", "b"});
  const auto second = Append(log, {"c"});
  ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
  fs_.LoseUnsynced();
  EXPECT_EQ(Read((*first)[0]), "a");
  EXPECT_EQ(Read((*first)[1]), "b");
  EXPECT_EQ(Read((*second)[0]), "c");
}

TEST_F(WriteAheadLogTest, WhatWaitsIsWrittenWithOneSync) {
  absl::Notification is_syncing;
  absl::Notification go_on;
  std::atomic<int> syncs{0};
  fs_.SetFault([&](FileOp op, const std::string& path) {
    if (op != FileOp::kSync || path.find("/log-") == std::string::npos) return absl::OkStatus();
    if (syncs++ == 0) {
      is_syncing.Notify();
      go_on.WaitForNotification();
    }
    return absl::OkStatus();
  });
  WriteAheadLog log(fs_, Options());
  std::vector<WriteAheadLog::Written> written = {log.Append(Records({"first"}))};
  is_syncing.WaitForNotification();
  EXPECT_EQ(WriteAheadLog::Await(written[0], 1ms).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  for (int i = 0; i < 20; ++i) written.push_back(log.Append(Records({"x", "y"})));
  go_on.Notify();
  for (const auto& each : written) {
    ASSERT_TRUE(WriteAheadLog::Await(each, 30s).ok());
  }
  EXPECT_EQ(syncs, 2);
  fs_.SetFault(nullptr);
}

TEST_F(WriteAheadLogTest, WhatWaitsForAStuckDiskHasALimit) {
  absl::Notification is_syncing;
  absl::Notification go_on;
  fs_.SetFault([&](FileOp op, const std::string& path) {
    if (op != FileOp::kSync || path.find("/log-") == std::string::npos) return absl::OkStatus();
    if (!is_syncing.HasBeenNotified()) is_syncing.Notify();
    go_on.WaitForNotification();
    return absl::OkStatus();
  });
  WriteAheadLog log(fs_, Options());
  const WriteAheadLog::Written first = log.Append(Records({"stuck"}));
  is_syncing.WaitForNotification();
  const Buffer half = Buffer::CopyOf(std::string(WriteAheadLog::kWaitingBytesMax / 2, 'x'));
  const WriteAheadLog::Written second = log.Append({{half}});
  const WriteAheadLog::Written third = log.Append({{half}});
  const auto refused = WriteAheadLog::Await(log.Append(Records({"more"})), 0s);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("cannot keep up"));
  go_on.Notify();
  for (const auto& written : {first, second, third}) {
    EXPECT_TRUE(WriteAheadLog::Await(written, 30s).ok());
  }
  EXPECT_TRUE(Append(log, {"again"}).ok());
  fs_.SetFault(nullptr);
}

TEST_F(WriteAheadLogTest, ASegmentThatIsOldIsLeftForTheNext) {
  WriteAheadLog::Options options = Options();
  options.rolling_interval = 0ms;
  WriteAheadLog log(fs_, options);
  for (int64_t i = 1; i <= 3; ++i) {
    const auto places = Append(log, {std::to_string(i)});
    ASSERT_TRUE(places.ok()) << places.status();
    EXPECT_EQ((*places)[0].segment, i);
    EXPECT_EQ(Read((*places)[0]), std::to_string(i));
  }
}

TEST_F(WriteAheadLogTest, AYoungSegmentIsGoneOnWith) {
  WriteAheadLog log(fs_, Options());
  ASSERT_TRUE(Append(log, {"a"}).ok());
  const auto places = Append(log, {"b"});
  ASSERT_TRUE(places.ok());
  EXPECT_EQ((*places)[0].segment, 1);
}

TEST_F(WriteAheadLogTest, ASegmentForEachWrite) {
  WriteAheadLog::Options options = Options();
  options.close_after_write = true;
  WriteAheadLog log(fs_, options);
  ASSERT_TRUE(Append(log, {"a"}).ok());
  const auto places = Append(log, {"b"});
  ASSERT_TRUE(places.ok());
  EXPECT_EQ((*places)[0].segment, 2);
}

TEST_F(WriteAheadLogTest, AFailedWriteIsTriedAgainInANewSegment) {
  WriteAheadLog log(fs_, Options());
  const auto before = Append(log, {"before"});
  FailSyncs(2);
  const auto places = Append(log, {"again"});
  ASSERT_TRUE(places.ok()) << places.status();
  EXPECT_GT((*places)[0].segment, (*before)[0].segment);
  EXPECT_EQ(Read((*places)[0]), "again");
  EXPECT_EQ(Read((*before)[0]), "before");
}

// A hole would be a segment that is missing.
TEST_F(WriteAheadLogTest, NoNumberIsLeftOut) {
  WriteAheadLog log(fs_, Options());
  FailSyncs(2);
  const auto first = Append(log, {"a"});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ((*first)[0].segment, 1);
  FailSyncs(2);
  const auto second = Append(log, {"b"});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*second)[0].segment, 2);
}

// What could neither be begun nor deleted is passed over.
TEST_F(WriteAheadLogTest, ASegmentThatIsThereAlreadyIsLeftAlone) {
  ASSERT_TRUE(fs_.CreateDirs(kDirectory).ok());
  ASSERT_TRUE(WriteFileAtomically(fs_, JoinPath(kDirectory, SegmentName(1)), "half").ok());
  WriteAheadLog log(fs_, Options());
  const auto places = Append(log, {"a"});
  ASSERT_TRUE(places.ok()) << places.status();
  EXPECT_EQ((*places)[0].segment, 2);
}

TEST_F(WriteAheadLogTest, AfterSoManyFailuresTheAppendFailsAndTheNextOneIsItsOwn) {
  WriteAheadLog log(fs_, Options());
  FailSyncs(3);
  const auto places = Append(log, {"a"});
  EXPECT_THAT(std::string(places.status().message()), HasSubstr("the disk is bad"));
  EXPECT_TRUE(Append(log, {"b"}).ok());
}

TEST_F(WriteAheadLogTest, AFullDiskIsAnErrorAndLeavesNoFilesBehind) {
  WriteAheadLog log(fs_, Options());
  const auto before = Append(log, {std::string(1000, 'x')});
  ASSERT_TRUE(before.ok());
  fs_.SetCapacity(2000);
  for (int i = 0; i < 5; ++i) {
    const auto places = Append(log, {std::string(1500, 'y')});
    EXPECT_EQ(places.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(places.status().message()), HasSubstr(kDirectory));
  }
  const auto paths = fs_.AllPaths();
  EXPECT_EQ(std::count_if(
                paths.begin(), paths.end(),
                [](const std::string& path) { return path.find("/log-") != std::string::npos; }),
            1);
  EXPECT_EQ(Read((*before)[0]), std::string(1000, 'x'));
  fs_.SetCapacity(10'000);
  const auto after = Append(log, {"z"});
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(Read((*after)[0]), "z");
}

TEST_F(WriteAheadLogTest, BehindASealNothingSucceeds) {
  for (const std::string& seal : Options().seals) {
    MemoryFileSystem fs;
    WriteAheadLog log(fs, Options());
    ASSERT_TRUE(Append(log, {"a"}).ok());
    ASSERT_TRUE(SealLog(fs, seal).ok());
    const auto places = Append(log, {"b"});
    EXPECT_EQ(places.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(places.status().message()), HasSubstr(seal));
  }
}

TEST_F(WriteAheadLogTest, ASealThatWasThereFirstLetsNothingBegin) {
  ASSERT_TRUE(SealLog(fs_, kSeal).ok());
  WriteAheadLog log(fs_, Options());
  EXPECT_EQ(Append(log, {"a"}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(fs_.AllPaths(), Not(Contains(HasSubstr("log-"))));
}

TEST_F(WriteAheadLogTest, TheEndWritesWhatWasAppended) {
  WriteAheadLog::Written written;
  {
    WriteAheadLog log(fs_, Options());
    written = log.Append(Records({"last"}));
  }
  const auto places = WriteAheadLog::Await(written, 0s);
  ASSERT_TRUE(places.ok()) << places.status();
  EXPECT_EQ(Read((*places)[0]), "last");
}

}  // namespace
}  // namespace millrace::internal
