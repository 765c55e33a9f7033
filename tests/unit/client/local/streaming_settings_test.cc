#include "client/local/streaming_settings.h"

#include <chrono>
#include <set>
#include <string>

#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

StreamingSpec Read(const Conf& conf) { return *ReadStreamingSettings(conf); }

TEST(StreamingSettingsTest, BatchesHaveNoJitterUnlessItIsAskedFor) {
  EXPECT_EQ(Read(Conf()).batch_jitter.count(), 0);
  Conf conf;
  conf.Set("millrace.streaming.batchJitter", "1500us");
  EXPECT_EQ(Read(conf).batch_jitter.count(), 2) << "whole milliseconds";
}

TEST(StreamingSettingsTest, AnApplicationsShareOfTheJitterFollowsItsName) {
  std::set<double> shares;
  for (int i = 0; i < 100; ++i) {
    Conf conf;
    conf.SetAppName("Application " + std::to_string(i));
    const double share = Read(conf).batch_jitter_share;
    EXPECT_GE(share, 0);
    EXPECT_LT(share, 1);
    EXPECT_EQ(share, Read(conf).batch_jitter_share);
    shares.insert(share);
  }
  EXPECT_EQ(shares.size(), 100u);
  EXPECT_LT(*shares.begin(), 0.1);
  EXPECT_GT(*shares.rbegin(), 0.9);
  EXPECT_EQ(Read(Conf()).batch_jitter_share, Read(Conf()).batch_jitter_share) << "or its program's";
}

TEST(StreamingSettingsTest, NoJitterIsNegative) {
  Conf conf;
  conf.Set("millrace.streaming.batchJitter", "-1ms");
  EXPECT_EQ(ReadStreamingSettings(conf).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace millrace::internal
