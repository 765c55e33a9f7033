// Lines of a byte stream, found as the bytes arrive.
#ifndef MILLRACE_EXECUTOR_RECEIVER_LINE_FRAMER_H_
#define MILLRACE_EXECUTOR_RECEIVER_LINE_FRAMER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "executor/receiver/open_block.h"

namespace millrace::internal {

// A line that was too long to be a record.
struct OversizedLine {
  int64_t line_number = 0;  // In the connection, from 1.
  int64_t offset = 0;       // Of its first byte in the connection.
  int64_t bytes = 0;        // Without its end.
  bool complete = false;    // False: the connection ended within it.
};

// Publishes into an open block what a connection delivers, whole lines at a time. Lines end at \n,
// \r or \r\n; any other byte, NUL and invalid UTF-8 too, is the line's. What is published:
//   - every piece ends with \n or \r, for a closing line without an end is given a \n;
//   - of a connection that breaks, the line that it breaks is left out;
//   - no piece begins with the \n of a \r\n whose \r stands in the piece before;
//   - lines longer than the limit are left out, and reported when their end has been seen.
// So a reader that applies the same rule to each piece by itself finds the lines that were sent.
//
// Lives as long as one connection. One thread, the open block's writer.
class LineFramer {
 public:
  // Lets so many bytes, which are so many lines, into the block (OpenBlock::Publish), after it has
  // waited for whatever limits the rate.
  using PublishLines = std::function<void(size_t bytes, int64_t lines)>;
  // Asked before lines are counted: the most that one PublishLines may hold.
  using LinesAtOnce = std::function<int64_t()>;
  using ReportOversized = std::function<void(const OversizedLine& line)>;

  LineFramer(OpenBlock& block, int64_t line_bytes_max, PublishLines publish,
             LinesAtOnce lines_at_once, ReportOversized report_oversized);

  // More bytes are pending in the block.
  void Take();
  // The peer has sent all: its last line may lack an end.
  void End();
  // Nothing more comes, though the peer may have had more to say: the beginning of a line would
  // pass for a line, so it is left out. Returns its bytes.
  size_t Abandon();

 private:
  // Each of these consumes pending bytes from their front.
  void SkipLineFeedOfPair();
  bool SkipOversizedToItsEnd();
  void PublishWholeLines();
  void PublishLineByLine();
  void HoldOrSkipRest();
  void Publish(size_t bytes, int64_t lines);
  void SkipOversized(size_t bytes);
  void FinishOversized(bool complete);

  OpenBlock& block_;
  const size_t line_bytes_max_;
  const PublishLines publish_;
  const LinesAtOnce lines_at_once_;
  const ReportOversized report_oversized_;

  size_t scanned_ = 0;                  // Pending bytes that are known to hold no line end.
  bool after_carriage_return_ = false;  // The last byte that was consumed is a \r.
  int64_t line_number_ = 1;             // Of the line that begins at the first pending byte.
  int64_t offset_ = 0;                  // Of the first pending byte in the connection.
  bool skipping_ = false;               // Within `oversized_`, whose begin is not pending any more.
  OversizedLine oversized_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_RECEIVER_LINE_FRAMER_H_
