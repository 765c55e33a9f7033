#include "common/time/duration_param.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace millrace::internal {
namespace {

using namespace std::chrono_literals;

std::chrono::milliseconds Take(DurationParam duration) { return duration; }

TEST(DurationParamTest, TakesEveryDurationOfWholeMilliseconds) {
  EXPECT_EQ(Take(1500ms), 1500ms);
  EXPECT_EQ(Take(2s), 2000ms);
  EXPECT_EQ(Take(1h), 3600000ms);
  EXPECT_EQ((Take(std::chrono::duration<int, std::ratio<1, 4>>(3))), 750ms);
  EXPECT_EQ(Take(-1s), -1000ms);
}

TEST(DurationParamTest, FunctionsAreToldFromDurationsThatAreWrong) {
  const auto function = [] {};
  EXPECT_TRUE(FunctionLike<decltype(function)>);
  EXPECT_FALSE(FunctionLike<std::chrono::microseconds>);
  EXPECT_FALSE(FunctionLike<int>);
  EXPECT_FALSE((std::is_convertible_v<decltype(function), DurationParam>));
}

}  // namespace
}  // namespace millrace::internal
