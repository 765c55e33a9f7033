// A file of saved records, as a disk may give it back.
#include "executor/sink/object_file.h"

#include <string>
#include <string_view>

#include "glog/logging.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

constexpr char kPath[] = "/part-00000";

bool ReadFile(std::string_view bytes) {
  MemoryFileSystem fs;
  CHECK((*fs.OpenForWrite(kPath, WriteMode::kTruncate))->Append(bytes).ok());
  const auto file = *fs.OpenForRead(kPath);
  ObjectFileReader reader(*file);
  size_t read_bytes = 0;
  for (;;) {
    ObjectFileReader::Frame frame;
    const auto more = reader.Next(frame);
    if (!more.ok()) {
      CHECK_EQ(more.status().code(), absl::StatusCode::kDataLoss) << more.status();
      return false;
    }
    if (!*more) return true;
    read_bytes += frame.records.size();
    CHECK_LE(read_bytes, bytes.size());
  }
}

std::string FrameOf(std::string_view records, uint32_t count) {
  return ObjectFrameHead(records, count) + std::string(records);
}

// The first byte: 0, a file as it is; else sized frames with the right checksums, and the rest.
bool Run(std::string_view bytes) {
  FuzzBytes input(bytes);
  if (input.TakeByte() == 0) return ReadFile(input.Rest());
  std::string file = ObjectFileHead();
  for (uint8_t count = input.TakeByte(); count > 0; --count) {
    const std::string_view records = input.TakeSized();
    file += FrameOf(records, count);
  }
  return ReadFile(file + std::string(input.Rest()));
}

FuzzSeeds Seeds() {
  const std::string file = ObjectFileHead() + FrameOf("two records", 2) + FrameOf("", 0);
  return {
      {"file", FuzzWriter().PutByte(0).Put(file).Take()},
      {"empty", FuzzWriter().PutByte(0).Put(ObjectFileHead()).Take()},
      {"frames", FuzzWriter().PutByte(1).PutByte(2).PutSized("one").PutSized("and two").Take()}};
}

const FuzzTarget target("object_file", Run, Seeds);

}  // namespace
}  // namespace millrace::internal
