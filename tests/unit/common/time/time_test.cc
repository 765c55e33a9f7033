#include "common/time/time.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <type_traits>
#include <unordered_set>

#include "absl/container/flat_hash_set.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

template <class D>
concept AddsTo = requires(Time time, D d) {
  time + d;
};

static_assert(!std::is_convertible_v<int64_t, Time>);
static_assert(AddsTo<std::chrono::hours>);
static_assert(!AddsTo<std::chrono::microseconds>);
static_assert(!AddsTo<std::chrono::duration<double>>);
static_assert(!AddsTo<int>);
static_assert(std::is_same_v<decltype(Time(1) - Time(2)), std::chrono::milliseconds>);
static_assert(std::is_trivially_copyable_v<Time> && sizeof(Time) == 8);

TEST(TimeTest, AddsAndSubtractsDurations) {
  EXPECT_EQ(Time(1000) + 2s, Time(3000));
  EXPECT_EQ(1min + Time(1), Time(60001));
  EXPECT_EQ(Time(1000) - 1ms, Time(999));
  EXPECT_EQ(Time(1000) - Time(3000), -2s);
  Time time(0);
  time += 5s;
  time -= 1s;
  EXPECT_EQ(time.ms(), 4000);
}

TEST(TimeTest, Orders) {
  EXPECT_LT(Time(-1), Time(0));
  EXPECT_GE(Time(5), Time(5));
  EXPECT_NE(Time(5), Time(6));
}

TEST(TimeTest, KnowsItsMultiples) {
  EXPECT_TRUE(Time(3000).IsMultipleOf(1s));
  EXPECT_TRUE(Time(-3000).IsMultipleOf(1500ms));
  EXPECT_TRUE(Time(0).IsMultipleOf(7ms));
  EXPECT_FALSE(Time(3000).IsMultipleOf(2s));
  EXPECT_FALSE(Time(3000).IsMultipleOf(0s));
}

TEST(TimeTest, FloorTruncatesTowardsZero) {
  EXPECT_EQ(Time(1350).Floor(200ms), Time(1200));
  EXPECT_EQ(Time(1200).Floor(200ms), Time(1200));
  EXPECT_EQ(Time(-1350).Floor(200ms), Time(-1200));
  EXPECT_EQ(Time(1350).Floor(0ms), Time(1350));
}

TEST(TimeTest, FloorCountsFromAGivenZero) {
  EXPECT_EQ(Time(1350).Floor(200ms, Time(50)), Time(1250));
  EXPECT_EQ(Time(1350).Floor(200ms, Time(350)), Time(1350));
  EXPECT_EQ(Time(1350).Floor(500ms, Time(2000)), Time(1500));  // Up, towards the zero.
}

TEST(TimeTest, UntilLeavesTheEndOut) {
  EXPECT_THAT(Time(1000).Until(Time(4000), 1s), ElementsAre(Time(1000), Time(2000), Time(3000)));
  EXPECT_THAT(Time(1000).Until(Time(3500), 1s), ElementsAre(Time(1000), Time(2000), Time(3000)));
  EXPECT_THAT(Time(1000).Until(Time(1000), 1s), IsEmpty());
  EXPECT_THAT(Time(1000).Until(Time(0), 1s), IsEmpty());
  EXPECT_THAT(Time(1000).Until(Time(2000), 0s), IsEmpty());
}

TEST(TimeTest, ToIncludesTheLast) {
  EXPECT_THAT(Time(1000).To(Time(3000), 1s), ElementsAre(Time(1000), Time(2000), Time(3000)));
  EXPECT_THAT(Time(1000).To(Time(2999), 1s), ElementsAre(Time(1000), Time(2000)));
  EXPECT_THAT(Time(1000).To(Time(1000), 1s), ElementsAre(Time(1000)));
  EXPECT_THAT(Time(1000).To(Time(999), 1s), IsEmpty());
}

TEST(TimeTest, NegativeStepsCountDown) {
  EXPECT_THAT(Time(2000).Until(Time(0), -1s), ElementsAre(Time(2000), Time(1000)));
  EXPECT_THAT(Time(2000).To(Time(0), -1s), ElementsAre(Time(2000), Time(1000), Time(0)));
}

TEST(TimeTest, PrintsMilliseconds) {
  std::ostringstream os;
  os << Time(1357008430000) << ", " << Time(-5);
  EXPECT_EQ(os.str(), "1357008430000 ms, -5 ms");
  EXPECT_EQ(ToString(Time(1000)), "1000 ms");
}

TEST(TimeTest, IsAKeyOfHashContainers) {
  EXPECT_EQ((absl::flat_hash_set<Time>{Time(1), Time(1), Time(2)}.size()), 2u);
  EXPECT_EQ((std::unordered_set<Time>{Time(1), Time(1), Time(2)}.size()), 2u);
}

}  // namespace
}  // namespace millrace
