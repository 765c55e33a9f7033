#include "driver/task/slow_tasks.h"

#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

TEST(SlowTasksTest, ATaskMayTakeAsMuchLongerAsIsSaidThanTheMedianOfThoseThatEnded) {
  SlowTasks tasks;
  const SpeculationOptions options{.multiplier = 2, .quantile = 0.75};
  for (const int64_t micros : {900'000, 100'000}) {
    EXPECT_FALSE(tasks.TaskEnded(micros, 4, options));
    EXPECT_EQ(tasks.limit_micros(), 0);
  }
  EXPECT_TRUE(tasks.TaskEnded(400'000, 4, options));
  EXPECT_EQ(tasks.limit_micros(), 800'000);
  EXPECT_FALSE(tasks.TaskEnded(7'000'000, 4, options)) << "it stays";
  EXPECT_EQ(tasks.limit_micros(), 800'000);
}

TEST(SlowTasksTest, AShortTaskIsNotSlow) {
  SlowTasks tasks;
  EXPECT_TRUE(tasks.TaskEnded(1000, 2, {}));
  EXPECT_EQ(tasks.limit_micros(), 50'000);
}

}  // namespace
}  // namespace millrace::internal
