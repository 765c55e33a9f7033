#include "client/submit/submit_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "common/fs/local_file_system.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class SubmitOptionsTest : public ::testing::Test {
 protected:
  using Arguments = std::vector<std::string>;

  std::variant<SubmitOptions, SubmitExit> Parse(Arguments arguments) {
    arguments.insert(arguments.begin(), "millrace-submit");
    out_.str("");
    err_.str("");
    return ParseSubmitOptions(arguments, fs_, out_, err_);
  }
  SubmitOptions Good(const Arguments& arguments) {
    auto parsed = Parse(arguments);
    EXPECT_TRUE(std::holds_alternative<SubmitOptions>(parsed)) << err_.str();
    return std::holds_alternative<SubmitOptions>(parsed) ? std::get<SubmitOptions>(parsed)
                                                         : SubmitOptions();
  }
  // The exit code, -1 when nothing is wrong; what is said is in err_.
  int Exit(const Arguments& arguments) {
    const auto parsed = Parse(arguments);
    const auto* exit = std::get_if<SubmitExit>(&parsed);
    return exit == nullptr ? -1 : exit->code;
  }
  std::string File(const std::string& text) {
    std::ofstream(dir_.path() + "/file") << text;
    return dir_.path() + "/file";
  }

  LocalFileSystem fs_;
  TempDir dir_;
  std::ostringstream out_;
  std::ostringstream err_;
};

constexpr char kProgram[] = "/bin/true";

TEST_F(SubmitOptionsTest, WhatStandsBehindTheProgramIsTheProgramS) {
  const SubmitOptions options = Good({"--name", "n", kProgram, "--name", "x", "--help", "y"});
  EXPECT_EQ(options.verb, SubmitVerb::kRun);
  EXPECT_EQ(options.program, kProgram);
  EXPECT_THAT(options.arguments, ElementsAre("--name", "x", "--help", "y"));
  EXPECT_EQ(options.conf.Get("millrace.app.name"), "n");
  EXPECT_TRUE(std::holds_alternative<LocalMaster>(options.master));
  EXPECT_THAT(Good({"--", kProgram, "a"}).arguments, ElementsAre("a"));
  EXPECT_THAT(Good({"--conf", "a=b", kProgram, "c=d"}).arguments, ElementsAre("c=d"));
}

TEST_F(SubmitOptionsTest, EveryOptionIsASetting) {
  const SubmitOptions options = Good({"--master",
                                      "millrace://h:1",
                                      "--deploy-mode",
                                      "cluster",
                                      "--conf",
                                      "a=b",
                                      "--conf",
                                      "millrace.x=1",
                                      "--files",
                                      "A,B",
                                      "--driver-memory",
                                      "2g",
                                      "--executor-memory",
                                      "3g",
                                      "--executor-cores",
                                      "4",
                                      "--total-executor-cores",
                                      "8",
                                      "--num-executors",
                                      "2",
                                      "--supervise",
                                      "--wait",
                                      "--json",
                                      kProgram});
  EXPECT_TRUE(options.is_cluster_mode);
  EXPECT_TRUE(options.is_supervised);
  EXPECT_TRUE(options.waits);
  EXPECT_TRUE(options.is_json);
  EXPECT_EQ(options.conf.Get("a"), "b");
  EXPECT_EQ(options.conf.Get("millrace.x"), "1");
  EXPECT_EQ(options.conf.Get("millrace.files"), "A,B");
  EXPECT_EQ(options.conf.Get("millrace.driver.memory"), "2g");
  EXPECT_EQ(options.conf.Get("millrace.executor.memory"), "3g");
  EXPECT_EQ(options.conf.Get("millrace.executor.cores"), "4");
  EXPECT_EQ(options.conf.Get("millrace.cores.max"), "8");
  EXPECT_EQ(options.conf.Get("millrace.executor.instances"), "2");
}

TEST_F(SubmitOptionsTest, TheCommandLineComesBeforeTheFile) {
  const std::string file =
      File("millrace.app.name from-file\nmillrace.task.maxFailures 7\nother.key x\n");
  const SubmitOptions options =
      Good({"--properties-file", file, "--name", "from-line", "--verbose", kProgram});
  EXPECT_EQ(options.conf.Get("millrace.app.name"), "from-line");
  EXPECT_EQ(options.conf.Get("millrace.task.maxFailures"), "7");
  EXPECT_EQ(options.conf.Get("other.key"), std::nullopt);
  EXPECT_THAT(err_.str(), HasSubstr("'other.key' is left out"));
  EXPECT_THAT(out_.str(), HasSubstr("millrace.app.name=from-line  (command line)\n"));
  EXPECT_THAT(out_.str(), HasSubstr("millrace.task.maxFailures=7  (properties file)\n"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("from-file")));
}

TEST_F(SubmitOptionsTest, AMasterOfTheFileCounts) {
  const SubmitOptions options =
      Good({"--properties-file", File("millrace.master = millrace://h:1,[::1]:2\n"), "--list"});
  EXPECT_EQ(options.verb, SubmitVerb::kList);
  EXPECT_EQ(std::get<ClusterMaster>(options.master).daemons.size(), 2u);
}

TEST_F(SubmitOptionsTest, VerbsTakeAnId) {
  const std::string master = "millrace://h:1";
  EXPECT_EQ(Good({"--master", master, "--status", "d"}).verb, SubmitVerb::kStatus);
  EXPECT_EQ(Good({"--master", master, "--kill", "d"}).verb, SubmitVerb::kKill);
  EXPECT_EQ(Good({"--master", master, "--logs", "d"}).verb, SubmitVerb::kLogs);
  EXPECT_EQ(Good({"--master", master, "--logs", "d"}).id, "d");
}

TEST_F(SubmitOptionsTest, WrongUsageIsTwoAndSaysWhatIsWrong) {
  const auto says = [&](const Arguments& arguments, const std::string& what) {
    EXPECT_EQ(Exit(arguments), kExitUsage) << what;
    EXPECT_THAT(err_.str(), HasSubstr(what));
  };
  says({}, "which program?");
  says({"--bogus", kProgram}, "'--bogus' is no option");
  says({"--executor-cores", "none", kProgram}, "executor-cores");
  says({"--executor-cores", "0", kProgram}, "executor-cores");
  says({"--deploy-mode", "both", kProgram}, "deploy-mode");
  says({"--conf", "novalue", kProgram}, "--conf");
  says({"--master", "spark://h:1", kProgram}, "no such kind of master");
  says({"--deploy-mode", "cluster", kProgram}, "needs --master millrace://host:port");
  says({"--list"}, "which cluster?");
  says({"--status", "a", "--kill", "b", "--master", "millrace://h:1"}, "exclude one another");
  says({"--list", "--master", "millrace://h:1", kProgram}, "no program is run");
  says({"/no/such/program"}, "there is no program '/no/such/program'");
  says({"/etc/passwd"}, "is not a program");
  says({"--properties-file", "/no/such/file", kProgram}, "/no/such/file");
}

TEST_F(SubmitOptionsTest, HelpAndVersionAreNoError) {
  EXPECT_EQ(Exit({"--help"}), kExitDone);
  for (const char* option : {"--master",
                             "--deploy-mode",
                             "--name",
                             "--conf",
                             "--properties-file",
                             "--files",
                             "--driver-memory",
                             "--executor-memory",
                             "--executor-cores",
                             "--total-executor-cores",
                             "--num-executors",
                             "--supervise",
                             "--wait",
                             "--verbose",
                             "--version",
                             "--help",
                             "--status",
                             "--kill",
                             "--list",
                             "--logs",
                             "--json"}) {
    EXPECT_THAT(out_.str(), HasSubstr(option));
  }
  EXPECT_EQ(Exit({"--version"}), kExitDone);
  EXPECT_THAT(out_.str(), HasSubstr("millrace-submit "));
}

}  // namespace
}  // namespace millrace
