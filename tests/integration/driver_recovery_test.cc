// Programs that are killed and started again: what they put out is what one that ran through would
// have put out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <millrace/log_writer.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/commands.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

using Counts = std::map<std::string, int64_t>;

class DriverRecoveryTest : public ::testing::Test {
 protected:
  static constexpr int64_t kIntervalMs = 50;

  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }

  Command KilledCounts() const {
    // Batches come faster than a slow disk takes their output.
    return Program("killed_counts", {Setting("streaming.gracefulStopTimeout=60s"), Path("log"),
                                     Path("checkpoint"), Path("output")});
  }

  // Of words of its own choice, to both partitions of the log.
  void Append(int records) {
    for (int partition = 0; partition < 2; ++partition) {
      auto log = LogWriter::Open(Path("log"), partition);
      ASSERT_TRUE(log.ok()) << log.status();
      std::vector<std::string> words;
      for (int i = 0; i < records; ++i) {
        words.push_back("word" + std::to_string(random_() % 20));
        ++appended_[words.back()];
      }
      const auto offset = log->AppendAll(words);
      ASSERT_TRUE(offset.ok()) << offset.status();
    }
  }

  // Of the batches of one output, by time; those that are not complete are no directories yet.
  std::map<int64_t, Counts> Read(const std::string& output) const {
    std::map<int64_t, Counts> batches;
    for (const auto& entry : std::filesystem::directory_iterator(Path("output"))) {
      const std::string name = entry.path().filename();
      if (!name.starts_with(output + "-")) continue;
      EXPECT_TRUE(std::filesystem::exists(entry.path() / "_SUCCESS")) << name;
      Counts& counts = batches[std::stoll(name.substr(output.size() + 1))];
      for (const auto& part : std::filesystem::directory_iterator(entry.path())) {
        std::ifstream lines(part.path());
        for (std::string line; std::getline(lines, line);) {
          const size_t comma = line.find(',');
          counts[line.substr(1, comma - 1)] += std::stoll(line.substr(comma + 1));
        }
      }
    }
    return batches;
  }

  void CheckOutputs() const {
    const std::map<int64_t, Counts> batches = Read("batch");
    const std::map<int64_t, Counts> sums = Read("sums");
    const std::map<int64_t, Counts> last = Read("last");
    const std::map<int64_t, Counts> window = Read("window");
    Counts all;
    Counts last_of;
    int64_t expected_time = batches.begin()->first;
    for (const auto& [time, counts] : batches) {
      ASSERT_EQ(time, expected_time) << "a batch is missing";
      expected_time += kIntervalMs;
      Counts in_window;
      for (int64_t t = time - 3 * kIntervalMs; t <= time; t += kIntervalMs) {
        const auto batch = batches.find(t);
        if (batch == batches.end()) continue;
        for (const auto& [word, count] : batch->second) in_window[word] += count;
      }
      for (const auto& [word, count] : counts) {
        all[word] += count;
        last_of[word] = time;
      }
      // A program that was killed may have come to the first outputs of its last batch only.
      if (time == batches.rbegin()->first) break;
      EXPECT_EQ(sums.at(time), all) << time;
      EXPECT_EQ(last.at(time), last_of) << time;
      EXPECT_EQ(window.at(time), in_window) << time;
    }
    EXPECT_EQ(all, appended_);
  }

  const TempDir directory_;
  std::mt19937 random_{20240517};
  Counts appended_;
};

TEST_F(DriverRecoveryTest, KilledAnywhereEveryRecordCountsOnce) {
  Append(50);
  for (int run = 0; run < 12; ++run) {
    Process program(KilledCounts());
    const auto batches = static_cast<int>(random_() % 14);
    for (int i = 0; i < batches; ++i) {
      ASSERT_TRUE(program.NextLine(Process::kOut).has_value()) << program.Describe();
      if (random_() % 2 == 0) Append(static_cast<int>(random_() % 30));
    }
    program.Signal(SIGKILL);
    ASSERT_EQ(program.AwaitExit(), 128 + SIGKILL) << program.Describe();
  }
  Process program(KilledCounts());
  const auto count_all = [&] {
    int64_t counted = 0;
    for (const auto& [time, counts] : Read("batch")) {
      for (const auto& [word, count] : counts) counted += count;
    }
    return counted;
  };
  int64_t appended = 0;
  for (const auto& [word, count] : appended_) appended += count;
  do {
    ASSERT_TRUE(program.NextLine(Process::kOut).has_value()) << program.Describe();
  } while (count_all() < appended);
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  CheckOutputs();
}

TEST_F(DriverRecoveryTest, StoppedGracefullyNothingRunsTwice) {
  Append(50);
  std::set<std::string> times;
  for (int run = 0; run < 3; ++run) {
    Process program(KilledCounts());
    for (int i = 0; i < 4; ++i) {
      const auto line = program.NextLine(Process::kOut);
      ASSERT_TRUE(line.has_value()) << program.Describe();
      EXPECT_TRUE(times.insert(*line).second) << *line;
      Append(3);
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

TEST_F(DriverRecoveryTest, ACorruptCheckpointIsNamedAndLeftAlone) {
  Append(5);
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
  Append(1);
  std::ofstream(Path("checkpoint")) << "no directory";
  Process program(KilledCounts());
  EXPECT_EQ(program.AwaitExit(), 1) << program.Describe();
  EXPECT_THAT(program.text(Process::kErr), HasSubstr(Path("checkpoint")));
}

}  // namespace
}  // namespace millrace
