// The hand-written word counts that Millrace is measured against: one thread, no framework.
//
// They are written as one would write them for speed without leaving plain C++: no copy of a word
// that is known already, one probe a word, absl::flat_hash_map. Both are run and the faster counts.
#ifndef MILLRACE_TESTS_BENCH_PLAIN_WORD_COUNT_H_
#define MILLRACE_TESTS_BENCH_PLAIN_WORD_COUNT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"

namespace millrace::bench {

using WordViewCounts = absl::flat_hash_map<std::string_view, int64_t>;
using WordCounts = absl::flat_hash_map<std::string, int64_t>;

// What a count of words comes to. Two counts of one text agree in all of it.
struct WordTotals {
  int64_t words = 0;
  int64_t distinct = 0;
  uint64_t checksum = 0;  // Over words and their counts, in any order.

  void Add(std::string_view word, int64_t count);
  friend bool operator==(const WordTotals&, const WordTotals&) = default;
};

// Words stand between single spaces and line ends, as in the text that we generate.
void CountWords(std::string_view text, WordViewCounts& counts);

// Counts words of a stream that comes in pieces cut anywhere; owns its keys.
class StreamWordCounter {
 public:
  void Add(std::string_view piece);
  void Finish();
  WordTotals Totals() const;

 private:
  WordCounts counts_;
  std::string cut_word_;  // The start of a word that the last piece ended in.
};

// Maps the file; the keys are views into it.
absl::StatusOr<WordTotals> CountWordsMapped(const std::string& path);
// Reads the file in pieces of 1 MiB; the keys are copies.
absl::StatusOr<WordTotals> CountWordsRead(const std::string& path);

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_PLAIN_WORD_COUNT_H_
