// What a user's function throws fails its task, never the process, and is told with its place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/integration/commands.h"
#include "tests/support/process.h"

namespace millrace {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

TEST(FailingFunctionTest, OnAWorkerItFailsTheTaskAndNamesOperatorAndPlace) {
  Process program(Program("throwing_functions", {"worker"}));
  EXPECT_THAT(program.NextLine(Process::kOut).value_or(""),
              AllOf(HasSubstr("42 is no good number"), HasSubstr("Map at throwing_functions.cc:")));
  EXPECT_THAT(program.NextLine(Process::kOut).value_or(""),
              AllOf(HasSubstr("threw something that is not a std::exception"),
                    HasSubstr("Filter at throwing_functions.cc:")));
  EXPECT_EQ(program.NextLine(Process::kOut), "100");
  EXPECT_EQ(program.AwaitExit(), 1) << program.Describe();
  // The batch, the output, the operator to blame, what it threw, the task: each once.
  EXPECT_THAT(program.text(Process::kErr),
              ContainsRegex("\nUNKNOWN: batch [0-9]+ ms: Print at throwing_functions.cc:[0-9]+: "
                            "MapValues at throwing_functions.cc:[0-9]+: no value for 42 "
                            "\\(task [12] of 2 of ReduceByKey at throwing_functions.cc:[0-9]+ "
                            "failed 4 times, the last time on worker 1\\)\n$"));
}

TEST(FailingFunctionTest, OnTheDriverItFailsTheBatch) {
  Process program(Program("throwing_functions", {"driver"}));
  EXPECT_EQ(program.AwaitExit(), 1) << program.Describe();
  EXPECT_THAT(
      program.text(Process::kErr),
      AllOf(HasSubstr("the sink is gone"), HasSubstr("ForeachRDD at throwing_functions.cc:")));
}

}  // namespace
}  // namespace millrace
