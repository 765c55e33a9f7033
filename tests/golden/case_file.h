// Reading case files. README.md describes the format.
#ifndef MILLRACE_TESTS_GOLDEN_CASE_FILE_H_
#define MILLRACE_TESTS_GOLDEN_CASE_FILE_H_

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/golden/case.h"

namespace millrace::golden {

// 500ms   2s
absl::StatusOr<std::chrono::milliseconds> ParseDuration(std::string_view text);

// The cases of one file. InvalidArgument names `file` and the line.
absl::StatusOr<std::vector<Case>> ParseCases(std::string_view text, const std::string& file);

// The cases of all files *.test below `folder`, in the order of their paths.
absl::StatusOr<std::vector<Case>> ReadCases(const std::string& folder);

}  // namespace millrace::golden

#endif  // MILLRACE_TESTS_GOLDEN_CASE_FILE_H_
