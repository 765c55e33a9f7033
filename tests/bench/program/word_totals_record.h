// WordTotals as a record, and the folds that make it of counted words.
#ifndef MILLRACE_TESTS_BENCH_PROGRAM_WORD_TOTALS_RECORD_H_
#define MILLRACE_TESTS_BENCH_PROGRAM_WORD_TOTALS_RECORD_H_

#include <cstdint>
#include <string_view>
#include <utility>

#include "tests/bench/plain/word_count.h"

namespace millrace::bench {

struct WordTotalsRecord {
  WordTotals totals;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(totals.words, totals.distinct, totals.checksum);
  }
};

struct AddWord {
  WordTotalsRecord operator()(WordTotalsRecord sum,
                              const std::pair<std::string_view, int64_t>& count) const {
    sum.totals.Add(count.first, count.second);
    return sum;
  }
};

struct MergeTotals {
  WordTotalsRecord operator()(WordTotalsRecord a, const WordTotalsRecord& b) const {
    a.totals.words += b.totals.words;
    a.totals.distinct += b.totals.distinct;
    a.totals.checksum += b.totals.checksum;
    return a;
  }
};

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_PROGRAM_WORD_TOTALS_RECORD_H_
