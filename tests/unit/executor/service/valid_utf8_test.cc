#include "executor/service/valid_utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace::internal {
namespace {

TEST(ValidUtf8Test, LeavesTextAsItIs) {
  for (const std::string text : {"", "plain", "\x7f", "größe", "€", "\xf0\x9f\x98\x80",
                                 "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80"}) {
    EXPECT_EQ(ValidUtf8(text), text);
  }
}

TEST(ValidUtf8Test, ReplacesEachByteThatIsNoText) {
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(ValidUtf8("a\xff"
                      "b"),
            "a" + r + "b");
  EXPECT_EQ(ValidUtf8("\xc3"), r);
  EXPECT_EQ(ValidUtf8("\xe2\x82"), r + r);
  EXPECT_EQ(ValidUtf8("\xe2\x82x"), r + r + "x");
  EXPECT_EQ(ValidUtf8("\xc0\x80"), r + r) << "longer than needed";
  EXPECT_EQ(ValidUtf8("\xe0\x9f\xbf"), r + r + r) << "longer than needed";
  EXPECT_EQ(ValidUtf8("\xed\xa0\x80"), r + r + r) << "a surrogate";
  EXPECT_EQ(ValidUtf8("\xf4\x90\x80\x80"), r + r + r + r) << "beyond the last character";
  EXPECT_EQ(ValidUtf8("\xf5\x80"), r + r);
  EXPECT_EQ(ValidUtf8("\x80"), r);
}

}  // namespace
}  // namespace millrace::internal
