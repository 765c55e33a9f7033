#include "tests/golden/outcome.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/golden/case_file.h"
#include "tests/golden/harness_runner.h"

namespace millrace::golden {
namespace {

using ::testing::HasSubstr;

constexpr char kInput[] =
    "case c\n"
    "input a int\n"
    "  1s: 2 1\n"
    "  2s: 3\n";

// How a run of `kInput` with `expected` behind it differs from what is expected.
std::string DifferencesOf(const std::string& expected) {
  const absl::StatusOr<std::vector<Case>> cases = ParseCases(kInput + expected, "some.test");
  if (!cases.ok()) return cases.status().ToString();
  const absl::StatusOr<Outcome> outcome = HarnessRunner("local[2]").Run(cases->front());
  return outcome.ok() ? Differences(cases->front(), *outcome) : outcome.status().ToString();
}

TEST(DifferencesTest, NoneWhenAllHolds) {
  EXPECT_EQ(DifferencesOf("expect a\n  partitions: 2\n  1s: 2 1\n  2s: 3\n"), "");
  EXPECT_EQ(DifferencesOf("expect a\n  any order\n  1s: 1 2\n  2s: 3\n"), "");
}

TEST(DifferencesTest, OfRecords) {
  EXPECT_THAT(DifferencesOf("expect a\n  1s: 2 1\n  2s: 4\n"),
              HasSubstr("some.test:5: at 2000 ms\n  expected { 4 }\n  got      { 3 }"));
  EXPECT_THAT(DifferencesOf("expect a\n  1s: 1 2\n  2s: 3\n"), HasSubstr("{ 1 2 }"));
  EXPECT_THAT(DifferencesOf("expect a\n  1s: 2 1\n  2s:\n"), HasSubstr("expected {  }"));
}

TEST(DifferencesTest, OfBatches) {
  EXPECT_THAT(DifferencesOf("expect a\n  1s: 2 1\n"), HasSubstr("expected no data set"));
  EXPECT_THAT(DifferencesOf("expect a | Window 2s 2s\n  1s: 2 1\n  2s: 2 1 3\n"),
              HasSubstr("got      no data set"));
}

TEST(DifferencesTest, OfSlices) {
  const std::string streams =
      "stream s = a | Transform error_at 2s\nexpect a\n  1s: 2 1\n  2s: 3\n";
  EXPECT_EQ(DifferencesOf(streams + "slice a 1s 2s\n  data set: 2 1\n  data set: 3\n"), "");
  EXPECT_EQ(DifferencesOf(streams + "slice s 1s 2s\n  fails: UNAVAILABLE\n  is away\n"), "");
  EXPECT_THAT(DifferencesOf(streams + "slice a 1s 2s after 1s\n  data set: 2 1 3\n"),
              HasSubstr("some.test:9: the slice\n  expected { 2 1 3 }\n  got      { 2 1 } { 3 }"));
  EXPECT_THAT(DifferencesOf(streams + "slice s 1s 2s\n"),
              HasSubstr("some.test:9: the slice must give OK, and gave UNAVAILABLE"));
  EXPECT_THAT(DifferencesOf(streams + "slice a 1s 2s\n  fails: UNAVAILABLE\n"),
              HasSubstr("some.test:10: the slice must give UNAVAILABLE, and gave OK"));
}

TEST(DifferencesTest, OfPartitions) {
  EXPECT_THAT(DifferencesOf("expect a\n  partitions: 3\n  1s: 2 1\n  2s: 3\n"),
              HasSubstr("expected 3 3\n  got      2 2"));
  EXPECT_THAT(DifferencesOf("expect a\n  partitions: 2 3\n  1s: 2 1\n  2s: 3\n"),
              HasSubstr("expected 2 3\n  got      2 2"));
}

TEST(DifferencesTest, OfFailures) {
  const std::string fails = "expect a | Transform error_at 1s\n  2s: 3\n";
  EXPECT_THAT(DifferencesOf(fails), HasSubstr("the batches must give OK, and gave UNAVAILABLE"));
  EXPECT_EQ(DifferencesOf(fails + "batches fail: UNAVAILABLE\n  1000 ms\n"), "");
  EXPECT_THAT(DifferencesOf(fails + "batches fail: UNAVAILABLE\n  3000 ms\n"),
              HasSubstr("some.test:7: the batches must say \"3000 ms\""));
  EXPECT_THAT(DifferencesOf(fails + "batches fail: UNKNOWN\n"), HasSubstr("must give UNKNOWN"));
  EXPECT_THAT(DifferencesOf("expect a\n  1s: 2 1\n  2s: 3\nbatches fail: UNKNOWN\n"),
              HasSubstr("must give UNKNOWN, and gave OK"));
  EXPECT_THAT(DifferencesOf("expect a | Window 1500ms\n"), HasSubstr("Start() must give OK"));
  EXPECT_THAT(DifferencesOf("expect a\n  1s: 2 1\n  2s: 3\nstart fails: UNKNOWN\n"),
              HasSubstr("Start() must give UNKNOWN"));
}

TEST(DifferencesTest, OfTexts) {
  const std::string saves = "output a | SaveAsTextFiles out\n";
  EXPECT_EQ(DifferencesOf(saves + "file out-2000/part-00001\n  > 3\n"), "");
  EXPECT_THAT(DifferencesOf(saves + "file out-2000/part-00001\n  > 4\n"), HasSubstr("-- got --"));
  EXPECT_THAT(DifferencesOf(saves + "file out-3000/part-00000\n"), HasSubstr("there is no file"));
  EXPECT_THAT(DifferencesOf("output a | Print\n"), HasSubstr("Time: 2000 ms"));
}

TEST(HarnessRunnerTest, NamesWhatACaseGotWrong) {
  EXPECT_THAT(DifferencesOf("expect b\n"), HasSubstr("some.test:5: b is no stream"));
  EXPECT_THAT(DifferencesOf("expect a | Map nonsense\n"),
              HasSubstr("Map nonsense of a stream of int: there is no such operation"));
  EXPECT_THAT(DifferencesOf("expect a | Window\n"), HasSubstr("an argument is missing"));
  EXPECT_THAT(DifferencesOf("expect a | Map double 3\n"), HasSubstr("too many arguments"));
  EXPECT_THAT(DifferencesOf("expect a | StateSnapshots\n"), HasSubstr("MapWithState alone"));
  EXPECT_THAT(DifferencesOf("input a int\nexpect a\n"), HasSubstr("there are two streams a"));
  EXPECT_THAT(DifferencesOf("input b int\n  1s: x\nexpect b\n"), HasSubstr("x is no int"));
  EXPECT_THAT(DifferencesOf("input b real\nexpect b\n"), HasSubstr("no inputs of real"));
}

}  // namespace
}  // namespace millrace::golden
