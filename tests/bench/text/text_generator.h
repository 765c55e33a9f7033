// The text that all benchmarks read: the same bytes on every machine.
#ifndef MILLRACE_TESTS_BENCH_TEXT_TEXT_GENERATOR_H_
#define MILLRACE_TESTS_BENCH_TEXT_TEXT_GENERATOR_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace millrace::bench {

inline constexpr int64_t kFullTextBytes = int64_t{256} << 20;
inline constexpr int kTextWords = 100'000;

// Lines of about 100 bytes, words drawn by Zipf's law with exponent 1 from kTextWords different
// ones of 2 to 12 letters (frequent ones are shorter). Ends with a line end, at most a line past
// `bytes`.
std::string GenerateText(int64_t bytes, uint64_t seed = 1);

// The path of a file below `directory` that holds GenerateText(bytes); written if it is not there.
absl::StatusOr<std::string> TextFile(const std::string& directory, int64_t bytes);

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_TEXT_TEXT_GENERATOR_H_
