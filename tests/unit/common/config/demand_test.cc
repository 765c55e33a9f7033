#include "common/config/demand.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

using ::testing::HasSubstr;

TEST(DemandTest, IsWhatTheSettingsSay) {
  Conf conf;
  EXPECT_EQ(DemandOf(conf)->cores_max(), 0);
  EXPECT_EQ(DemandOf(conf)->cores_per_worker(), 0);
  EXPECT_EQ(DemandOf(conf)->memory_mb_per_worker(), 1024);
  conf.Set("millrace.cores.max", "8");
  conf.Set("millrace.executor.cores", "4");
  conf.Set("millrace.executor.memory", "2g");
  EXPECT_EQ(DemandOf(conf)->cores_max(), 8);
  EXPECT_EQ(DemandOf(conf)->cores_per_worker(), 4);
  EXPECT_EQ(DemandOf(conf)->memory_mb_per_worker(), 2048);
  conf.Set("millrace.executor.memory", "10k");
  EXPECT_EQ(DemandOf(conf)->memory_mb_per_worker(), 1) << "never none";
}

TEST(DemandTest, MoreCoresThanAnybodyHasAreNotTakenForFew) {
  Conf conf;
  conf.Set("millrace.cores.max", "4294967297");
  EXPECT_THAT(std::string(DemandOf(conf).status().message()),
              HasSubstr("millrace.cores.max: '4294967297' is not allowed"));
}

}  // namespace
}  // namespace millrace
