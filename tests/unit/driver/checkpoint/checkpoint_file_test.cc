#include "driver/checkpoint/checkpoint_file.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

using ::testing::HasSubstr;

proto::Checkpoint Example() {
  proto::Checkpoint checkpoint;
  checkpoint.set_app_name("word count");
  checkpoint.set_batch_interval_ms(1000);
  checkpoint.set_zero_time_ms(5000);
  checkpoint.set_last_time_ms(9000);
  checkpoint.set_completed_time_ms(8000);
  proto::InputBatch& batch = *checkpoint.add_inputs()->add_batches();
  batch.set_time_ms(9000);
  batch.add_files()->set_path("/data/a.txt");
  return checkpoint;
}

TEST(CheckpointFileTest, IsReadAsItWasWritten) {
  const auto read = DecodeCheckpoint(EncodeCheckpoint(Example()));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), Example().SerializeAsString());
}

TEST(CheckpointFileTest, HasAHeadThatOtherProgramsCanRead) {
  const std::string bytes = EncodeCheckpoint(Example());
  EXPECT_EQ(bytes.substr(0, 8), std::string("MRCK\2\0\0\0", 8));
  EXPECT_EQ(bytes.size(), 16 + Example().ByteSizeLong() + 8);
}

TEST(CheckpointFileTest, CutAtEveryByteIsRefused) {
  const std::string bytes = EncodeCheckpoint(Example());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto read = DecodeCheckpoint(std::string_view(bytes).substr(0, size));
    ASSERT_FALSE(read.ok()) << size;
    EXPECT_THAT(read.status().message(), HasSubstr("at offset"));
  }
  EXPECT_FALSE(DecodeCheckpoint(bytes + "x").ok());
}

TEST(CheckpointFileTest, FlippedAtEveryByteIsRefused) {
  const std::string bytes = EncodeCheckpoint(Example());
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string flipped = bytes;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x41);
    EXPECT_FALSE(DecodeCheckpoint(flipped).ok()) << i;
  }
}

TEST(CheckpointFileTest, ANewerVersionIsSaid) {
  std::string bytes = EncodeCheckpoint(Example());
  for (const char version : {0, 3}) {
    bytes[4] = version;
    const auto read = DecodeCheckpoint(bytes);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kUnimplemented);
    EXPECT_THAT(read.status().message(), HasSubstr(version == 0 ? "version 0" : "version 3"));
  }
}

}  // namespace
}  // namespace millrace::internal
