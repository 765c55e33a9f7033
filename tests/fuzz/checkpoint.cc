// A checkpoint directory, as a disk may give it back.
#include <google/protobuf/util/message_differencer.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string>
#include <string_view>

#include "common/fs/path.h"
#include "common/record/encoder.h"
#include "driver/checkpoint/checkpoint_file.h"
#include "driver/checkpoint/checkpoint_store.h"
#include "glog/logging.h"
#include "proto/checkpoint.pb.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

// Any bytes in a frame whose size and checksum are right (driver/checkpoint/README.md).
std::string Framed(std::string_view message) {
  Encoder file;
  file.PutBytes("MRCK");
  file.PutFixed(uint16_t{2});
  file.PutFixed(uint16_t{0});
  file.PutFixed(uint64_t{message.size()});
  file.PutBytes(message);
  file.PutFixed(uint64_t{XXH3_64bits(file.view().data(), file.size())});
  return file.ToString();
}

void WriteFile(FileSystem& fs, const std::string& path, std::string_view bytes) {
  CHECK((*fs.OpenForWrite(path, WriteMode::kTruncate))->Append(bytes).ok());
}

proto::Checkpoint GoodCheckpoint() {
  proto::Checkpoint checkpoint;
  checkpoint.set_app_name("good");
  checkpoint.add_states()->set_path("state/good-1000");
  return checkpoint;
}

bool MayBeDeleted(std::string_view path) {
  if (path.starts_with("/app/checkpoint-")) return true;
  if (!path.starts_with("/app/state/")) return false;
  const std::string_view name = BaseName(path);
  return path == "/app/state/" + std::string(name) && name != ".." && name != ".";
}

// The next driver finds these bytes as the latest checkpoint behind a good one.
bool CheckStore(std::string_view bytes, bool is_good) {
  MemoryFileSystem fs;
  CHECK(fs.CreateDirs("/elsewhere").ok());
  CHECK(fs.CreateDirs("/app/state/good-1000").ok());
  CHECK(fs.CreateDirs("/app/state/.left-over").ok());
  WriteFile(fs, "/app/checkpoint-1", EncodeCheckpoint(GoodCheckpoint()));
  WriteFile(fs, "/app/checkpoint-2", bytes);
  fs.SetFault([](FileOp op, const std::string& path) {
    CHECK(op != FileOp::kDelete || MayBeDeleted(path)) << "deletes '" << path << "'";
    return absl::OkStatus();
  });
  CheckpointStore store(fs, "/app");
  const auto latest = store.ReadLatest();
  CHECK(is_good || !latest.ok());
  CHECK(store.Open().ok());
  CHECK(store.TakeOver().ok());
  CHECK(fs.Stat("/app/state/good-1000").ok());
  // So often that the good one and these bytes are dropped.
  for (int i = 0; i < 3; ++i) CHECK(store.Write(GoodCheckpoint()).ok());
  CHECK(fs.Stat("/app/state/good-1000").ok());
  CHECK(fs.Stat("/app/state").ok());
  CHECK(fs.Stat("/elsewhere").ok());
  return latest.ok();
}

bool CheckBytes(std::string_view bytes) {
  const auto checkpoint = DecodeCheckpoint(bytes);
  const bool is_taken = CheckStore(bytes, checkpoint.ok());
  if (!checkpoint.ok()) return false;
  const auto again = DecodeCheckpoint(EncodeCheckpoint(*checkpoint));
  CHECK(again.ok()) << again.status();
  CHECK(google::protobuf::util::MessageDifferencer::Equals(*again, *checkpoint));
  return is_taken;
}

// The first byte: 0, a file as it is; else the message in a frame.
bool Run(std::string_view bytes) {
  FuzzBytes input(bytes);
  if (input.TakeByte() == 0) return CheckBytes(input.Rest());
  return CheckBytes(Framed(input.Rest()));
}

FuzzSeeds Seeds() {
  proto::Checkpoint checkpoint;
  checkpoint.set_app_name("counts");
  checkpoint.set_batch_interval_ms(1000);
  checkpoint.set_zero_time_ms(5000);
  checkpoint.set_last_time_ms(9000);
  checkpoint.set_completed_time_ms(8000);
  proto::InputCheckpoint& input = *checkpoint.add_inputs();
  input.set_id("lines");
  input.set_label("TextFileStream at wc.cc:12");
  proto::InputBatch& batch = *input.add_batches();
  batch.set_time_ms(9000);
  batch.add_files()->set_path("/data/a");
  proto::InputRange& range = *batch.add_ranges();
  range.set_topic("clicks");
  range.set_partition(2);
  range.set_from_offset(17);
  range.set_until_offset(40);
  proto::StateCheckpoint& state = *checkpoint.add_states();
  state.set_id("counts");
  state.set_schema("(str,i64)");
  state.set_time_ms(8000);
  state.set_num_partitions(2);
  for (const int64_t time_ms : {7000, 8000}) {
    proto::SavedState& saved = *state.add_saved();
    saved.set_path("state/0123456789abcdef-" + std::to_string(time_ms));
    saved.set_time_ms(time_ms);
    saved.set_bytes(100);
  }
  checkpoint.add_states()->set_path("state/as-version-1-has-it");
  return {{"file", FuzzWriter().PutByte(0).Put(EncodeCheckpoint(checkpoint)).Take()},
          {"empty", FuzzWriter().PutByte(0).Put(EncodeCheckpoint({})).Take()},
          {"message", FuzzWriter().PutByte(1).Put(checkpoint.SerializeAsString()).Take()}};
}

const FuzzTarget target("checkpoint", Run, Seeds);

}  // namespace
}  // namespace millrace::internal
