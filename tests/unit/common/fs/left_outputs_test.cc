#include "common/fs/left_outputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/fs/atomic_output.h"
#include "common/fs/file_util.h"
#include "tests/support/memory_file_system.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;

class LeftOutputsTest : public ::testing::Test {
 protected:
  // Up to where a writer gives the directory its name.
  AtomicOutput Written(const std::string& path, std::string_view attempt,
                       std::string_view contents) {
    AtomicOutput output(fs_, path, attempt);
    EXPECT_TRUE(output.Begin(IfOutputExists::kReplace).ok());
    auto part = PartFile::Create(fs_, output.staging_path(), 0, "0");
    EXPECT_TRUE(part.ok() && part->Append(contents).ok() && part->Commit().ok());
    return output;
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    const auto files = fs_.List("/out");
    EXPECT_TRUE(files.ok()) << files.status();
    for (const FileInfo& file : *files) names.push_back(file.name);
    return names;
  }

  MemoryFileSystem fs_;
  LeftOutputs left_{fs_};
};

TEST_F(LeftOutputsTest, WhatADeadWriterLeftOfAnOutputGoes) {
  Written("/out/counts-1000", "0a1b-3", "old");
  Written("/out/counts-1000", "2c3d-4", "older");
  Written("/out/counts-2000", "0a1b-5", "of another batch");
  Written("/out/counts-1000.txt", "0a1b-6", "of another stream");
  ASSERT_TRUE(left_.Remove("/out/counts-1000").ok());
  EXPECT_THAT(Names(), ElementsAre(".counts-1000.txt.0a1b-6.tmp", ".counts-2000.0a1b-5.tmp"));
  ASSERT_TRUE(left_.Remove("/out/counts-1000.txt").ok());
  EXPECT_THAT(Names(), ElementsAre(".counts-2000.0a1b-5.tmp"));
}

TEST_F(LeftOutputsTest, WhatItsOwnerWritesStays) {
  ASSERT_TRUE(left_.Remove("/out/counts-1000").ok());
  Written("/out/counts-1000", "0a1b-3", "new");
  ASSERT_TRUE(left_.Remove("/out/counts-1000").ok());
  EXPECT_THAT(Names(), ElementsAre(".counts-1000.0a1b-3.tmp"));
}

TEST_F(LeftOutputsTest, AWriterThatOnlyStoodStillNamesNothing) {
  AtomicOutput stood_still = Written("/out/counts-1000", "0a1b-3", "old");
  auto late = PartFile::Create(fs_, stood_still.staging_path(), 1, "7");
  ASSERT_TRUE(late.ok());
  ASSERT_TRUE(left_.Remove("/out/counts-1000").ok());
  EXPECT_EQ(stood_still.Publish(IfOutputExists::kReplace).code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(late->Commit().ok());
  EXPECT_TRUE(stood_still.Abandon().ok());
  AtomicOutput next = Written("/out/counts-1000", "2c3d-4", "new");
  ASSERT_TRUE(next.Publish(IfOutputExists::kReplace).ok());
  EXPECT_THAT(Names(), ElementsAre("counts-1000"));
  EXPECT_EQ(*ReadWholeFile(fs_, "/out/counts-1000/part-00000", 10), "new");
}

TEST_F(LeftOutputsTest, AWriterThatGoesOnWhileItIsRemovedNamesAllOrNothing) {
  for (const FileOp at : {FileOp::kRename, FileOp::kDelete}) {
    AtomicOutput old = Written("/out/counts-1000", "0a1b-3", "old");
    bool is_removing = true;
    bool was_named = false;
    fs_.SetFault([&](FileOp op, const std::string&) {
      if (op == at && std::exchange(is_removing, false)) {
        was_named = old.Publish(IfOutputExists::kReplace).ok();
      }
      return absl::OkStatus();
    });
    EXPECT_TRUE(LeftOutputs(fs_).Remove("/out/counts-1000").ok());
    fs_.SetFault(nullptr);
    EXPECT_FALSE(is_removing);
    EXPECT_EQ(was_named, at == FileOp::kRename);
    EXPECT_THAT(Names(), ElementsAre("counts-1000"));
    EXPECT_EQ(*ReadWholeFile(fs_, "/out/counts-1000/part-00000", 10), "old");
  }
}

TEST_F(LeftOutputsTest, WhatCouldNotBeRemovedIsLeftToTheNextOne) {
  Written("/out/counts-1000", "0a1b-3", "old");
  fs_.SetFault([](FileOp op, const std::string& path) {
    return op == FileOp::kDelete ? absl::UnavailableError(path) : absl::OkStatus();
  });
  EXPECT_EQ(left_.Remove("/out/counts-1000").code(), absl::StatusCode::kUnavailable);
  fs_.SetFault(nullptr);
  EXPECT_THAT(Names(), ElementsAre(".counts-1000.0a1b-3-left.tmp"));
  EXPECT_TRUE(LeftOutputs(fs_).Remove("/out/counts-1000").ok());
  EXPECT_THAT(Names(), ElementsAre());
}

TEST_F(LeftOutputsTest, NamesThatAreNotOfThisKindStay) {
  ASSERT_TRUE(fs_.CreateDirs("/out/.counts-1000.kept").ok());
  ASSERT_TRUE(fs_.CreateDirs("/out/.tmp").ok());
  ASSERT_TRUE(fs_.CreateDirs("/out/.x.tmp").ok());
  ASSERT_TRUE(WriteFileAtomically(fs_, "/out/.counts-1000.file.tmp", "no directory").ok());
  ASSERT_TRUE(left_.Remove("/out/counts-1000").ok());
  EXPECT_THAT(Names(), ElementsAre(".counts-1000.file.tmp", ".counts-1000.kept", ".tmp", ".x.tmp"));
  EXPECT_TRUE(left_.Remove("/none/counts-1000").ok());
}

}  // namespace
}  // namespace millrace
