#include "executor/sink/save_operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "common/fs/atomic_output.h"
#include "common/time/system_clock.h"
#include "executor/task/task_runner.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/number_operators.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class SaveOperatorsTest : public ::testing::Test {
 protected:
  SaveOperatorsTest()
      : disk_(fs_, "/spill"),
        blocks_(budget_, disk_),
        shuffles_(budget_, blocks_, disk_),
        runner_({blocks_, shuffles_, router_, states_, fs_, &MonotonicNanos}) {
    EXPECT_TRUE(fs_.CreateDirs("/out").ok());
    TestHook::on_number = [](int64_t) {};
  }
  ~SaveOperatorsTest() override { TestHook::on_number = nullptr; }

  template <class Op>
  proto::TaskStatus Save(uint32_t partition, const Numbers& numbers,
                         const std::string& path = "/out", bool cancelled = false) {
    PlanBuilder plan;
    plan.Add<SplitNumbers>({}, "", proto::BINDING_SPLIT);
    plan.Add<HookedNumbers>({0});
    plan.Add<Op>({1}, "", proto::BINDING_OUTPUT);
    LaunchedTask task;
    task.request.set_task_id(++last_task_id_);
    task.request.set_partition(partition);
    task.request.add_bindings()->mutable_output()->set_path(path);
    *task.request.add_bindings() = SplitBinding(numbers);
    task.plan = *ParsedPlan::Parse(plan.Serialize());
    task.cancelled = cancelled;
    runner_.Run(task);
    return task.status;
  }
  std::vector<std::string> Files() {
    std::vector<std::string> names;
    const auto files = fs_.List("/out");
    for (const FileInfo& file : *files) names.push_back(file.name);
    return names;
  }
  std::string Contents(const std::string& path) {
    const auto file = fs_.OpenForRead(path);
    if (!file.ok()) return file.status().ToString();
    return std::string((*file)->Read(0, (*file)->size_bytes())->view());
  }
  void Overwrite(const std::string& path, const std::string& bytes) {
    const auto file = fs_.OpenForWrite(path, WriteMode::kTruncate);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Append(bytes).ok());
    ASSERT_TRUE((*file)->Close().ok());
  }
  // All records of an object file, or the error.
  std::string ReadObjects(const std::string& path) {
    const auto file = fs_.OpenForRead(path);
    ObjectFileReader reader(**file);
    std::string found;
    ObjectFileReader::Frame frame;
    while (true) {
      const absl::StatusOr<bool> next = reader.Next(frame);
      if (!next.ok()) return next.status().ToString();
      if (!*next) return found;
      Decoder decoder(frame.records.view());
      for (uint32_t i = 0; i < frame.record_count; ++i) {
        int64_t number = 0;
        Decode(decoder, number);
        found += std::to_string(number) + ",";
      }
      EXPECT_TRUE(decoder.done() && !decoder.failed());
    }
  }

  MemoryFileSystem fs_;
  MemoryBudget budget_{1000};
  SpillDir disk_;
  BlockStore blocks_;
  ShuffleStore shuffles_;
  ShuffleRouter router_{shuffles_};
  StateStore states_;
  TaskRunner runner_;
  int64_t last_task_id_ = 0;
};

TEST_F(SaveOperatorsTest, EachPartitionIsAFileOfLines) {
  EXPECT_EQ(Save<SaveTextOperator<int64_t>>(0, {1, 2, 3}).outcome(), proto::TaskStatus::SUCCEEDED);
  EXPECT_EQ(Save<SaveTextOperator<int64_t>>(1, {}).outcome(), proto::TaskStatus::SUCCEEDED);
  EXPECT_THAT(Files(), ElementsAre("part-00000", "part-00001"));
  EXPECT_EQ(Contents("/out/part-00000"), "1\n2\n3\n");
  EXPECT_EQ(Contents("/out/part-00001"), "");
}

TEST_F(SaveOperatorsTest, MuchTextIsWrittenWhole) {
  Numbers numbers;
  std::string expected;
  for (int64_t i = 0; i < 50'000; ++i) {
    numbers.push_back(i);
    expected += std::to_string(i) + "\n";
  }
  ASSERT_EQ(Save<SaveTextOperator<int64_t>>(0, numbers).outcome(), proto::TaskStatus::SUCCEEDED);
  EXPECT_EQ(Contents("/out/part-00000"), expected);
}

TEST_F(SaveOperatorsTest, AFailedAttemptLeavesNoPart) {
  TestHook::on_number = [](int64_t number) {
    if (number == 3) throw std::runtime_error("no");
  };
  EXPECT_EQ(Save<SaveTextOperator<int64_t>>(0, {1, 2, 3}).outcome(), proto::TaskStatus::FAILED);
  EXPECT_THAT(Files(), ElementsAre());
}

TEST_F(SaveOperatorsTest, ACancelledAttemptLeavesNoPart) {
  EXPECT_EQ(Save<SaveTextOperator<int64_t>>(0, {1}, "/out", /*cancelled=*/true).outcome(),
            proto::TaskStatus::CANCELLED);
  EXPECT_THAT(Files(), ElementsAre());
}

TEST_F(SaveOperatorsTest, AnAttemptThatRunsAgainLeavesOneWholePart) {
  ASSERT_EQ(Save<SaveTextOperator<int64_t>>(0, {1, 2}).outcome(), proto::TaskStatus::SUCCEEDED);
  ASSERT_EQ(Save<SaveTextOperator<int64_t>>(0, {1, 2}).outcome(), proto::TaskStatus::SUCCEEDED);
  EXPECT_THAT(Files(), ElementsAre("part-00000"));
  EXPECT_EQ(Contents("/out/part-00000"), "1\n2\n");
}

TEST_F(SaveOperatorsTest, AnAttemptThatComesAfterThePublicationChangesNothing) {
  AtomicOutput output(fs_, "/result", "1");
  ASSERT_TRUE(output.Begin(IfOutputExists::kFail).ok());
  ASSERT_EQ(Save<SaveTextOperator<int64_t>>(0, {1}, output.staging_path()).outcome(),
            proto::TaskStatus::SUCCEEDED);
  ASSERT_TRUE(output.Publish(IfOutputExists::kFail).ok());
  EXPECT_EQ(Save<SaveTextOperator<int64_t>>(0, {2}, output.staging_path()).outcome(),
            proto::TaskStatus::FAILED);
  EXPECT_EQ(Contents("/result/part-00000"), "1\n");
}

TEST_F(SaveOperatorsTest, AFullDiskFailsTheTaskAndIsNamed) {
  fs_.SetCapacity(3);
  const proto::TaskStatus status = Save<SaveTextOperator<int64_t>>(0, {1000, 2000});
  EXPECT_EQ(status.outcome(), proto::TaskStatus::FAILED);
  EXPECT_THAT(status.error_message(), StartsWith("Node2 at test.cc:1: "));
  EXPECT_THAT(status.error_message(), HasSubstr("/out/"));
  EXPECT_THAT(Files(), ElementsAre());
}

TEST_F(SaveOperatorsTest, ATaskWithoutADirectoryFails) {
  EXPECT_THAT(Save<SaveTextOperator<int64_t>>(0, {1}, "").error_message(),
              HasSubstr("no directory"));
}

TEST_F(SaveOperatorsTest, ObjectsComeBackAsTheyWere) {
  ASSERT_EQ(Save<SaveObjectsOperator<int64_t>>(2, {5, -6, 7}).outcome(),
            proto::TaskStatus::SUCCEEDED);
  EXPECT_EQ(ReadObjects("/out/part-00002"), "5,-6,7,");
  ASSERT_EQ(Save<SaveObjectsOperator<int64_t>>(3, {}).outcome(), proto::TaskStatus::SUCCEEDED);
  EXPECT_EQ(ReadObjects("/out/part-00003"), "");
}

TEST_F(SaveOperatorsTest, ManyObjectsTakeSeveralFrames) {
  Numbers numbers(100'000, 1);
  ASSERT_EQ(Save<SaveObjectsOperator<int64_t>>(0, numbers).outcome(), proto::TaskStatus::SUCCEEDED);
  EXPECT_EQ(ReadObjects("/out/part-00000").size(), 200'000u);
}

TEST_F(SaveOperatorsTest, DamageInAnObjectFileIsNoticed) {
  ASSERT_EQ(Save<SaveObjectsOperator<int64_t>>(0, {5, 6}).outcome(), proto::TaskStatus::SUCCEEDED);
  const std::string path = "/out/part-00000";
  const std::string bytes = Contents(path);
  // The flags, bytes 6 and 7, and the count of records, 12 to 15, are not covered by a checksum.
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 6 || i == 7 || (i >= 12 && i < 16)) continue;
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x11);
    Overwrite(path, changed);
    const std::string read = ReadObjects(path);
    EXPECT_THAT(read, StartsWith("DATA_LOSS: object file /out/part-00000")) << i;
  }
  for (size_t size = 9; size < bytes.size(); ++size) {
    Overwrite(path, bytes.substr(0, size));
    EXPECT_THAT(ReadObjects(path), StartsWith("DATA_LOSS")) << size;
  }
}

}  // namespace
}  // namespace millrace::internal
