// Text as records: each line is one, a view into the block's bytes.
//
// A line ends at \n, \r or \r\n, which are not part of it; what stands behind the last line end is
// a line too, unless it is empty. Everything else passes through, NUL bytes and broken UTF-8
// included.
#ifndef MILLRACE_EXECUTOR_OPERATOR_LINES_H_
#define MILLRACE_EXECUTOR_OPERATOR_LINES_H_

#include <string_view>

#include "executor/operator/operator_base.h"

namespace millrace::internal {

// Cuts text into lines. Feed it pieces that begin at the start of a line.
class LineCutter {
 public:
  explicit LineCutter(ChunkSink<std::string_view>& out) : buffer_(out) {}

  // Emits all lines that end in `text`, and sets `*consumed` to where the unfinished one begins. A
  // \r at the very end is taken for a whole line end. False as ChunkSink::Push.
  bool Cut(std::string_view text, size_t* consumed);
  bool Emit(std::string_view line) { return buffer_.Emplace(line); }
  bool Flush() { return buffer_.Flush(); }

 private:
  ChunkBuffer<std::string_view> buffer_;
};

// Received blocks of text. Binding: blocks.
class BlockLinesOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_LINES_H_
