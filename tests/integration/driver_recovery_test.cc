// Programs that are killed and started again: what they put out is what one that ran through would
// have put out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "tests/integration/commands.h"
#include "tests/integration/word_log.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

class DriverRecoveryTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }

  Command KilledCounts() const {
    // Batches come faster than a slow disk takes their output.
    return Program("killed_counts",
                   log_.ProgramArguments({Setting("streaming.gracefulStopTimeout=60s")}));
  }

  const TempDir directory_;
  WordLog log_{directory_.path(), /*interval_ms=*/100};
  std::mt19937 random_{20240517};
};

TEST_F(DriverRecoveryTest, KilledAnywhereEveryRecordCountsOnce) {
  log_.Append(50);
  for (int run = 0; run < 12; ++run) {
    Process program(KilledCounts());
    const auto batches = static_cast<int>(random_() % 14);
    for (int i = 0; i < batches; ++i) {
      ASSERT_TRUE(program.NextLine(Process::kOut).has_value()) << program.Describe();
      if (random_() % 2 == 0) log_.Append(static_cast<int>(random_() % 30));
    }
    program.Signal(SIGKILL);
    ASSERT_EQ(program.AwaitExit(), 128 + SIGKILL) << program.Describe();
  }
  Process program(KilledCounts());
  do {
    ASSERT_TRUE(program.NextLine(Process::kOut).has_value()) << program.Describe();
  } while (log_.counted() < log_.appended());
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  log_.Check();
}

TEST_F(DriverRecoveryTest, StoppedGracefullyNothingRunsTwice) {
  log_.Append(50);
  std::set<std::string> times;
  for (int run = 0; run < 3; ++run) {
    Process program(KilledCounts());
    for (int i = 0; i < 4; ++i) {
      const auto line = program.NextLine(Process::kOut);
      ASSERT_TRUE(line.has_value()) << program.Describe();
      EXPECT_TRUE(times.insert(*line).second) << *line;
      log_.Append(3);
    }
    program.Signal(SIGTERM);
    EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
    while (const auto line = program.NextLine(Process::kOut)) {
      EXPECT_TRUE(times.insert(*line).second) << *line;
    }
    EXPECT_EQ(program.text(Process::kErr),
              "\nStopping: what was received is still processed. Once "
              "more to stop at once.\n");
  }
}

// The last one goes on, and those before it do no harm.
TEST_F(DriverRecoveryTest, OfTwoProgramsWithOneCheckpointTheFirstEnds) {
  log_.Append(50);
  std::optional<Process> old(KilledCounts());
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(old->NextLine(Process::kOut).has_value()) << old->Describe();
    }
    // It may stand still meanwhile, as on a machine that was taken for dead.
    if (round == 1) old->Signal(SIGSTOP);
    auto next = std::make_unique<Process>(KilledCounts());
    ASSERT_TRUE(next->NextLine(Process::kOut).has_value()) << next->Describe();
    if (round == 1) old->Signal(SIGCONT);
    EXPECT_EQ(old->AwaitExit(), 1) << old->Describe();
    EXPECT_THAT(old->text(Process::kErr), HasSubstr("another driver writes its checkpoints into '" +
                                                    Path("checkpoint") + "'"));
    log_.Append(20);
    next->Signal(SIGKILL);
    next->AwaitExit();
    old.emplace(KilledCounts());
  }
  do {
    ASSERT_TRUE(old->NextLine(Process::kOut).has_value()) << old->Describe();
  } while (log_.counted() < log_.appended());
  old->Signal(SIGTERM);
  EXPECT_EQ(old->AwaitExit(), 0) << old->Describe();
  log_.Check();
}

TEST_F(DriverRecoveryTest, ACorruptCheckpointIsNamedAndLeftAlone) {
  log_.Append(5);
  {
    Process program(KilledCounts());
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(program.NextLine(Process::kOut).has_value());
    program.Signal(SIGTERM);
    ASSERT_EQ(program.AwaitExit(), 0) << program.Describe();
  }
  int64_t newest = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Path("checkpoint"))) {
    const std::string name = entry.path().filename();
    if (name.starts_with("checkpoint-"))
      newest = std::max<int64_t>(newest, std::stoll(name.substr(11)));
  }
  const std::string path = Path("checkpoint") + "/checkpoint-" + std::to_string(newest);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  const auto size = std::filesystem::file_size(path);
  Process program(KilledCounts());
  EXPECT_EQ(program.AwaitExit(), 1) << program.Describe();
  EXPECT_THAT(program.text(Process::kErr), HasSubstr("checkpoint '" + path + "' cannot be read"));
  EXPECT_THAT(program.text(Process::kErr), HasSubstr("at offset 8"));
  EXPECT_THAT(program.text(Process::kErr), HasSubstr("remove this file"));
  EXPECT_EQ(std::filesystem::file_size(path), size);
  // And it is taken at its word.
  std::filesystem::remove(path);
  Process again(KilledCounts());
  EXPECT_TRUE(again.NextLine(Process::kOut).has_value()) << again.Describe();
}

TEST_F(DriverRecoveryTest, ADirectoryThatCannotBeWrittenToIsAnErrorOfTheStart) {
  log_.Append(1);
  std::ofstream(Path("checkpoint")) << "no directory";
  Process program(KilledCounts());
  EXPECT_EQ(program.AwaitExit(), 1) << program.Describe();
  EXPECT_THAT(program.text(Process::kErr), HasSubstr(Path("checkpoint")));
}

}  // namespace
}  // namespace millrace
