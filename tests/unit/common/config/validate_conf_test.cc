#include "common/config/validate_conf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ValidateConfTest : public ::testing::Test {
 protected:
  absl::Status Validate() { return ValidateConf(conf_, &warnings_); }
  std::string Error() { return std::string(Validate().message()); }

  Conf conf_;
  std::vector<std::string> warnings_;
};

TEST_F(ValidateConfTest, AcceptsRightValuesAndTheProgramsOwnKeys) {
  conf_.SetAppName("app").SetMaster("local[4]").Set("my.own.key", "anything");
  conf_.Set("millrace.streaming.blockInterval", "50ms");
  EXPECT_TRUE(Validate().ok());
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(ValidateConfTest, ReportsEveryWrongValue) {
  conf_.Set("millrace.streaming.blockInterval", "fast").Set("millrace.task.maxFailures", "-1");
  const absl::Status status = Validate();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("millrace.streaming.blockInterval: 'fast'"), HasSubstr("\n"),
                    HasSubstr("millrace.task.maxFailures: '-1'")));
}

TEST_F(ValidateConfTest, SuggestsTheNearestKeyForAnUnknownOne) {
  conf_.Set("millrace.streaming.blokInterval", "50ms");
  EXPECT_TRUE(Validate().ok());
  EXPECT_THAT(warnings_, ElementsAre("unknown configuration key millrace.streaming.blokInterval; "
                                     "did you mean millrace.streaming.blockInterval?"));
}

TEST_F(ValidateConfTest, WarnsOfKeysWithAnotherPrefixOrWithoutEffect) {
  conf_.Set("spark.streaming.blockInterval", "50ms").Set("millrace.serializer", "kryo");
  EXPECT_TRUE(Validate().ok());
  EXPECT_THAT(
      warnings_,
      ElementsAre("configuration key millrace.serializer has no effect: records have one compact "
                  "encoding",
                  "configuration key spark.streaming.blockInterval is not read; write "
                  "millrace.streaming.blockInterval"));
}

TEST_F(ValidateConfTest, WarnsOfAKnownKeyThatNothingReadsYet) {
  conf_.Set("millrace.rdd.compress", "true").Set("millrace.task.cpus", "1");
  EXPECT_TRUE(Validate().ok());
  EXPECT_THAT(warnings_,
              ElementsAre("configuration key millrace.rdd.compress has no effect in this version"));
}

TEST_F(ValidateConfTest, ChecksTheMaster) {
  conf_.SetMaster("locall[2]");
  EXPECT_THAT(Error(), HasSubstr("millrace.master: 'locall[2]' is not allowed"));
}

TEST_F(ValidateConfTest, ChecksOlderNamesToo) {
  conf_.Set("millrace.streaming.minRememberDuration", "0");
  EXPECT_THAT(Error(), HasSubstr("fileStream.minRememberDuration: '0'"));
}

TEST_F(ValidateConfTest, ChecksRulesBetweenKeys) {
  conf_.Set("millrace.dynamicAllocation.enabled", true)
      .Set("millrace.streaming.dynamicAllocation.enabled", true);
  EXPECT_THAT(Error(), HasSubstr("both 'true'"));

  conf_ = Conf();
  conf_.Set("millrace.streaming.dynamicAllocation.scalingUpRatio", 0.3);
  EXPECT_THAT(Error(), HasSubstr("scalingUpRatio: '0.3' is not allowed; it must be more than"));

  conf_ = Conf();
  conf_.Set("millrace.streaming.dynamicAllocation.minExecutors", 3)
      .Set("millrace.streaming.dynamicAllocation.maxExecutors", 2);
  EXPECT_THAT(Error(), HasSubstr("maxExecutors: '2' is not allowed; it must be at least"));
}

}  // namespace
}  // namespace millrace
