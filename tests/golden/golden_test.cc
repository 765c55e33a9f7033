// Every case of every file *.test below this folder is a test:
// Local/GoldenTest.Holds/<file>__<case>.
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "tests/golden/case.h"
#include "tests/golden/case_file.h"
#include "tests/golden/harness_runner.h"

namespace millrace::golden {

// What tests are called by where their parameter is printed.
void PrintTo(const Case& golden, std::ostream* os) {
  *os << golden.file << ":" << golden.line << " " << golden.name;
}

namespace {

const absl::StatusOr<std::vector<Case>>& AllCases() {
  static const auto& cases =
      *new absl::StatusOr<std::vector<Case>>(ReadCases(MILLRACE_GOLDEN_CASES));
  return cases;
}

std::vector<Case> ReadableCases() { return AllCases().value_or(std::vector<Case>()); }

TEST(GoldenFilesTest, CanBeRead) {
  ASSERT_TRUE(AllCases().ok()) << AllCases().status();
  EXPECT_FALSE(AllCases()->empty());
}

class GoldenTest : public ::testing::TestWithParam<Case> {};

TEST_P(GoldenTest, Holds) {
  const absl::StatusOr<Outcome> outcome = HarnessRunner("local[2]").Run(GetParam());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  const std::string differences = Differences(GetParam(), *outcome);
  if (!differences.empty()) ADD_FAILURE() << differences;
}

// "window/window.test", "tumbles" -> "window_window__tumbles"
std::string TestName(const ::testing::TestParamInfo<Case>& info) {
  const std::string file = info.param.file.substr(0, info.param.file.rfind('.'));
  return absl::StrCat(absl::StrReplaceAll(file, {{"/", "_"}, {"-", "_"}, {".", "_"}}), "__",
                      info.param.name);
}

INSTANTIATE_TEST_SUITE_P(Local, GoldenTest, ::testing::ValuesIn(ReadableCases()), TestName);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenTest);

}  // namespace
}  // namespace millrace::golden
