#include "executor/receiver/line_framer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace millrace::internal {

namespace {

constexpr size_t kNone = std::string_view::npos;

size_t Find(std::string_view bytes, char wanted, size_t from) {
  if (from >= bytes.size()) return kNone;
  const void* found = std::memchr(bytes.data() + from, wanted, bytes.size() - from);
  return found == nullptr ? kNone
                          : static_cast<size_t>(static_cast<const char*>(found) - bytes.data());
}

// Finds the line ends of some bytes from front to back, looking at each byte once.
class LineEnds {
 public:
  LineEnds(std::string_view bytes, size_t from)
      : bytes_(bytes), line_feed_(Find(bytes, '\n', from)), return_(Find(bytes, '\r', from)) {}

  // The offset of the next line end, and that of the byte after it. False: there is none.
  bool Next(size_t& end, size_t& after) {
    end = std::min(line_feed_, return_);
    if (end == kNone) return false;
    after = end + 1;
    if (end == return_ && line_feed_ == after) ++after;
    if (line_feed_ < after) line_feed_ = Find(bytes_, '\n', after);
    if (return_ < after) return_ = Find(bytes_, '\r', after);
    return true;
  }

 private:
  const std::string_view bytes_;
  size_t line_feed_;  // At or after the place that was reached; kNone: no more.
  size_t return_;
};

}  // namespace

LineFramer::LineFramer(OpenBlock& block, int64_t line_bytes_max, PublishLines publish,
                       LinesAtOnce lines_at_once, ReportOversized report_oversized)
    : block_(block),
      line_bytes_max_(static_cast<size_t>(std::max<int64_t>(1, line_bytes_max))),
      publish_(std::move(publish)),
      lines_at_once_(std::move(lines_at_once)),
      report_oversized_(std::move(report_oversized)) {}

void LineFramer::Take() {
  SkipLineFeedOfPair();
  if (skipping_ && !SkipOversizedToItsEnd()) return;
  PublishWholeLines();
  HoldOrSkipRest();
}

void LineFramer::End() {
  if (skipping_) {
    FinishOversized(/*complete=*/false);
  } else if (!block_.pending().empty()) {
    block_.Room(1)[0] = '\n';
    block_.Fill(1);
    Publish(block_.pending().size(), 1);
  }
  // What the next connection sends must not complete a \r of this one.
  block_.Skip(0);
}

size_t LineFramer::Abandon() {
  if (skipping_) FinishOversized(/*complete=*/false);
  const size_t unfinished = block_.pending().size();
  block_.Skip(unfinished);
  return unfinished;
}

void LineFramer::SkipLineFeedOfPair() {
  const std::string_view pending = block_.pending();
  if (!after_carriage_return_ || pending.empty()) return;
  after_carriage_return_ = false;
  if (pending.front() != '\n') return;
  block_.Skip(1);
  ++offset_;
}

bool LineFramer::SkipOversizedToItsEnd() {
  const std::string_view pending = block_.pending();
  size_t end = 0;
  size_t after = 0;
  if (!LineEnds(pending, 0).Next(end, after)) {
    SkipOversized(pending.size());
    return false;
  }
  SkipOversized(end);
  after_carriage_return_ = after == pending.size() && pending[after - 1] == '\r';
  block_.Skip(after - end);
  offset_ += static_cast<int64_t>(after - end);
  FinishOversized(/*complete=*/true);
  return true;
}

void LineFramer::PublishWholeLines() {
  const std::string_view pending = block_.pending();
  const std::string_view fresh = pending.substr(scanned_);
  // Most streams hold no \r and no line that could be too long in so few bytes: count and be done.
  if (pending.size() > line_bytes_max_ || Find(fresh, '\r', 0) != kNone) {
    return PublishLineByLine();
  }
  const int64_t lines = std::count(fresh.begin(), fresh.end(), '\n');
  if (lines == 0) return;
  if (lines > lines_at_once_()) return PublishLineByLine();
  Publish(pending.rfind('\n') + 1, lines);
}

void LineFramer::PublishLineByLine() {
  const std::string_view bytes = block_.pending();
  LineEnds line_ends(bytes, scanned_);
  size_t done = 0;    // Bytes that were published or skipped.
  size_t begin = 0;   // Of the current line.
  int64_t lines = 0;  // Between `done` and `begin`.
  size_t end = 0;
  size_t after = 0;
  while (line_ends.Next(end, after)) {
    const bool too_long = end - begin > line_bytes_max_;
    if (too_long || (lines > 0 && lines >= lines_at_once_())) {
      Publish(begin - done, std::exchange(lines, 0));
      done = begin;
    }
    if (too_long) {
      SkipOversized(end - begin);
      block_.Skip(after - end);
      offset_ += static_cast<int64_t>(after - end);
      FinishOversized(/*complete=*/true);
      done = after;
    } else {
      ++lines;
    }
    begin = after;
  }
  Publish(begin - done, lines);
  after_carriage_return_ = begin > 0 && begin == bytes.size() && bytes[begin - 1] == '\r';
}

void LineFramer::HoldOrSkipRest() {
  scanned_ = block_.pending().size();
  if (scanned_ <= line_bytes_max_) return;
  SkipOversized(scanned_);
  scanned_ = 0;
}

void LineFramer::Publish(size_t bytes, int64_t lines) {
  if (bytes == 0) return;
  publish_(bytes, lines);
  line_number_ += lines;
  offset_ += static_cast<int64_t>(bytes);
}

void LineFramer::SkipOversized(size_t bytes) {
  if (!skipping_) oversized_ = {.line_number = line_number_, .offset = offset_};
  skipping_ = true;
  oversized_.bytes += static_cast<int64_t>(bytes);
  block_.Skip(bytes);
  offset_ += static_cast<int64_t>(bytes);
}

void LineFramer::FinishOversized(bool complete) {
  oversized_.complete = complete;
  report_oversized_(oversized_);
  skipping_ = false;
  scanned_ = 0;
  ++line_number_;
}

}  // namespace millrace::internal
