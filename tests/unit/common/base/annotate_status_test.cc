#include "common/base/annotate_status.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(AnnotateStatusTest, SaysAContextOnce) {
  const absl::Status once = AnnotateStatus(absl::NotFoundError("no such file"), "Print at a.cc:1");
  EXPECT_EQ(AnnotateStatus(once, "Print at a.cc:1"), once);
  EXPECT_EQ(AnnotateStatus(once, "Print at a.cc"),
            absl::NotFoundError("Print at a.cc: Print at a.cc:1: no such file"));
}

}  // namespace
}  // namespace millrace
