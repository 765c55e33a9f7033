// The log that the program killed_counts counts, and a model of what that must put out.
#ifndef MILLRACE_TESTS_INTEGRATION_WORD_LOG_H_
#define MILLRACE_TESTS_INTEGRATION_WORD_LOG_H_

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/integration/commands.h"

namespace millrace {

// Of two partitions, in a directory where the program's checkpoint and its outputs are too.
class WordLog {
 public:
  using Counts = std::map<std::string, int64_t>;

  WordLog(std::string directory, int64_t interval_ms);

  // Of killed_counts, behind `settings`.
  Command ProgramArguments(Command settings = {}) const;

  // Of words of its own choice, to both partitions.
  void Append(int records);

  int64_t appended() const;  // Words.
  int64_t counted() const;   // In the batches that are complete.

  // Directories in which a program has begun to write an output that has no name yet.
  std::vector<std::string> Unnamed() const;

  // All outputs, when the program has ended: no batch is missing, each word counts once, and all
  // kinds of state went on from batch to batch.
  void Check() const;

 private:
  // Of one output, by time; those that are not complete are no directories yet.
  std::map<int64_t, Counts> Read(const std::string& output) const;

  const std::string directory_;
  const int64_t interval_ms_;
  std::mt19937 random_{20240517};
  Counts appended_;
};

}  // namespace millrace

#endif  // MILLRACE_TESTS_INTEGRATION_WORD_LOG_H_
