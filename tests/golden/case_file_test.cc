#include "tests/golden/case_file.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/golden/case.h"

namespace millrace::golden {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<Case> Parsed(const std::string& text) {
  absl::StatusOr<std::vector<Case>> cases = ParseCases(text, "some.test");
  EXPECT_TRUE(cases.ok()) << cases.status();
  return cases.ok() ? *std::move(cases) : std::vector<Case>();
}

std::string ErrorOf(const std::string& text) {
  const absl::StatusOr<std::vector<Case>> cases = ParseCases(text, "some.test");
  EXPECT_FALSE(cases.ok()) << text;
  return std::string(cases.status().message());
}

TEST(CaseFileTest, InputsChainsAndExpectations) {
  const std::vector<Case> cases = Parsed(
      "# A comment.\n"
      "case first\n"
      "interval 500ms\n"
      "checkpoint\n"
      "input numbers int\n"
      "  partitions: 3\n"
      "  500ms: 1 2\n"
      "  1s: (no data set)\n"
      "stream twice = numbers | Map double\n"
      "expect twice | Window 2s 1s\n"
      "  any order\n"
      "  partitions: 1 2\n"
      "  2s:\n"
      "\n"
      "case second\n");
  ASSERT_EQ(cases.size(), 2);
  const Case& first = cases[0];
  EXPECT_EQ(first.name, "first");
  EXPECT_EQ(first.line, 2);
  EXPECT_EQ(first.interval, std::chrono::milliseconds(500));
  EXPECT_TRUE(first.has_checkpoint_directory);
  EXPECT_EQ(first.last, Time(2000));
  ASSERT_EQ(first.inputs.size(), 1);
  EXPECT_EQ(first.inputs[0].partitions, 3);
  EXPECT_THAT(*first.inputs[0].batches.at(Time(500)),
              ElementsAre(Value::Atom("1"), Value::Atom("2")));
  EXPECT_FALSE(first.inputs[0].batches.at(Time(1000)).has_value());
  ASSERT_EQ(first.streams.size(), 1);
  EXPECT_THAT(first.streams[0].chain.steps, ElementsAre(ElementsAre("Map", "double")));
  ASSERT_EQ(first.expectations.size(), 1);
  const Expectation& expected = first.expectations[0];
  EXPECT_EQ(expected.chain.source, "twice");
  EXPECT_EQ(expected.chain.line, 10);
  EXPECT_THAT(expected.chain.steps, ElementsAre(ElementsAre("Window", "2s", "1s")));
  EXPECT_TRUE(expected.any_order);
  EXPECT_THAT(*expected.partitions, ElementsAre(1, 2));
  EXPECT_TRUE(expected.batches.at(Time(2000)).empty());
  EXPECT_EQ(cases[1].name, "second");
  EXPECT_FALSE(cases[1].has_checkpoint_directory);
}

TEST(CaseFileTest, Slices) {
  const std::vector<Case> cases = Parsed(
      "case c\n"
      "slice a -500ms 9s\n"
      "  any order\n"
      "  data set: 1 2\n"
      "  data set:\n"
      "slice a 1s 2s after start\n"
      "slice b 1s 2s after 3s\n"
      "  fails: UNAVAILABLE\n"
      "  the table is away\n");
  ASSERT_EQ(cases[0].slices.size(), 3);
  const ExpectedSlice& first = cases[0].slices[0];
  EXPECT_EQ(first.stream, "a");
  EXPECT_EQ(first.from, Time(-500));
  EXPECT_EQ(first.to, Time(9000));
  EXPECT_EQ(first.after, std::nullopt);
  EXPECT_TRUE(first.any_order);
  ASSERT_EQ(first.data_sets.size(), 2);
  EXPECT_THAT(first.data_sets[0], ElementsAre(Value::Atom("1"), Value::Atom("2")));
  EXPECT_TRUE(first.data_sets[1].empty());
  EXPECT_EQ(cases[0].slices[1].after, Time(0));
  const ExpectedSlice& failing = cases[0].slices[2];
  EXPECT_EQ(failing.after, Time(3000));
  EXPECT_EQ(failing.fails->code, absl::StatusCode::kUnavailable);
  EXPECT_THAT(failing.fails->texts, ElementsAre("the table is away"));
  EXPECT_EQ(cases[0].last, Time(3000)) << "the bounds of a slice are no batches to run";
}

TEST(CaseFileTest, FailuresAndTexts) {
  const std::vector<Case> cases = Parsed(
      "case c\n"
      "until 3s\n"
      "start fails: INVALID_ARGUMENT\n"
      "  Window at\n"
      "batches fail: UNKNOWN\n"
      "file out/part-0\n"
      "  > a  b\n"
      "  >\n"
      "printed\n"
      "  > x\n");
  ASSERT_EQ(cases.size(), 1);
  EXPECT_EQ(cases[0].last, Time(3000));
  EXPECT_EQ(cases[0].start_fails->code, absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(cases[0].start_fails->texts, ElementsAre("Window at"));
  EXPECT_EQ(cases[0].batches_fail->code, absl::StatusCode::kUnknown);
  EXPECT_EQ(cases[0].files.at("out/part-0"), "a  b\n\n");
  EXPECT_EQ(cases[0].printed, "x\n");
}

TEST(CaseFileTest, ErrorsNameFileAndLine) {
  EXPECT_THAT(ErrorOf("case c\nnonsense\n"), HasSubstr("some.test:2: \"nonsense\""));
  EXPECT_THAT(ErrorOf("input a int\n"), HasSubstr("some.test:1"));
  EXPECT_THAT(ErrorOf("case c\n  1s: 1\n"), HasSubstr("some.test:2"));
  EXPECT_THAT(ErrorOf("case c\ncase c\n"), HasSubstr("a second case c"));
  EXPECT_THAT(ErrorOf("case c-d\n"), HasSubstr("letters"));
  EXPECT_THAT(ErrorOf("case c\nbatches fail: BROKEN\n"), HasSubstr("no status code"));
  EXPECT_THAT(ErrorOf("case c\ninput a int\n  1s: (1\n"), HasSubstr("a comma or )"));
}

TEST(CaseFileTest, TimesAreThoseOfBatches) {
  EXPECT_THAT(ErrorOf("case c\ninput a int\n  1500ms: 1\n"), HasSubstr("no batch has the time"));
  EXPECT_THAT(ErrorOf("case c\ninput a int\n  0s: 1\n"), HasSubstr("no batch has the time"));
  EXPECT_THAT(ErrorOf("case c\ninput a int\n  1m: 1\n"), HasSubstr("no duration"));
  EXPECT_THAT(ErrorOf("case c\nexpect a\n  1s: 1\n  1s: 2\n"), HasSubstr("a second line for 1s"));
}

TEST(ValueTest, ReadsAndWritesRecords) {
  const std::string text = "a -1 (a,(1,[2,3]),some(\"x y\")) [] \"\" ü \"\\000\\377\"";
  const absl::StatusOr<std::vector<Value>> values = ParseValues(text);
  ASSERT_TRUE(values.ok()) << values.status();
  ASSERT_EQ(values->size(), 7);
  EXPECT_EQ((*values)[2].elements[1].elements[1],
            Value::List({Value::Atom("2"), Value::Atom("3")}));
  EXPECT_EQ((*values)[2].elements[2].text, "some");
  EXPECT_EQ((*values)[4], Value::Atom(""));
  EXPECT_EQ((*values)[6], Value::Atom(std::string("\0\377", 2)));
  const absl::StatusOr<std::vector<Value>> again = ParseValues(ToString(*values));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, *values);
}

TEST(ValueTest, RefusesWhatIsNoRecord) {
  for (const std::string text :
       {"(a", "[1,", "a)", "\"open", "\"open\\", "a\"b\"", "(a,)", "\"\\q\""}) {
    EXPECT_FALSE(ParseValues(text).ok()) << text;
  }
}

TEST(ValueTest, SortsListsAtEveryDepth) {
  const auto a = ParseValues("[(b,[2,1]),(a,[])]");
  const auto b = ParseValues("[(a,[]),(b,[1,2])]");
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_NE((*a)[0], (*b)[0]);
  EXPECT_EQ(SortLists((*a)[0]), SortLists((*b)[0]));
  EXPECT_NE(SortLists((*ParseValues("(b,a)"))[0]), SortLists((*ParseValues("(a,b)"))[0]));
}

}  // namespace
}  // namespace millrace::golden
