#include "common/concurrent/one_shot.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;

TEST(OneShotTest, TheFirstValueCounts) {
  OneShot<std::string> result;
  EXPECT_FALSE(result.ready());
  EXPECT_TRUE(result.Set("first"));
  EXPECT_FALSE(result.Set("second"));
  EXPECT_TRUE(result.ready());
  EXPECT_EQ(result.Wait(), "first");
}

TEST(OneShotTest, TheWaiterMayTakeTheValueAndDestroyTheRest) {
  for (int i = 0; i < 500; ++i) {
    auto result = std::make_unique<OneShot<absl::StatusOr<std::unique_ptr<int>>>>();
    std::thread setter([&raw = *result, i] { raw.Set(std::make_unique<int>(i)); });
    const absl::StatusOr<std::unique_ptr<int>> value = std::move(result->Wait());
    result.reset();
    EXPECT_EQ(**value, i);
    setter.join();
  }
}

TEST(OneShotTest, WaitForEndsWithTheTimeoutOrTheValue) {
  OneShot<int> result;
  EXPECT_EQ(result.WaitFor(1ms), nullptr);
  std::thread setter([&result] { result.Set(7); });
  const int* value = result.WaitFor(1min);
  setter.join();
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(*value, 7);
}

}  // namespace
}  // namespace millrace
