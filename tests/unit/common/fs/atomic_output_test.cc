#include "common/fs/atomic_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/fs/file_util.h"
#include "common/fs/path.h"
#include "tests/support/memory_file_system.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AtomicOutputTest : public ::testing::Test {
 protected:
  // What a task does.
  absl::Status WritePart(const AtomicOutput& output, int partition, std::string_view contents,
                         std::string_view attempt = "0") {
    auto part = PartFile::Create(fs_, output.staging_path(), partition, attempt);
    if (!part.ok()) return part.status();
    if (absl::Status status = part->Append(contents); !status.ok()) return status;
    return part->Commit();
  }
  std::vector<std::string> Names(const std::string& dir) {
    std::vector<std::string> names;
    const auto files = fs_.List(dir);
    EXPECT_TRUE(files.ok()) << files.status();
    for (const FileInfo& file : *files) names.push_back(file.name);
    return names;
  }
  void PublishOne(std::string_view contents) {
    AtomicOutput output(fs_, "/out/counts-1000", "1");
    ASSERT_TRUE(output.Begin(IfOutputExists::kReplace).ok());
    ASSERT_TRUE(WritePart(output, 0, contents).ok());
    ASSERT_TRUE(output.Publish(IfOutputExists::kReplace).ok());
  }

  MemoryFileSystem fs_;
};

TEST_F(AtomicOutputTest, AppearsWholeWithItsSuccessFile) {
  AtomicOutput output(fs_, "/out/counts-1000.txt", "7");
  ASSERT_TRUE(output.Begin(IfOutputExists::kFail).ok());
  ASSERT_TRUE(WritePart(output, 1, "b\n").ok());
  ASSERT_TRUE(WritePart(output, 0, "a\n").ok());
  // Before: nothing but a name that readers pass over.
  EXPECT_THAT(Names("/out"), ElementsAre(".counts-1000.txt.7.tmp"));
  ASSERT_TRUE(output.Publish(IfOutputExists::kFail).ok());
  EXPECT_THAT(Names("/out"), ElementsAre("counts-1000.txt"));
  EXPECT_THAT(Names("/out/counts-1000.txt"), ElementsAre("_SUCCESS", "part-00000", "part-00001"));
  fs_.LoseUnsynced();
  EXPECT_EQ(*ReadWholeFile(fs_, "/out/counts-1000.txt/part-00001", 10), "b\n");
}

TEST_F(AtomicOutputTest, PartsAreNumberedWithFiveDigits) {
  EXPECT_EQ(PartFileName(0), "part-00000");
  EXPECT_EQ(PartFileName(12345), "part-12345");
  EXPECT_EQ(PartFileName(123456), "part-123456");
}

TEST_F(AtomicOutputTest, ABatchThatRunsAgainReplacesItsOutput) {
  PublishOne("old");
  PublishOne("new");
  EXPECT_EQ(*ReadWholeFile(fs_, "/out/counts-1000/part-00000", 10), "new");
  EXPECT_THAT(Names("/out"), ElementsAre("counts-1000"));
}

TEST_F(AtomicOutputTest, AnExistingOutputIsAnErrorWhenItMustBeNew) {
  PublishOne("old");
  AtomicOutput output(fs_, "/out/counts-1000", "2");
  const absl::Status status = output.Begin(IfOutputExists::kFail);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("output directory '/out/counts-1000' exists"));
  EXPECT_THAT(Names("/out"), ElementsAre("counts-1000"));
}

TEST_F(AtomicOutputTest, TheOldOutputStandsUntilTheNewOneIsPublished) {
  PublishOne("old");
  AtomicOutput output(fs_, "/out/counts-1000", "2");
  ASSERT_TRUE(output.Begin(IfOutputExists::kReplace).ok());
  ASSERT_TRUE(WritePart(output, 0, "new").ok());
  EXPECT_EQ(*ReadWholeFile(fs_, "/out/counts-1000/part-00000", 10), "old");
  ASSERT_TRUE(output.Abandon().ok());
  EXPECT_THAT(Names("/out"), ElementsAre("counts-1000"));
}

TEST_F(AtomicOutputTest, WhatADeadWriterLeftIsNotPublished) {
  AtomicOutput dead(fs_, "/out/counts-1000", "1");
  ASSERT_TRUE(dead.Begin(IfOutputExists::kReplace).ok());
  ASSERT_TRUE(WritePart(dead, 5, "stale").ok());
  PublishOne("fresh");
  EXPECT_THAT(Names("/out/counts-1000"), ElementsAre("_SUCCESS", "part-00000"));
}

TEST_F(AtomicOutputTest, TwoAttemptsOfATaskLeaveOneWholeFile) {
  AtomicOutput output(fs_, "/out", "1");
  ASSERT_TRUE(output.Begin(IfOutputExists::kReplace).ok());
  auto slow = PartFile::Create(fs_, output.staging_path(), 0, "0");
  ASSERT_TRUE(slow.ok() && slow->Append("from the sl").ok());
  ASSERT_TRUE(WritePart(output, 0, "from the fast one", "1").ok());
  ASSERT_TRUE(output.Publish(IfOutputExists::kReplace).ok());
  EXPECT_THAT(Names("/out"), ElementsAre("_SUCCESS", "part-00000"));
  EXPECT_FALSE(slow->Commit().ok());  // Its file went with the staging directory.
  EXPECT_EQ(*ReadWholeFile(fs_, "/out/part-00000", 100), "from the fast one");
}

TEST_F(AtomicOutputTest, AFailedTaskLeavesNothing) {
  AtomicOutput output(fs_, "/out", "1");
  ASSERT_TRUE(output.Begin(IfOutputExists::kReplace).ok());
  {
    auto part = PartFile::Create(fs_, output.staging_path(), 0, "0");
    ASSERT_TRUE(part.ok() && part->Append("half").ok());
  }
  EXPECT_THAT(Names(output.staging_path()), IsEmpty());
}

TEST_F(AtomicOutputTest, AFullDiskFailsThePartAndNotTheOldOutput) {
  PublishOne("old");
  AtomicOutput output(fs_, "/out/counts-1000", "2");
  ASSERT_TRUE(output.Begin(IfOutputExists::kReplace).ok());
  fs_.SetCapacity(5);
  EXPECT_EQ(WritePart(output, 0, "more than fits").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(*ReadWholeFile(fs_, "/out/counts-1000/part-00000", 10), "old");
}

TEST_F(AtomicOutputTest, PublishingMayBeRepeatedAfterAnError) {
  AtomicOutput output(fs_, "/out", "1");
  ASSERT_TRUE(output.Begin(IfOutputExists::kReplace).ok());
  ASSERT_TRUE(WritePart(output, 0, "x").ok());
  fs_.SetFault([](FileOp op, const std::string&) {
    return op == FileOp::kRename ? absl::UnavailableError("busy") : absl::OkStatus();
  });
  EXPECT_EQ(output.Publish(IfOutputExists::kReplace), absl::UnavailableError("busy"));
  EXPECT_FALSE(*fs_.Exists("/out"));
  fs_.SetFault(nullptr);
  EXPECT_TRUE(output.Publish(IfOutputExists::kReplace).ok());
  EXPECT_THAT(Names("/out"), ElementsAre("_SUCCESS", "part-00000"));
}

}  // namespace
}  // namespace millrace
