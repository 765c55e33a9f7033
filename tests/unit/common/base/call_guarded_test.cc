#include "common/base/call_guarded.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace millrace::internal {
namespace {

TEST(CallGuardedTest, ReturnsWhatTheCallReturns) {
  EXPECT_TRUE(CallGuarded("Sum", [] { return absl::OkStatus(); }).ok());
  EXPECT_EQ(CallGuarded("Sum", [] { return absl::NotFoundError("none"); }),
            absl::NotFoundError("none"));
}

TEST(CallGuardedTest, WhatIsThrownIsAnErrorThatNamesTheCall) {
  EXPECT_EQ(CallGuarded("Sum", []() -> absl::Status { throw std::runtime_error("too much"); }),
            absl::UnknownError("Sum: too much"));
  EXPECT_EQ(CallGuarded("Sum", []() -> absl::Status { throw 7; }),
            absl::UnknownError("Sum: threw something that is no std::exception"));
}

}  // namespace
}  // namespace millrace::internal
