#include "executor/operator/sample.h"

#include <gtest/gtest.h>

#include <limits>

namespace millrace::internal {
namespace {

TEST(SampleCountsTest, ARecordIsTakenAsOftenAsTheFractionSaysOnAverage) {
  for (const double fraction : {0.5, 3.0, 1200.0}) {
    SampleCounts counts({true, fraction, 7}, 0);
    double sum = 0;
    for (int i = 0; i < 2000; ++i) sum += counts.Next();
    EXPECT_NEAR(sum / 2000 / fraction, 1, 0.1) << fraction;
  }
}

// Such a fraction is a plan's from elsewhere. It would never come to an end.
TEST(SampleCountsTest, AFractionOfAnySizeComesToAnEnd) {
  for (const double fraction : {1e300, std::numeric_limits<double>::infinity()}) {
    EXPECT_NEAR(SampleCounts({true, fraction, 7}, 0).Next(), 10'000, 1000);
  }
  EXPECT_EQ(SampleCounts({true, -1, 7}, 0).Next(), 0u);
  EXPECT_EQ(SampleCounts({true, std::numeric_limits<double>::quiet_NaN(), 7}, 0).Next(), 0u);
}

}  // namespace
}  // namespace millrace::internal
