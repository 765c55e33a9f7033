// The hand-written grep: how many lines of a file contain a word. One thread; both ways to read are
// run and the faster counts.
#ifndef MILLRACE_TESTS_BENCH_PLAIN_GREP_H_
#define MILLRACE_TESTS_BENCH_PLAIN_GREP_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace millrace::bench {

absl::StatusOr<int64_t> CountLinesMapped(const std::string& path, std::string_view word);
absl::StatusOr<int64_t> CountLinesRead(const std::string& path, std::string_view word);

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_PLAIN_GREP_H_
