// Text files as records: each line is one, as lines.h cuts them.
#ifndef MILLRACE_EXECUTOR_OPERATOR_TEXT_FILE_H_
#define MILLRACE_EXECUTOR_OPERATOR_TEXT_FILE_H_

#include <cstdint>
#include <string>

#include "executor/operator/operator_base.h"

namespace millrace::internal {

// A longer line fails its task: a file without line ends is hardly text, and a line has to be in
// memory as a whole.
inline constexpr int64_t kTextLineBytesMax = int64_t{256} << 20;

// One piece of a text file. A line belongs to the piece in which it begins, so pieces that cover a
// file give each of its lines once, wherever they were cut.
struct TextFileSplit {
  std::string path;
  int64_t offset = 0;
  int64_t length = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(path, offset, length);
  }
};

// Binding: split, an encoded TextFileSplit.
class TextFileOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_TEXT_FILE_H_
