#include "executor/operator/text_file.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/fs/file_system.h"
#include "executor/operator/lines.h"

namespace millrace::internal {
namespace {

constexpr size_t kReadBytes = size_t{256} << 10;
// How far beyond the split its last line is looked for at first.
constexpr size_t kReadBeyondBytes = size_t{16} << 10;

// Reads one split from its front: a piece of text at a time, of which the caller leaves the
// unfinished line for the next piece.
//
//   | carried: the unfinished line | read anew ... |     | free |
//   ^ slab                                         ^ filled
class SplitReader {
 public:
  // `reuse`: the bytes of a piece are free once the next one is asked for.
  SplitReader(const RandomAccessFile& file, int64_t position, bool reuse, TaskContext& task)
      : file_(file), position_(position), reuse_(reuse), task_(task) {}

  // Of the first byte that was not read.
  int64_t position() const { return position_; }
  // The line that was begun and not ended, without the bytes that Read may add.
  std::string_view carried() const { return {slab_.data() + begin_, filled_ - begin_}; }
  void Consume(size_t bytes) { begin_ += bytes; }

  // Adds what the file has up to `end`, and no more than fits. False at the end of the file.
  absl::StatusOr<bool> Read(int64_t end) {
    const size_t carried_bytes = carried().size();
    // A long line is read in pieces as long as what there is of it: it is scanned about twice.
    const size_t wanted =
        std::min(static_cast<size_t>(end - position_), std::max(kReadBytes, carried_bytes));
    MakeRoom(wanted);
    ASSIGN_OR_RETURN(const size_t bytes, file_.ReadAt(static_cast<uint64_t>(position_),
                                                      slab_.data() + filled_, wanted));
    filled_ += bytes;
    position_ += static_cast<int64_t>(bytes);
    if (!reuse_) task_.Pin(slab_.Slice(begin_, filled_ - begin_));
    return bytes > 0;
  }

 private:
  void MakeRoom(size_t bytes) {
    const std::string_view line = carried();
    // Pinned bytes stay as they are: they may be viewed already.
    if (reuse_ && slab_.capacity() >= line.size() + bytes) {
      std::memmove(slab_.data(), line.data(), line.size());
    } else {
      Slab larger(line.size() + std::max(bytes, kReadBytes));
      if (!line.empty()) std::memcpy(larger.data(), line.data(), line.size());
      slab_ = std::move(larger);
    }
    filled_ = line.size();
    begin_ = 0;
  }

  const RandomAccessFile& file_;
  int64_t position_;
  const bool reuse_;
  TaskContext& task_;
  Slab slab_;
  size_t begin_ = 0;
  size_t filled_ = 0;
};

absl::Status Shortened(const TextFileSplit& split, int64_t size) {
  return absl::DataLossError(
      absl::StrCat("'", split.path, "' has become shorter since it was listed: it has ", size,
                   " bytes, and bytes ", split.offset, " to ",
                   static_cast<uint64_t>(split.offset) + static_cast<uint64_t>(split.length),
                   " are to be read; files must not change while they are read"));
}

// Pushes the lines of one split.
class SplitLines {
 public:
  SplitLines(TaskNode& node, ChunkSink<std::string_view>& out, const RandomAccessFile& file,
             const TextFileSplit& split)
      : task_(node.task()),
        cutter_(out),
        // The byte before the split says whether a line begins with the split.
        reader_(file, std::max<int64_t>(0, split.offset - 1), !out.keeps_views(), node.task()),
        split_(split),
        end_(split.offset + split.length) {}

  bool Push() {
    if (split_.offset > 0 && !SkipLineBefore()) return !task_.failed();
    return PushLinesWithin() && PushLastLine() && cutter_.Flush();
  }

 private:
  // Skips the line that holds the byte before the split. False when no line begins in the split.
  bool SkipLineBefore() {
    while (reader_.position() < end_) {
      if (!Read(end_)) return false;
      const size_t line_end = reader_.carried().find_first_of("\r\n");
      if (line_end == std::string_view::npos) {
        reader_.Consume(reader_.carried().size());
        continue;
      }
      after_return_ = reader_.carried()[line_end] == '\r';
      reader_.Consume(line_end + 1);
      return true;
    }
    return false;
  }

  // All lines that end within the split, and so begin there.
  bool PushLinesWithin() {
    bool more = !reader_.carried().empty() || reader_.position() < end_;
    while (more) {
      if (!CutWholeLines()) return false;
      more = reader_.position() < end_ && Read(end_);
      if (task_.failed() || task_.cancelled()) return false;
    }
    return true;
  }

  bool CutWholeLines() {
    SkipLineFeedOfPair();
    const std::string_view text = reader_.carried();
    size_t consumed = 0;
    if (!cutter_.Cut(text, &consumed)) return false;
    if (consumed > 0) after_return_ = consumed == text.size() && text.back() == '\r';
    // Whatever is kept of a piece must be gone from its memory before the next one comes.
    if (!cutter_.Flush()) return false;
    reader_.Consume(consumed);
    return true;
  }

  // The \n of a \r\n whose \r was taken for a line end of its own.
  void SkipLineFeedOfPair() {
    if (!after_return_ || reader_.carried().empty()) return;
    if (reader_.carried().front() == '\n') reader_.Consume(1);
    after_return_ = false;
  }

  // The line that begins in the split and ends beyond it, or with the file.
  bool PushLastLine() {
    if (reader_.carried().empty()) return true;
    size_t scanned = reader_.carried().size();
    for (;;) {
      if (!Read(reader_.position() + static_cast<int64_t>(kReadBeyondBytes + scanned))) break;
      const size_t line_end = reader_.carried().find_first_of("\r\n", scanned);
      if (line_end != std::string_view::npos) {
        return cutter_.Emit(reader_.carried().substr(0, line_end));
      }
      scanned = reader_.carried().size();
    }
    return !task_.failed() && cutter_.Emit(reader_.carried());
  }

  // False at the end of the file, and when the task failed.
  bool Read(int64_t end) {
    if (static_cast<int64_t>(reader_.carried().size()) > kTextLineBytesMax) {
      return task_.Fail(absl::ResourceExhaustedError(
          absl::StrCat("'", split_.path, "' has a line of more than ", kTextLineBytesMax,
                       " bytes, before offset ", reader_.position(),
                       ": is it a text file? Lines end at \\n, \\r or \\r\\n")));
    }
    const absl::StatusOr<bool> more = reader_.Read(end);
    if (!more.ok()) return task_.Fail(more.status());
    if (!*more && reader_.position() < end_)
      return task_.Fail(Shortened(split_, reader_.position()));
    return *more;
  }

  TaskContext& task_;
  LineCutter cutter_;
  SplitReader reader_;
  const TextFileSplit& split_;
  const int64_t end_;
  bool after_return_ = false;  // The byte before what is carried is a \r that ended a line.
};

}  // namespace

bool TextFileOperator::Compute(TaskNode& node, AnySink* out) const {
  ChunkSink<std::string_view>* const sink = SinkOf<std::string_view>(out);
  if (sink == nullptr) return FailWrongSink(node);
  const absl::StatusOr<std::string_view> binding = node.Split();
  if (!binding.ok()) return node.task().Fail(binding.status());
  TextFileSplit split;
  if (!DecodeFromBytes(*binding, split) || split.offset < 0 || split.length < 0) {
    return FailWrongParams(node);
  }
  auto file = node.task().fs().OpenForRead(split.path);
  if (!file.ok()) return node.task().Fail(file.status());
  const auto size = static_cast<int64_t>((*file)->size_bytes());
  if (split.offset > size || split.length > size - split.offset) {
    return node.task().Fail(Shortened(split, size));
  }
  return SplitLines(node, *sink, **file, split).Push();
}

}  // namespace millrace::internal
