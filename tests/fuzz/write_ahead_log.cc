// A segment of a write-ahead log and the blocks in it, as a disk may give them back.
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/log/block_log.h"
#include "common/log/segment_format.h"
#include "common/log/segment_reader.h"
#include "common/log/segment_writer.h"
#include "glog/logging.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using Payloads = std::vector<std::string>;

constexpr char kDirectory[] = "/log";
constexpr int64_t kSegment = 1;
constexpr uint8_t kSynced = 1;    // After each record,
constexpr uint8_t kFinished = 2;  // and the segment was closed.

std::string SegmentPath() { return std::string(kDirectory) + "/" + SegmentName(kSegment); }

void WriteFile(FileSystem& fs, std::string_view bytes) {
  CHECK(fs.CreateDirs(kDirectory).ok());
  CHECK((*fs.OpenForWrite(SegmentPath(), WriteMode::kTruncate))->Append(bytes).ok());
}

struct ReadBack {
  Payloads payloads;
  std::vector<SegmentPlace> places;
  absl::Status status;
};

ReadBack ReadAll(FileSystem& fs) {
  ReadBack read;
  const auto file = *fs.OpenForRead(SegmentPath());
  SegmentReader reader(*file, kSegment);
  for (;;) {
    const auto record = reader.Next();
    read.status = record.status();
    if (!record.ok() || !record->has_value()) return read;
    read.payloads.emplace_back((*record)->payload.view());
    read.places.push_back((*record)->place);
  }
}

// Each record is found by its place as well, and blocks are listed in their order.
void CheckPlaces(FileSystem& fs, const ReadBack& read) {
  for (size_t i = 0; i < read.places.size(); ++i) {
    const auto payload = ReadLogRecord(fs, kDirectory, read.places[i]);
    CHECK(payload.ok()) << payload.status();
    CHECK(payload->view() == read.payloads[i]);
    DecodeLoggedBlock(*payload).status().IgnoreError();
  }
  const auto blocks = ListLoggedBlocks(fs, kDirectory, kSegment);
  if (!blocks.ok()) return;
  CHECK(read.status.ok());
  for (size_t i = 0; i < blocks->size(); ++i) {
    if (i > 0) CHECK_GT((*blocks)[i].id().sequence(), (*blocks)[i - 1].id().sequence());
    const auto buffers = ReadLoggedBlock(fs, (*blocks)[i].id());
    CHECK(buffers.ok()) << buffers.status();
  }
}

ReadBack CheckFile(std::string_view bytes) {
  MemoryFileSystem fs;
  WriteFile(fs, bytes);
  ReadBack read = ReadAll(fs);
  CHECK(read.status.ok() || read.status.code() == absl::StatusCode::kDataLoss) << read.status;
  CheckPlaces(fs, read);
  return read;
}

std::string FileOf(const Payloads& payloads, uint8_t how) {
  MemoryFileSystem fs;
  CHECK(fs.CreateDirs(kDirectory).ok());
  {
    auto writer = SegmentWriter::Create(fs, kDirectory, kSegment);
    CHECK(writer.ok()) << writer.status();
    for (const std::string& payload : payloads) {
      CHECK(writer->Append({Buffer(payload)}).ok());
      if ((how & kSynced) != 0) CHECK(writer->Sync().ok());
    }
    if ((how & kFinished) != 0) CHECK(writer->Finish().ok());
  }
  const auto file = *fs.OpenForRead(SegmentPath());
  return std::string(file->Read(0, file->size_bytes())->view());
}

// Records of a segment of which one byte may be changed and the end may be missing.
//   | how u8 | flipped bits u8 | their byte u32 | size u32 | sized payloads |
// What is read is what was written, as far as it is read; a segment that was closed is read to its
// end or refused.
bool RunDamaged(FuzzBytes& input) {
  const uint8_t how = input.TakeByte();
  const uint8_t flip = input.TakeByte();
  const uint32_t flip_at = input.TakeU32();
  const uint32_t size = input.TakeU32();
  Payloads payloads;
  while (!input.empty()) {
    // An empty payload is none: so it says that the segment was closed.
    payloads.emplace_back(input.TakeSized());
    if (payloads.back().empty()) payloads.back() = "x";
  }
  std::string bytes = FileOf(payloads, how);
  const bool is_whole = size >= bytes.size();
  bytes.resize(std::min<size_t>(bytes.size(), size));
  const bool is_changed = flip != 0 && flip_at < bytes.size();
  if (is_changed) bytes[flip_at] = static_cast<char>(bytes[flip_at] ^ flip);
  const ReadBack read = CheckFile(bytes);
  CHECK_LE(read.payloads.size(), payloads.size());
  CHECK(std::equal(read.payloads.begin(), read.payloads.end(), payloads.begin()))
      << "a record was read that nobody wrote";
  if (!is_changed) CHECK(read.status.ok()) << read.status;
  const bool is_refused = !read.status.ok();
  if (is_whole && !is_changed) CHECK_EQ(read.payloads.size(), payloads.size());
  const bool was_closed = (how & kFinished) != 0;
  const size_t end_at = bytes.size() - std::min(bytes.size(), kSegmentRecordHeadBytes);
  if (is_whole && was_closed && is_changed && flip_at < end_at) {
    CHECK(is_refused || read.payloads.size() == payloads.size()) << "a durable record was left out";
  }
  return !is_refused;
}

// The first byte: 0, a file as it is; else a damaged one.
bool Run(std::string_view bytes) {
  FuzzBytes input(bytes);
  if (input.TakeByte() != 0) return RunDamaged(input);
  return CheckFile(input.Rest()).status.ok();
}

std::string BlockPayload(int64_t sequence) {
  proto::StoredBlock block;
  block.mutable_id()->set_stream_id(2);
  block.mutable_id()->set_sequence(sequence);
  block.set_record_count(3);
  block.set_size_bytes(11);
  std::string payload;
  for (const Buffer& piece : EncodeLoggedBlock(block, {Buffer("a\nb\n"), Buffer("another")})) {
    payload += piece.view();
  }
  return payload;
}

FuzzSeeds Seeds() {
  const Payloads blocks{BlockPayload(1), BlockPayload(2), BlockPayload(2), BlockPayload(4)};
  FuzzWriter cut;
  cut.PutByte(1).PutByte(kSynced).PutByte(0).PutU32(0).PutU32(150);
  FuzzWriter flipped;
  flipped.PutByte(1).PutByte(0).PutByte(1).PutU32(250).PutU32(UINT32_MAX);
  for (const std::string& block : blocks) {
    cut.PutSized(block);
    flipped.PutSized(block);
  }
  return {{"closed", FuzzWriter().PutByte(0).Put(FileOf(blocks, kSynced | kFinished)).Take()},
          {"open", FuzzWriter().PutByte(0).Put(FileOf(blocks, 0)).Take()},
          {"cut", cut.Take()},
          {"flipped", flipped.Take()}};
}

const FuzzTarget target("write_ahead_log", Run, Seeds);

}  // namespace
}  // namespace millrace::internal
