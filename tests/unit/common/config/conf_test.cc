#include "common/config/conf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/config/keys.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(ConfTest, SettingIsChainedAndTheLastValueCounts) {
  const Conf conf =
      Conf().SetAppName("NetworkWordCount").SetMaster("local[2]").Set("a", "1").Set("a", "2");
  EXPECT_EQ(conf.Get("millrace.app.name"), "NetworkWordCount");
  EXPECT_EQ(conf.Get("millrace.master"), "local[2]");
  EXPECT_EQ(conf.Get("a"), "2");
  EXPECT_EQ(conf.Get("b"), std::nullopt);
  EXPECT_EQ(conf.Get("b", "fallback"), "fallback");
  EXPECT_TRUE(conf.Contains("a"));
  EXPECT_FALSE(conf.Contains("b"));
}

TEST(ConfTest, CopiesAreIndependent) {
  Conf first;
  first.Set("a", "1");
  Conf second = first;
  second.Set("a", "2").Remove("b");
  EXPECT_EQ(first.Get("a"), "1");
  EXPECT_NE(first, second);
  second.Remove("a");
  EXPECT_FALSE(second.Contains("a"));
}

TEST(ConfTest, TakesNumbersBooleansAndDurations) {
  Conf conf;
  conf.Set("int", 4).Set("bool", true).Set("double", 0.75).Set("duration", 1500ms).Set("s", 1min);
  EXPECT_EQ(conf.Get("int"), "4");
  EXPECT_EQ(conf.Get("bool"), "true");
  EXPECT_EQ(conf.Get("double"), "0.75");
  EXPECT_EQ(conf.Get("duration"), "1500ms");
  EXPECT_EQ(conf.Get("s"), "60s");
}

TEST(ConfTest, HigherLevelsWinOverLowerOnes) {
  Conf program = Conf().Set("a", "program");
  const Conf flags = Conf().Set("a", "flags").Set("b", "flags");
  const Conf file = Conf().Set("a", "file").Set("b", "file").Set("c", "file");
  program.MergeBelow(flags).MergeBelow(file);
  EXPECT_EQ(program, Conf().Set("a", "program").Set("b", "flags").Set("c", "file"));
}

TEST(ConfTest, UnsetKeysHaveTheirDefaults) {
  const Conf conf;
  EXPECT_EQ(*conf.GetDuration(keys::kBlockInterval), 200ms);
  EXPECT_EQ(*conf.GetDuration(keys::kBlockStoreTimeout), 30s);
  EXPECT_EQ(*conf.GetBool(keys::kBackpressureEnabled), false);
  EXPECT_EQ(*conf.GetInt(keys::kTaskMaxFailures), 4);
  EXPECT_EQ(*conf.GetDouble(keys::kPidIntegral), 0.2);
  EXPECT_EQ(*conf.GetBytes(keys::kExecutorMemory), int64_t{1} << 30);
  EXPECT_EQ(*conf.GetBytes(keys::kMaxLineBytes), 16 << 20);
  EXPECT_EQ(*conf.GetString(keys::kMaster), "local[*]");
  EXPECT_EQ(conf.GetInt(keys::kDefaultParallelism)->has_value(), false);
  EXPECT_EQ(conf.GetDuration(keys::kGracefulStopTimeout)->has_value(), false);
  EXPECT_EQ(conf.GetString(keys::kCheckpointDirectory), std::nullopt);
}

TEST(ConfTest, ABareNumberHasTheUnitOfItsKey) {
  Conf conf;
  conf.Set(keys::kBlockInterval.name, "50")
      .Set(keys::kBlockStoreTimeout.name, "50")
      .Set(keys::kExecutorMemory.name, "512")
      .Set(keys::kMaxLineBytes.name, "512");
  EXPECT_EQ(*conf.GetDuration(keys::kBlockInterval), 50ms);
  EXPECT_EQ(*conf.GetDuration(keys::kBlockStoreTimeout), 50s);
  EXPECT_EQ(*conf.GetBytes(keys::kExecutorMemory), 512 << 20);
  EXPECT_EQ(*conf.GetBytes(keys::kMaxLineBytes), 512);
}

TEST(ConfTest, OptionalKeysHoldWhatWasSet) {
  Conf conf;
  conf.Set(keys::kDefaultParallelism.name, 8).Set(keys::kGracefulStopTimeout.name, 5s);
  EXPECT_EQ(**conf.GetInt(keys::kDefaultParallelism), 8);
  EXPECT_EQ(**conf.GetDuration(keys::kGracefulStopTimeout), 5s);
}

TEST(ConfTest, ChoicesAreReadWithoutCaseAndGivenInTheirSpelling) {
  Conf conf;
  conf.Set(keys::kSchedulerMode.name, "fair");
  EXPECT_EQ(*conf.GetString(keys::kSchedulerMode), "FAIR");
  conf.Set(keys::kSchedulerMode.name, "lottery");
  EXPECT_THAT(std::string(conf.GetString(keys::kSchedulerMode).status().message()),
              HasSubstr("it must be one of FIFO, FAIR"));
}

TEST(ConfTest, AnOlderNameIsUnderstoodAndTheNewOneWins) {
  Conf conf;
  conf.Set("millrace.streaming.minRememberDuration", "90s");
  EXPECT_EQ(*conf.GetDuration(keys::kFileMinRememberDuration), 90s);
  conf.Set("millrace.streaming.fileStream.minRememberDuration", "30s");
  EXPECT_EQ(*conf.GetDuration(keys::kFileMinRememberDuration), 30s);
}

TEST(ConfTest, AWrongValueIsAnErrorThatSaysWhatIsAllowed) {
  Conf conf;
  conf.Set(keys::kBlockInterval.name, "5 parsecs").Set(keys::kTaskMaxFailures.name, "0");
  const absl::Status status = conf.GetDuration(keys::kBlockInterval).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("millrace.streaming.blockInterval: '5 parsecs' is not allowed"),
                    HasSubstr("such as 200ms"), HasSubstr("at least 1ms")));
  EXPECT_EQ(conf.GetInt(keys::kTaskMaxFailures).status().message(),
            "millrace.task.maxFailures: '0' is not allowed; it must be a whole number, at least 1");
}

TEST(ConfTest, TheProgramsOwnKeysHaveTypesToo) {
  Conf conf;
  conf.Set("my.int", "7").Set("my.time", "3s").Set("my.size", "2k").Set("my.bool", "TRUE");
  EXPECT_EQ(*conf.GetInt("my.int", 1), 7);
  EXPECT_EQ(*conf.GetInt("my.other", 1), 1);
  EXPECT_EQ(*conf.GetDouble("my.int", 1.5), 7.0);
  EXPECT_EQ(*conf.GetDuration("my.time", 1ms), 3s);
  EXPECT_EQ(*conf.GetDuration("my.int", 1ms), 7ms);
  EXPECT_EQ(*conf.GetBytes("my.size", 1), 2048);
  EXPECT_EQ(*conf.GetBytes("my.int", 1), 7);
  EXPECT_TRUE(*conf.GetBool("my.bool", false));
  EXPECT_THAT(std::string(conf.GetBool("my.int", false).status().message()),
              HasSubstr("my.int: '7' is not allowed; it must be true or false"));
}

TEST(ConfTest, PrintsALineAKeyAndHidesSecrets) {
  const Conf conf =
      Conf().Set("b", "2").Set("a", "1").Set("millrace.authenticate.secret", "hunter2");
  EXPECT_EQ(conf.ToString(), "a=1\nb=2\nmillrace.authenticate.secret=*********\n");
  EXPECT_TRUE(IsSecretKey("my.db.Password"));
  EXPECT_FALSE(IsSecretKey("millrace.app.name"));
}

}  // namespace
}  // namespace millrace
