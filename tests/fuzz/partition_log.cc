// One partition of a log, as a disk may give it back.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/partition_log/log_format.h"
#include "common/partition_log/log_reader.h"
#include "common/partition_log/log_writer.h"
#include "glog/logging.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using Records = std::vector<std::string>;

constexpr char kPath[] = "/log/partition-00000.log";

void WriteFile(FileSystem& fs, std::string_view bytes) {
  CHECK(fs.CreateDirs("/log").ok());
  CHECK((*fs.OpenForWrite(kPath, WriteMode::kTruncate))->Append(bytes).ok());
}

struct ReadBack {
  Records records;
  LogPlace end;
  absl::Status status;
};

ReadBack ReadAll(FileSystem& fs) {
  ReadBack read;
  const auto file = *fs.OpenForRead(kPath);
  LogReader reader(*file);
  for (;;) {
    const auto record = reader.Next();
    read.status = record.status();
    read.end = reader.place();
    if (!record.ok() || !record->has_value()) return read;
    read.records.emplace_back(**record);
  }
}

// Passing over records stops no sooner than reading them, and at the same end.
void CheckSkip(FileSystem& fs, const ReadBack& read) {
  const auto file = *fs.OpenForRead(kPath);
  LogReader reader(*file);
  size_t passed = 0;
  for (;;) {
    const auto skipped = reader.Skip();
    if (!skipped.ok() || !*skipped) break;
    ++passed;
  }
  CHECK_GE(passed, read.records.size());
  if (read.status.ok()) CHECK(reader.place() == read.end);
}

// A writer goes on behind the last whole record, or refuses the file.
void CheckWriter(MemoryFileSystem& fs, const ReadBack& read) {
  auto writer = LogWriter::Open(fs, "/log", 0);
  if (!writer.ok()) {
    CHECK_EQ(writer.status().code(), absl::StatusCode::kDataLoss) << writer.status();
    return;
  }
  if (!read.status.ok()) return;  // Corrupt in a payload, at which the writer does not look.
  CHECK_EQ(static_cast<size_t>(writer->next_offset()), read.records.size());
  CHECK(writer->Append("one more").ok());
  ReadBack again = ReadAll(fs);
  CHECK(again.status.ok()) << again.status;
  CHECK_EQ(again.records.size(), read.records.size() + 1);
  CHECK_EQ(again.records.back(), "one more");
  again.records.pop_back();
  CHECK(again.records == read.records);
}

ReadBack CheckFile(std::string_view bytes) {
  MemoryFileSystem fs;
  WriteFile(fs, bytes);
  ReadBack read = ReadAll(fs);
  CHECK(read.status.ok() || read.status.code() == absl::StatusCode::kDataLoss) << read.status;
  CheckSkip(fs, read);
  CheckWriter(fs, read);
  return read;
}

std::string FileOf(const Records& records) {
  std::string bytes = EncodeLogHead();
  for (size_t i = 0; i < records.size(); ++i) {
    bytes += EncodeLogRecordHead(static_cast<int64_t>(i), records[i]);
    bytes += records[i];
  }
  return bytes;
}

// Records of a file of which one byte may be changed and the end may be missing.
//   | flipped bits u8 | their byte u32 | size u32 | sized records |
// What is read is what was written, as far as it is read; unless a byte was changed it is all that
// is there as a whole.
bool RunDamaged(FuzzBytes& input) {
  const uint8_t flip = input.TakeByte();
  const uint32_t flip_at = input.TakeU32();
  const uint32_t size = input.TakeU32();
  Records records;
  while (!input.empty()) records.emplace_back(input.TakeSized());
  std::string bytes = FileOf(records);
  bytes.resize(std::min<size_t>(bytes.size(), size));
  if (flip_at < bytes.size()) bytes[flip_at] = static_cast<char>(bytes[flip_at] ^ flip);
  const ReadBack read = CheckFile(bytes);
  CHECK_LE(read.records.size(), records.size());
  CHECK(std::equal(read.records.begin(), read.records.end(), records.begin()))
      << "a record was read that nobody wrote";
  if (flip == 0 || flip_at >= bytes.size()) {
    CHECK(read.status.ok()) << read.status;
    const Records whole(records.begin(),
                        records.begin() + static_cast<std::ptrdiff_t>(read.records.size()));
    CHECK(read.records.size() == records.size() || bytes.size() < kLogHeadBytes ||
          FileOf({records.begin(), records.begin() + static_cast<std::ptrdiff_t>(whole.size()) + 1})
                  .size() > bytes.size())
        << "a whole record was left out";
  }
  return read.status.ok();
}

// The first byte: 0, a file as it is; else a damaged one.
bool Run(std::string_view bytes) {
  FuzzBytes input(bytes);
  if (input.TakeByte() != 0) return RunDamaged(input);
  return CheckFile(input.Rest()).status.ok();
}

FuzzSeeds Seeds() {
  const Records records{"first", "", std::string(300, 'x'), "last"};
  FuzzWriter cut;
  cut.PutByte(1).PutByte(0).PutU32(0).PutU32(370);
  FuzzWriter flipped;
  flipped.PutByte(1).PutByte(4).PutU32(386).PutU32(UINT32_MAX);
  for (const std::string& record : records) {
    cut.PutSized(record);
    flipped.PutSized(record);
  }
  return {{"file", FuzzWriter().PutByte(0).Put(FileOf(records)).Take()},
          {"zeros", FuzzWriter().PutByte(0).Put(FileOf({"a"}) + std::string(64, '\0')).Take()},
          {"cut", cut.Take()},
          {"flipped-in-the-last", flipped.Take()}};
}

const FuzzTarget target("partition_log", Run, Seeds);

}  // namespace
}  // namespace millrace::internal
