#include "executor/operator/fail.h"

#include <gtest/gtest.h>

#include "tests/support/fake_task.h"

namespace millrace::internal {
namespace {

TEST(FailTest, ItsTaskFailsWithTheReason) {
  FakeTask task;
  const absl::Status error = absl::NotFoundError("no file matches '/a/*'");
  task.Run<int>(task.Node<FailOperator>(EncodeFailure(error)));
  EXPECT_FALSE(task.succeeded);
  EXPECT_EQ(task.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(task.status().message(), "an operator: no file matches '/a/*'");
}

TEST(FailTest, DamagedParametersAreAnError) {
  FakeTask task;
  task.Run<int>(task.Node<FailOperator>("\x01"));
  EXPECT_EQ(task.status().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace millrace::internal
