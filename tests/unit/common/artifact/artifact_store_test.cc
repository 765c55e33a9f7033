#include "common/artifact/artifact_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/fs/file_util.h"
#include "common/fs/local_file_system.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

class ArtifactStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }
  void Open(int64_t bytes_max = 1000) {
    auto store = ArtifactStore::Open(
        fs_,
        {.dir = dir_.path() + "/a", .bytes_max = bytes_max, .now_ms = [&] { return now_ms_; }});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  absl::Status Put(const std::string& sha256, const std::string& bytes, int64_t size) {
    auto upload = store_->BeginUpload(sha256, size);
    if (!upload.ok()) return upload.status();
    if (absl::Status status = (*upload)->Append(bytes); !status.ok()) return status;
    return (*upload)->Commit();
  }
  absl::Status Put(const std::string& bytes) {
    return Put(Sha256Hex(bytes), bytes, static_cast<int64_t>(bytes.size()));
  }
  size_t FileCount() { return fs_.List(dir_.path() + "/a")->size(); }

  LocalFileSystem fs_;
  TempDir dir_;
  int64_t now_ms_ = 1'000'000'000'000;
  std::unique_ptr<ArtifactStore> store_;
};

TEST_F(ArtifactStoreTest, KeepsAFileOnceUnderItsDigest) {
  ASSERT_EQ(Put("program"), absl::OkStatus());
  ASSERT_EQ(Put("program"), absl::OkStatus());
  EXPECT_EQ(store_->bytes_used(), 7);
  EXPECT_EQ(FileCount(), 1u);
  const auto path = store_->PathOf(Sha256Hex("program"));
  ASSERT_TRUE(path.ok());
  EXPECT_EQ(ReadWholeFile(fs_, *path, 100).value(), "program");
}

TEST_F(ArtifactStoreTest, SurvivesARestartButHalfFilesDoNot) {
  ASSERT_EQ(Put("program"), absl::OkStatus());
  ASSERT_TRUE(WriteFileAtomically(fs_, dir_.path() + "/a/half.3.tmp2", "ha").ok());
  Open();
  EXPECT_TRUE(store_->Has(Sha256Hex("program")));
  EXPECT_EQ(store_->bytes_used(), 7);
  EXPECT_EQ(FileCount(), 1u);
}

TEST_F(ArtifactStoreTest, WhatIsNotItsDigestIsRefusedAndLeavesNothing) {
  const std::string sha256 = Sha256Hex("program");
  EXPECT_EQ(Put(sha256, "Program", 7).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Put(sha256, "program!", 7).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Put(sha256, "prog", 7).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Put(sha256, "", 0).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->PathOf(sha256).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->bytes_used(), 0);
  EXPECT_EQ(FileCount(), 0u);
}

TEST_F(ArtifactStoreTest, NoNameLeavesTheDirectory) {
  for (const std::string& name :
       {std::string("../../etc/passwd"), std::string(), "../" + std::string(61, 'a'),
        std::string(64, 'A'), std::string(32, '/') + std::string(32, 'a')}) {
    EXPECT_EQ(Put(name, "x", 1).code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(store_->PathOf(name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

TEST_F(ArtifactStoreTest, TheOldestUnusedFilesMakeRoom) {
  const std::string a(400, 'a');
  const std::string b(400, 'b');
  const std::string c(400, 'c');
  ASSERT_EQ(Put(a), absl::OkStatus());
  now_ms_ += 1000;
  ASSERT_EQ(Put(b), absl::OkStatus());
  // Both are fresh.
  const absl::Status full = Put(c);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(full.message()), HasSubstr("--artifact_bytes_max"));
  now_ms_ += ArtifactStore::kFreshMs;
  store_->SetInUse({Sha256Hex(a)});
  ASSERT_EQ(Put(c), absl::OkStatus());
  EXPECT_TRUE(store_->Has(Sha256Hex(a)));
  EXPECT_FALSE(store_->Has(Sha256Hex(b)));
  EXPECT_EQ(store_->bytes_used(), 800);
}

TEST_F(ArtifactStoreTest, AnUploadThatIsGivenUpGivesItsRoomBack) {
  auto upload = store_->BeginUpload(Sha256Hex("x"), 900);
  ASSERT_TRUE(upload.ok());
  ASSERT_EQ((*upload)->Append("some"), absl::OkStatus());
  EXPECT_EQ(Put(std::string(200, 'y')).code(), absl::StatusCode::kResourceExhausted);
  upload->reset();
  EXPECT_EQ(Put(std::string(200, 'y')), absl::OkStatus());
}

TEST_F(ArtifactStoreTest, ASizeThatCannotBeTakesNoRoomAndNothingFromOthers) {
  ASSERT_EQ(Put("program"), absl::OkStatus());
  now_ms_ += 2 * ArtifactStore::kFreshMs;
  for (const int64_t size : {INT64_MAX, INT64_MAX - 3, int64_t{1001}}) {
    EXPECT_EQ(store_->BeginUpload(Sha256Hex("x"), size).status().code(),
              absl::StatusCode::kResourceExhausted);
  }
  EXPECT_EQ(store_->BeginUpload(Sha256Hex("x"), -1).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->bytes_used(), 7);
  EXPECT_TRUE(store_->Has(Sha256Hex("program")));
}

TEST_F(ArtifactStoreTest, AnEmptyFileIsAFile) {
  ASSERT_EQ(Put(""), absl::OkStatus());
  const auto path = store_->PathOf(Sha256Hex(""));
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_EQ(ReadWholeFile(fs_, *path, 100).value(), "");
}

}  // namespace
}  // namespace millrace
