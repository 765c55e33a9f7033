#include "client/local/program_flags.h"

#include <gflags/gflags.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

DEFINE_int64(flags_test_number, 0, "");
DEFINE_string(flags_test_name, "", "");
DEFINE_bool(flags_test_on, false, "");
DEFINE_bool(flags_test_off, true, "");

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ProgramFlagsTest : public ::testing::Test {
 protected:
  absl::StatusOr<Conf> Take(std::vector<std::string> arguments) {
    storage_ = std::move(arguments);
    argv_.clear();
    for (std::string& argument : storage_) argv_.push_back(argument.data());
    argv_.push_back(nullptr);
    argc_ = static_cast<int>(storage_.size());
    return TakeConfFlags(&argc_, argv_.data());
  }
  std::vector<std::string> left() const { return {argv_.begin(), argv_.begin() + argc_}; }

  std::vector<std::string> storage_;
  std::vector<char*> argv_;
  int argc_ = 0;
};

TEST_F(ProgramFlagsTest, TakesItsOwnAndLeavesTheRest) {
  const auto conf = Take({"program", "--millrace_conf=millrace.master=local[3]", "host",
                          "-millrace_conf", "my.key=a=b", "--port=9999"});
  ASSERT_TRUE(conf.ok()) << conf.status();
  EXPECT_EQ(conf->Get("millrace.master", ""), "local[3]");
  EXPECT_EQ(conf->Get("my.key", ""), "a=b");
  EXPECT_THAT(left(), ElementsAre("program", "host", "--port=9999"));
  EXPECT_EQ(argv_[3], nullptr);
}

TEST_F(ProgramFlagsTest, WhatStandsBehindTwoDashesIsTheProgramsOwn) {
  const auto conf = Take({"program", "--", "--millrace_conf=a=b"});
  ASSERT_TRUE(conf.ok());
  EXPECT_TRUE(conf->entries().empty());
  EXPECT_THAT(left(), ElementsAre("program", "--", "--millrace_conf=a=b"));
}

TEST_F(ProgramFlagsTest, FlagsThatOnlyBeginAlikeAreTheProgramsOwn) {
  const auto conf = Take({"program", "--millrace_confidence=high", "--millrace"});
  ASSERT_TRUE(conf.ok());
  EXPECT_THAT(left(), ElementsAre("program", "--millrace_confidence=high", "--millrace"));
}

TEST_F(ProgramFlagsTest, WrongFlagsAreNamed) {
  EXPECT_THAT(std::string(Take({"program", "--millrace_conf=novalue"}).status().message()),
              HasSubstr("novalue"));
  EXPECT_THAT(std::string(Take({"program", "--millrace_conf"}).status().message()),
              HasSubstr("--millrace_conf"));
}

TEST(DefinedFlagsTest, AreSetAndOthersPassedOver) {
  SetDefinedFlags({"program", "--flags_test_number=7", "-flags_test_name", "--x", "--unknown=1",
                   "words", "--flags_test_on", "--noflags_test_off", "--nosuch", "--",
                   "--flags_test_number=8"});
  EXPECT_EQ(FLAGS_flags_test_number, 7);
  EXPECT_EQ(FLAGS_flags_test_name, "--x");
  EXPECT_TRUE(FLAGS_flags_test_on);
  EXPECT_FALSE(FLAGS_flags_test_off);
  SetDefinedFlags({"program", "--flags_test_number"});  // Its value is missing.
  EXPECT_EQ(FLAGS_flags_test_number, 7);
}

TEST(WorkerArgumentsTest, TellWorkersWhatTheProgramHasSet) {
  SetProgramArguments({"program", "x", "--", "y"});
  Conf conf;
  EXPECT_THAT(WorkerArguments(conf), ElementsAre("program", "x", "--", "y"));
  conf.Set("millrace.memory.fraction", "0.3");
  EXPECT_THAT(
      WorkerArguments(conf),
      ElementsAre("program", "x", "--millrace_conf=millrace.memory.fraction=0.3", "--", "y"));
  SetProgramConf(conf);  // Came with the command line.
  EXPECT_THAT(WorkerArguments(conf), ElementsAre("program", "x", "--", "y"));
  SetProgramConf(Conf());
  SetProgramArguments({});
}

}  // namespace
}  // namespace millrace::internal
