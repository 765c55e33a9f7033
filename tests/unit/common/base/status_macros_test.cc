#include "common/base/status_macros.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "common/base/annotate_status.h"

namespace millrace {
namespace {

absl::Status PassOn(absl::Status status, bool* went_on) {
  if (true)
    RETURN_IF_ERROR(status);  // Safe as the body of an if without braces.
  else
    return absl::InternalError("the macro captured this else");
  *went_on = true;
  return absl::OkStatus();
}

TEST(ReturnIfErrorTest, ReturnsTheErrorAndSkipsTheRest) {
  bool went_on = false;
  EXPECT_EQ(PassOn(absl::NotFoundError("x"), &went_on), absl::NotFoundError("x"));
  EXPECT_FALSE(went_on);
  EXPECT_TRUE(PassOn(absl::OkStatus(), &went_on).ok());
  EXPECT_TRUE(went_on);
}

absl::StatusOr<int> Unwrap(absl::StatusOr<std::unique_ptr<int>> in) {
  ASSIGN_OR_RETURN(std::unique_ptr<int> value, std::move(in));
  int result = 0;
  ASSIGN_OR_RETURN(result, absl::StatusOr<int>(*value));
  return result;
}

TEST(AssignOrReturnTest, MovesTheValueOutOrReturnsTheStatus) {
  EXPECT_EQ(*Unwrap(std::make_unique<int>(7)), 7);
  EXPECT_EQ(Unwrap(absl::DataLossError("torn")).status(), absl::DataLossError("torn"));
}

absl::StatusOr<size_t> CommaInTheExpression() {
  ASSIGN_OR_RETURN(const auto map, absl::StatusOr<std::map<int, int>>({{1, 2}, {3, 4}}));
  RETURN_IF_ERROR(std::pair<int, absl::Status>(1, absl::OkStatus()).second);
  return map.size();
}

TEST(AssignOrReturnTest, TheExpressionMayHoldCommas) { EXPECT_EQ(*CommaInTheExpression(), 2u); }

TEST(AnnotateStatusTest, PrefixesTheMessageAndKeepsCodeAndPayload) {
  absl::Status status = absl::DataLossError("bad crc");
  status.SetPayload("url", absl::Cord("p"));
  const absl::Status annotated = AnnotateStatus(status, "block 17");
  EXPECT_EQ(annotated.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(annotated.message(), "block 17: bad crc");
  EXPECT_EQ(annotated.GetPayload("url"), absl::Cord("p"));
  EXPECT_TRUE(AnnotateStatus(absl::OkStatus(), "block 17").ok());
}

}  // namespace
}  // namespace millrace
