// One suite for every FileSystem: the real one and the fake that other tests rely on.
#include "common/fs/file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "common/fs/file_util.h"
#include "common/fs/local_file_system.h"
#include "common/fs/path.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FileSystemTest : public ::testing::TestWithParam<bool> {
 protected:
  FileSystemTest() {
    if (GetParam()) {
      fs_ = std::make_unique<LocalFileSystem>();
      root_ = temp_dir_.path();
    } else {
      fs_ = std::make_unique<MemoryFileSystem>();
    }
  }

  std::string Path(std::string_view name) const { return JoinPath(root_, name); }
  void Write(std::string_view name, std::string_view contents,
             WriteMode mode = WriteMode::kTruncate) {
    auto file = fs_->OpenForWrite(Path(name), mode);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_TRUE((*file)->Append(contents).ok());
    EXPECT_TRUE((*file)->Close().ok());
  }
  std::string Contents(std::string_view name) {
    const absl::StatusOr<std::string> contents = ReadWholeFile(*fs_, Path(name), 1 << 20);
    return contents.ok() ? *contents : contents.status().ToString();
  }
  std::vector<std::string> Names(std::string_view dir) {
    std::vector<std::string> names;
    const auto files = fs_->List(Path(dir));
    EXPECT_TRUE(files.ok()) << files.status();
    for (const FileInfo& file : *files) names.push_back(file.name);
    return names;
  }

  TempDir temp_dir_;
  std::unique_ptr<FileSystem> fs_;
  std::string root_ = "/";
};

TEST_P(FileSystemTest, ReadsWhatWasWritten) {
  Write("f", "hello");
  Write("f", " world", WriteMode::kAppend);
  EXPECT_EQ(Contents("f"), "hello world");
  Write("f", "new", WriteMode::kTruncate);
  EXPECT_EQ(Contents("f"), "new");
}

TEST_P(FileSystemTest, GathersSmallAppendsAndCountsThem) {
  auto file = fs_->OpenForWrite(Path("f"), WriteMode::kCreateNew);
  ASSERT_TRUE(file.ok());
  std::string expected;
  for (int i = 0; i < 3000; ++i) {
    const std::string line = "line " + std::to_string(i) + std::string(i % 97, '.');
    ASSERT_TRUE((*file)->Append(line).ok());
    expected += line;
  }
  const std::string large(200 << 10, 'x');
  ASSERT_TRUE((*file)->Append(large).ok());
  ASSERT_TRUE((*file)->Append("end").ok());
  expected += large + "end";
  EXPECT_EQ((*file)->size_bytes(), expected.size());
  EXPECT_TRUE((*file)->Sync().ok());
  EXPECT_EQ(Contents("f"), expected);
  EXPECT_TRUE((*file)->Close().ok());
}

TEST_P(FileSystemTest, FlushedBytesAreSeenByOthers) {
  auto file = fs_->OpenForWrite(Path("f"), WriteMode::kTruncate);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->Append("abc").ok());
  ASSERT_TRUE((*file)->Flush().ok());
  EXPECT_EQ(Contents("f"), "abc");
}

TEST_P(FileSystemTest, AppendingGoesOnAtTheEnd) {
  Write("f", "12345");
  auto file = fs_->OpenForWrite(Path("f"), WriteMode::kAppend);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ((*file)->size_bytes(), 5u);
}

TEST_P(FileSystemTest, ReadsAnyPart) {
  std::string contents;
  for (int i = 0; i < 10000; ++i) contents += static_cast<char>('a' + i % 26);
  Write("f", contents);
  const auto file = fs_->OpenForRead(Path("f"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->size_bytes(), 10000u);
  char bytes[10];
  EXPECT_EQ(*(*file)->ReadAt(9995, bytes, 10), 5u);
  EXPECT_EQ(std::string_view(bytes, 5), contents.substr(9995));
  EXPECT_EQ(*(*file)->ReadAt(20000, bytes, 10), 0u);
  EXPECT_EQ((*file)->Read(5000, 100)->view(), contents.substr(5000, 100));
  EXPECT_EQ((*file)->Map(5000, 100)->view(), contents.substr(5000, 100));
  EXPECT_EQ((*file)->Map(10000, 0)->view(), "");
}

TEST_P(FileSystemTest, AMappedPartOutlivesItsFile) {
  Write("f", "mapped bytes");
  Buffer mapped = *(*fs_->OpenForRead(Path("f")))->Map(7, 5);
  ASSERT_TRUE(fs_->Delete(Path("f")).ok());
  EXPECT_EQ(mapped.view(), "bytes");
}

TEST_P(FileSystemTest, RefusesToReadBeyondTheEnd) {
  Write("f", "0123456789");
  const auto file = fs_->OpenForRead(Path("f"));
  ASSERT_TRUE(file.ok());
  const absl::Status status = (*file)->Read(8, 3).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(Path("f")), HasSubstr("ends at 10"), HasSubstr("3 bytes at 8")));
  // A length from a damaged header must not become an allocation.
  EXPECT_EQ((*file)->Read(1, SIZE_MAX).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ((*file)->Map(UINT64_MAX, 1).status().code(), absl::StatusCode::kDataLoss);
}

TEST_P(FileSystemTest, ErrorsNameThePathAndTheReason) {
  const absl::Status missing = fs_->OpenForRead(Path("none")).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()),
              HasSubstr("cannot open '" + Path("none") + "': No such file or directory"));
  EXPECT_EQ(fs_->Stat(Path("none")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(fs_->List(Path("none")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(fs_->Delete(Path("none")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(fs_->SyncDir(Path("none")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(fs_->Rename(Path("none"), Path("x")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(fs_->OpenForWrite(Path("no/dir"), WriteMode::kTruncate).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_P(FileSystemTest, DirectoriesAreNoFiles) {
  ASSERT_TRUE(fs_->CreateDirs(Path("d")).ok());
  Write("f", "");
  const auto precondition = absl::StatusCode::kFailedPrecondition;
  EXPECT_EQ(fs_->OpenForRead(Path("d")).status().code(), precondition);
  EXPECT_EQ(fs_->OpenForWrite(Path("d"), WriteMode::kTruncate).status().code(), precondition);
  EXPECT_EQ(fs_->OpenForWrite(Path("f/x"), WriteMode::kTruncate).status().code(), precondition);
  EXPECT_EQ(fs_->List(Path("f")).status().code(), precondition);
  EXPECT_EQ(fs_->CreateDirs(Path("f/x")).code(), precondition);
}

TEST_P(FileSystemTest, ANewFileMayBeAskedFor) {
  Write("f", "old");
  EXPECT_EQ(fs_->OpenForWrite(Path("f"), WriteMode::kCreateNew).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Contents("f"), "old");
}

TEST_P(FileSystemTest, ListsInTheOrderOfNames) {
  ASSERT_TRUE(fs_->CreateDirs(Path("d/sub/deep")).ok());
  EXPECT_TRUE(fs_->CreateDirs(Path("d/sub")).ok());
  Write("d/b", "22");
  Write("d/a", "1");
  const auto files = fs_->List(Path("d"));
  ASSERT_TRUE(files.ok());
  ASSERT_THAT(Names("d"), ElementsAre("a", "b", "sub"));
  EXPECT_EQ((*files)[1].size_bytes, 2);
  EXPECT_FALSE((*files)[1].is_dir);
  EXPECT_TRUE((*files)[2].is_dir);
  EXPECT_EQ(*fs_->Stat(Path("d/b")), (*files)[1]);
  EXPECT_THAT(Names("d/sub/deep"), IsEmpty());
}

TEST_P(FileSystemTest, KnowsWhatExists) {
  Write("f", "");
  EXPECT_TRUE(*fs_->Exists(Path("f")));
  EXPECT_TRUE(*fs_->Exists(root_));
  EXPECT_FALSE(*fs_->Exists(Path("none")));
}

TEST_P(FileSystemTest, RenamingReplacesAFile) {
  Write("from", "new");
  Write("to", "old");
  ASSERT_TRUE(fs_->Rename(Path("from"), Path("to")).ok());
  EXPECT_EQ(Contents("to"), "new");
  EXPECT_THAT(Names(""), ElementsAre("to"));
}

TEST_P(FileSystemTest, OfThoseThatWantANewNameOneGetsIt) {
  Write("first", "first");
  Write("second", "second");
  ASSERT_TRUE(fs_->RenameToNew(Path("first"), Path("to")).ok());
  const absl::Status late = fs_->RenameToNew(Path("second"), Path("to"));
  EXPECT_EQ(late.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(late.message(), HasSubstr(Path("to")));
  EXPECT_EQ(Contents("to"), "first");
  EXPECT_THAT(Names(""), ElementsAre("second", "to"));
  EXPECT_EQ(fs_->RenameToNew(Path("none"), Path("x")).code(), absl::StatusCode::kNotFound);
}

TEST_P(FileSystemTest, RenamingReplacesNoDirectoryWithSomethingInIt) {
  ASSERT_TRUE(fs_->CreateDirs(Path("from")).ok());
  ASSERT_TRUE(fs_->CreateDirs(Path("to")).ok());
  Write("to/f", "kept");
  EXPECT_FALSE(fs_->Rename(Path("from"), Path("to")).ok());
  EXPECT_EQ(Contents("to/f"), "kept");
  ASSERT_TRUE(fs_->Delete(Path("to/f")).ok());
  Write("from/g", "moved");
  EXPECT_TRUE(fs_->Rename(Path("from"), Path("to")).ok());
  EXPECT_EQ(Contents("to/g"), "moved");
}

TEST_P(FileSystemTest, ReplacesADirectoryAndAllInIt) {
  ASSERT_TRUE(fs_->CreateDirs(Path("from/sub")).ok());
  Write("from/sub/new", "new");
  ASSERT_TRUE(fs_->ReplaceDir(Path("from"), Path("to")).ok());  // There was none.
  ASSERT_TRUE(fs_->CreateDirs(Path("from")).ok());
  Write("from/newer", "newer");
  ASSERT_TRUE(fs_->ReplaceDir(Path("from"), Path("to")).ok());
  EXPECT_THAT(Names(""), ElementsAre("to"));
  EXPECT_THAT(Names("to"), ElementsAre("newer"));
  Write("file", "");
  EXPECT_EQ(fs_->ReplaceDir(Path("to"), Path("file")).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(fs_->ReplaceDir(Path("none"), Path("to")).code(), absl::StatusCode::kNotFound);
}

TEST_P(FileSystemTest, DeletesWholeTreesAndNothingMore) {
  ASSERT_TRUE(fs_->CreateDirs(Path("d/sub")).ok());
  Write("d/sub/f", "");
  Write("d-beside", "");
  EXPECT_EQ(fs_->Delete(Path("d")).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(fs_->DeleteRecursively(Path("d")).ok());
  EXPECT_TRUE(fs_->DeleteRecursively(Path("d")).ok());
  EXPECT_THAT(Names(""), ElementsAre("d-beside"));
  ASSERT_TRUE(fs_->CreateDirs(Path("e")).ok());
  EXPECT_TRUE(fs_->Delete(Path("e")).ok());
}

TEST_P(FileSystemTest, SyncsDirectories) { EXPECT_TRUE(fs_->SyncDir(root_).ok()); }

INSTANTIATE_TEST_SUITE_P(, FileSystemTest, ::testing::Values(true, false),
                         [](const auto& info) { return info.param ? "Local" : "Memory"; });

TEST(MemoryFileSystemTest, AFullDiskTakesWhatFits) {
  MemoryFileSystem fs;
  fs.SetCapacity(5);
  auto file = fs.OpenForWrite("/f", WriteMode::kTruncate);
  ASSERT_TRUE(file.ok());
  const absl::Status status = (*file)->Append("1234567");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ((*file)->Append("8"), status);
  EXPECT_EQ((*file)->Close(), status);
  EXPECT_EQ(*ReadWholeFile(fs, "/f", 10), "12345");
}

TEST(MemoryFileSystemTest, FaultsHitTheOperationsTheyAreMeantFor) {
  MemoryFileSystem fs;
  ASSERT_TRUE(WriteFileAtomically(fs, "/f", "x").ok());
  fs.SetFault([](FileOp op, const std::string& path) {
    return op == FileOp::kRead && path == "/f" ? absl::UnavailableError("bad sector")
                                               : absl::OkStatus();
  });
  EXPECT_EQ(ReadWholeFile(fs, "/f", 10).status(), absl::UnavailableError("bad sector"));
  EXPECT_TRUE(fs.Stat("/f").ok());
}

TEST(MemoryFileSystemTest, PowerFailureTakesWhatWasNotSynced) {
  MemoryFileSystem fs;
  auto file = fs.OpenForWrite("/f", WriteMode::kTruncate);
  ASSERT_TRUE((*file)->Append("synced").ok() && (*file)->Sync().ok());
  ASSERT_TRUE((*file)->Append(" lost").ok() && (*file)->Close().ok());
  fs.LoseUnsynced();
  EXPECT_EQ(*ReadWholeFile(fs, "/f", 100), "synced");
}

TEST(MemoryFileSystemTest, FilesHaveTheTimeOfTheirLastWrite) {
  MemoryFileSystem fs;
  fs.SetNowMs(1000);
  ASSERT_TRUE(WriteFileAtomically(fs, "/f", "x").ok());
  fs.SetNowMs(2000);
  EXPECT_EQ(fs.Stat("/f")->modified_ms, 1000);
}

}  // namespace
}  // namespace millrace
