// The golden cases on worker processes: a file of them a test.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "tests/golden/case_file.h"
#include "tests/golden/harness_runner.h"

namespace millrace::golden {
namespace {

const std::map<std::string, std::vector<Case>>& CasesByFile() {
  static const auto& by_file = *[] {
    auto* const made = new std::map<std::string, std::vector<Case>>;
    const auto cases = ReadCases(MILLRACE_GOLDEN_CASES);
    EXPECT_TRUE(cases.ok()) << cases.status();
    for (const Case& golden : cases.value_or(std::vector<Case>())) {
      (*made)[golden.file].push_back(golden);
    }
    return made;
  }();
  return by_file;
}

std::vector<std::string> Files() {
  std::vector<std::string> files;
  for (const auto& [file, cases] : CasesByFile()) files.push_back(file);
  return files;
}

class GoldenOnClusterTest : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenOnClusterTest, Holds) {
  for (const Case& golden : CasesByFile().at(GetParam())) {
    const auto outcome = HarnessRunner("local-cluster[2,1,256]").Run(golden);
    EXPECT_TRUE(outcome.ok()) << golden.file << ", " << golden.name << ": " << outcome.status();
    if (!outcome.ok()) continue;
    const std::string differences = Differences(golden, *outcome);
    if (!differences.empty()) {
      ADD_FAILURE() << golden.file << ", " << golden.name << ": " << differences;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenOnClusterTest, ::testing::ValuesIn(Files()),
                         [](const auto& info) {
                           return absl::StrReplaceAll(info.param.substr(0, info.param.rfind('.')),
                                                      {{"/", "_"}, {"-", "_"}, {".", "_"}});
                         });

}  // namespace
}  // namespace millrace::golden
