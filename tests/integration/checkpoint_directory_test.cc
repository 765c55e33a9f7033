// Checkpoint directories that a program cannot go on from or write to: it says which file is at
// fault, overwrites nothing, and goes on exactly once that is mended.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "tests/integration/commands.h"
#include "tests/integration/logged_records.h"
#include "tests/integration/own_disk.h"
#include "tests/integration/word_log.h"
#include "tests/support/child_limits.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

namespace stdfs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kNoMount[] = "this system lets nobody mount a small disk";

std::string BytesOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class CheckpointDirectoryTest : public ::testing::Test {
 protected:
  // Of 500 that are missed none is left out: so long a test may take with one checkpoint.
  static constexpr int kIntervalMs = 300;

  std::string Path(const std::string& name = "checkpoint") const {
    return directory_.path() + "/" + name;
  }
  // It does what a file's mode says, whoever runs the tests.
  Process::Options ObeysModes() const { return {.before = ObeyFileModes}; }
  Command KilledCounts() const {
    return Program("killed_counts",
                   log_.ProgramArguments({Setting("streaming.gracefulStopTimeout=60s")}));
  }
  // Until all that was appended is counted, and its states are saved.
  void RunAndKill(int batches) {
    Process program(KilledCounts(), ObeysModes());
    for (int i = 0; i < batches || log_.counted() < log_.appended(); ++i) {
      ASSERT_TRUE(program.NextLine(Process::kOut).has_value()) << program.Describe();
      if (i < batches) log_.Append(3);
    }
    program.Signal(SIGKILL);
    ASSERT_EQ(program.AwaitExit(), 128 + SIGKILL) << program.Describe();
  }
  void RunToTheEnd() {
    Process program(KilledCounts(), ObeysModes());
    do {
      ASSERT_TRUE(program.NextLine(Process::kOut).has_value()) << program.Describe();
    } while (log_.counted() < log_.appended());
    program.Signal(SIGTERM);
    EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  }
  // It ends with an error that says all of this, and every file is as it was.
  void ExpectRefused(const std::vector<std::string>& parts) {
    const auto before = Files();
    Process program(KilledCounts(), ObeysModes());
    EXPECT_EQ(program.AwaitExit(), 1) << program.Describe();
    for (const std::string& part : parts) {
      EXPECT_THAT(program.text(Process::kErr), HasSubstr(part));
    }
    EXPECT_EQ(Files(), before);
  }
  // Of the checkpoint directory, with their contents.
  std::map<std::string, std::string> Files() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : stdfs::recursive_directory_iterator(Path())) {
      if (entry.is_regular_file()) files[entry.path()] = BytesOf(entry.path());
    }
    return files;
  }
  // By rising number.
  std::map<int64_t, std::string> Checkpoints() const {
    std::map<int64_t, std::string> checkpoints;
    for (const auto& entry : stdfs::directory_iterator(Path())) {
      const std::string name = entry.path().filename();
      if (name.starts_with("checkpoint-") && !name.ends_with(".tmp")) {
        checkpoints[std::stoll(name.substr(11))] = entry.path();
      }
    }
    return checkpoints;
  }

  const TempDir directory_;
  WordLog log_{directory_.path(), kIntervalMs};
};

// While it lives, nobody but a privileged user may do with a file what its mode does not say.
class WithMode {
 public:
  WithMode(const std::string& path, mode_t mode) : path_(path) {
    struct stat info {};
    EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
    before_ = info.st_mode;
    EXPECT_EQ(chmod(path.c_str(), mode), 0) << path;
  }
  ~WithMode() { chmod(path_.c_str(), before_); }
  WithMode(const WithMode&) = delete;
  WithMode& operator=(const WithMode&) = delete;

 private:
  const std::string path_;
  mode_t before_ = 0;
};

TEST_F(CheckpointDirectoryTest, WithoutPermissionTheErrorNamesWhatIsDenied) {
  log_.Append(20);
  RunAndKill(12);
  const std::string newest = Checkpoints().rbegin()->second;
  const std::string state = Path() + "/state";
  for (const auto& [path, mode] : std::vector<std::pair<std::string, mode_t>>{
           {Path(), 0}, {newest, 0}, {newest, 0200}, {state, 0}}) {
    const WithMode denied(path, mode);
    ExpectRefused({"'" + path, "Permission denied"});
  }
  // It can be read, and nothing can be noted in it.
  {
    const WithMode denied(Path(), 0500);
    ExpectRefused({"'" + Path() + "/", "Permission denied"});
  }
  RunToTheEnd();
  log_.Check();
}

// Each file in its turn. What was there before the newest checkpoint is no loss, and without the
// newest one the program goes on from the one before; a part of a saved state is named.
TEST_F(CheckpointDirectoryTest, AFileThatIsMissingIsNamedOrNoLoss) {
  log_.Append(20);
  RunAndKill(12);
  ASSERT_THAT(Checkpoints(), SizeIs(3));
  const auto files = Files();
  const std::string copy = directory_.path() + "/copy";
  stdfs::create_directory(copy);
  for (const char* name : {"checkpoint", "output"}) {
    stdfs::copy(Path(name), copy + "/" + name, stdfs::copy_options::recursive);
  }
  int refused = 0;
  for (const auto& [path, bytes] : files) {
    SCOPED_TRACE(path);
    for (const char* name : {"checkpoint", "output"}) {
      stdfs::remove_all(Path(name));
      stdfs::copy(copy + "/" + name, Path(name), stdfs::copy_options::recursive);
    }
    stdfs::remove(path);
    const auto before = Files();
    Process program(KilledCounts());
    bool runs = true;
    for (int i = 0; i < 3 && runs; ++i) runs = program.NextLine(Process::kOut).has_value();
    if (runs) program.Signal(SIGTERM);
    const auto exit_code = program.AwaitExit();
    if (exit_code == 1) {
      ++refused;
      EXPECT_THAT(path, HasSubstr("/state/"));
      EXPECT_THAT(program.text(Process::kErr), HasSubstr("'" + path + "' is missing"));
      EXPECT_THAT(program.text(Process::kErr), HasSubstr("allowStateLoss=true"));
      EXPECT_EQ(Files(), before);
    } else {
      EXPECT_EQ(exit_code, 0) << program.Describe();
      log_.Check();
    }
  }
  EXPECT_GT(refused, 0);
}

class FullCheckpointDiskTest : public CheckpointDirectoryTest {
 protected:
  void SetUp() override {
    if (!disk_.is_there()) GTEST_SKIP() << kNoMount;
    stdfs::create_directory(disk_.path() + "/checkpoint");
    stdfs::create_directory_symlink(disk_.path() + "/checkpoint", Path());
  }

  const OwnDisk disk_{32 << 20};
};

TEST_F(FullCheckpointDiskTest, WhatCannotBeNotedIsNotCountedUntilThereIsRoom) {
  log_.Append(20);
  Process program(KilledCounts());
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(program.NextLine(Process::kOut).has_value()) << program.Describe();
    log_.Append(3);
  }
  disk_.Fill();
  log_.Append(10);
  EXPECT_EQ(program.AwaitExit(), 1) << program.Describe();
  EXPECT_THAT(program.text(Process::kErr), HasSubstr("the next batch has its input"));
  EXPECT_THAT(program.text(Process::kErr), HasSubstr("No space left on device"));
  EXPECT_THAT(program.text(Process::kErr), HasSubstr(Path() + "/checkpoint-"));
  // Started again, it says the same.
  Process again(KilledCounts());
  EXPECT_EQ(again.AwaitExit(), 1) << again.Describe();
  EXPECT_THAT(again.text(Process::kErr), HasSubstr("No space left on device"));
  disk_.Free();
  RunToTheEnd();
  log_.Check();
}

TEST_F(FullCheckpointDiskTest, WhatAReceiverCannotLogIsNotSafeAndWhatIsSafeIsNotLost) {
  const LoggedRecords records(directory_.path());
  // The program alone does not fill it.
  const Command command = records.ProgramWith({Setting("streaming.receiver.maxRate=5000")});
  for (int run = 0; run < 3; ++run) {
    Process program(command);
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(program.NextLine(Process::kOut).has_value()) << program.Describe();
    }
    disk_.Fill();
    EXPECT_EQ(program.AwaitExit(), 1) << program.Describe();
    EXPECT_THAT(program.text(Process::kErr), HasSubstr("No space left on device"));
    EXPECT_THAT(program.text(Process::kErr), HasSubstr(Path() + "/"));
    disk_.Free();
  }
  Process program(command);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(program.NextLine(Process::kOut).has_value()) << program.Describe();
  }
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  records.Check();
}

}  // namespace
}  // namespace millrace
