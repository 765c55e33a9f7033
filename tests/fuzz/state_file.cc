// A file of saved state, as a disk may give it back.
#include "executor/state/state_file.h"

#include <string>
#include <string_view>

#include "glog/logging.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

constexpr char kPath[] = "/part-00000";

bool IsRefusal(const absl::Status& status) {
  return status.code() == absl::StatusCode::kDataLoss ||
         status.code() == absl::StatusCode::kUnimplemented;
}

bool ReadFile(std::string_view bytes) {
  MemoryFileSystem fs;
  CHECK((*fs.OpenForWrite(kPath, WriteMode::kTruncate))->Append(bytes).ok());
  const auto file = *fs.OpenForRead(kPath);
  StateFileReader reader(*file);
  const auto head = reader.ReadHead();
  if (!head.ok()) {
    CHECK(IsRefusal(head.status())) << head.status();
    return false;
  }
  uint64_t end_of_last = 0;
  for (;;) {
    StateFileReader::Frame frame;
    const auto more = reader.Next(frame);
    if (!more.ok()) {
      CHECK(IsRefusal(more.status())) << more.status();
      return false;
    }
    if (!*more) return true;
    CHECK_GT(frame.offset, end_of_last);
    end_of_last = frame.offset + frame.records.size();
    CHECK_LE(end_of_last, bytes.size());
  }
}

std::string FrameOf(std::string_view records, uint32_t count) {
  return StateFrameHead(records, count) + std::string(records);
}

// The first byte: 0, a file as it is; else sized frames with the right checksums, and the rest.
//   | frame count u8 | said count u8 | sized frames | rest |
bool Run(std::string_view bytes) {
  FuzzBytes input(bytes);
  if (input.TakeByte() == 0) return ReadFile(input.Rest());
  std::string file = EncodeStateFileHead({.time_ms = 2000, .since_ms = 1000, .partition = 3});
  const uint8_t count = input.TakeByte();
  const uint8_t said_count = input.TakeByte();
  for (uint8_t i = 0; i < count; ++i) file += FrameOf(input.TakeSized(), i + 1u);
  return ReadFile(file + StateFileEnd(said_count) + std::string(input.Rest()));
}

FuzzSeeds Seeds() {
  const std::string head = EncodeStateFileHead({.time_ms = 2000, .since_ms = -1, .partition = 0});
  return {{"file",
           FuzzWriter().PutByte(0).Put(head + FrameOf("two records", 2) + StateFileEnd(1)).Take()},
          {"empty", FuzzWriter().PutByte(0).Put(head + StateFileEnd(0)).Take()},
          {"frames",
           FuzzWriter().PutByte(1).PutByte(2).PutByte(2).PutSized("one").PutSized("two").Take()}};
}

const FuzzTarget target("state_file", Run, Seeds);

}  // namespace
}  // namespace millrace::internal
