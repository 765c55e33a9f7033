#include "common/config/conf_value.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

using namespace std::chrono_literals;

TEST(ParseDurationTest, KnowsAllSuffixes) {
  EXPECT_EQ(ParseDuration("7us", "s"), 7us);
  EXPECT_EQ(ParseDuration("7ms", "s"), 7ms);
  EXPECT_EQ(ParseDuration("7s", "ms"), 7s);
  EXPECT_EQ(ParseDuration("7m", "ms"), 7min);
  EXPECT_EQ(ParseDuration("7min", "ms"), 7min);
  EXPECT_EQ(ParseDuration("7h", "ms"), 7h);
  EXPECT_EQ(ParseDuration("7d", "ms"), 168h);
  EXPECT_EQ(ParseDuration("7", "s"), 7s);
  EXPECT_EQ(ParseDuration(" 7 MS ", "s"), 7ms);
  EXPECT_EQ(ParseDuration("-7s", "s"), -7s);
}

TEST(ParseDurationTest, RefusesAnythingElse) {
  for (const char* text : {"", "s", "1.5s", "7 parsecs", "7ss", "0x7", "7s 3ms", "nan",
                           "9223372036854775807s", "99999999999999999999"}) {
    EXPECT_EQ(ParseDuration(text, "ms"), std::nullopt) << text;
  }
}

TEST(ParseBytesTest, CountsIn1024s) {
  EXPECT_EQ(ParseBytes("3b", "m"), 3);
  EXPECT_EQ(ParseBytes("3k", "b"), 3 << 10);
  EXPECT_EQ(ParseBytes("3kb", "b"), 3 << 10);
  EXPECT_EQ(ParseBytes("3M", "b"), 3 << 20);
  EXPECT_EQ(ParseBytes("3g", "b"), int64_t{3} << 30);
  EXPECT_EQ(ParseBytes("3TB", "b"), int64_t{3} << 40);
  EXPECT_EQ(ParseBytes("3p", "b"), int64_t{3} << 50);
  EXPECT_EQ(ParseBytes("3", "m"), 3 << 20);
  EXPECT_EQ(ParseBytes("8192p", "b"), std::nullopt);  // 2^63
  EXPECT_EQ(ParseBytes("1.5g", "b"), std::nullopt);
  EXPECT_EQ(ParseBytes("1x", "b"), std::nullopt);
}

TEST(ParseNumberTest, TakesTheWholeTextOrNothing) {
  EXPECT_EQ(ParseInt(" -12 "), -12);
  EXPECT_EQ(ParseInt("12x"), std::nullopt);
  EXPECT_EQ(ParseInt("1.0"), std::nullopt);
  EXPECT_EQ(ParseInt(""), std::nullopt);
  EXPECT_EQ(ParseDouble("1e3"), 1000.0);
  EXPECT_EQ(ParseDouble("inf"), std::nullopt);
  EXPECT_EQ(ParseDouble("nan"), std::nullopt);
  EXPECT_EQ(ParseBool("True"), true);
  EXPECT_EQ(ParseBool("false "), false);
  EXPECT_EQ(ParseBool("yes"), std::nullopt);
  EXPECT_EQ(ParseBool("1"), std::nullopt);
}

TEST(ParseChoiceTest, GivesTheSpellingOfTheChoice) {
  EXPECT_EQ(ParseChoice("fair", "FIFO|FAIR"), "FAIR");
  EXPECT_EQ(ParseChoice("FA", "FIFO|FAIR"), std::nullopt);
  EXPECT_EQ(ParseChoice("FIFO|FAIR", "FIFO|FAIR"), std::nullopt);
}

TEST(CheckConfValueTest, HoldsValuesAgainstTheirRange) {
  constexpr DurationKey kInterval("k", "1s", "ms", AtLeast(1ms), "");
  EXPECT_TRUE(CheckConfValue(kInterval, "1").ok());
  EXPECT_FALSE(CheckConfValue(kInterval, "999us").ok());
  constexpr DoubleKey kRate("k", "1", Above(0), "");
  EXPECT_TRUE(CheckConfValue(kRate, "0.001").ok());
  EXPECT_FALSE(CheckConfValue(kRate, "0").ok());
  constexpr IntKey kPort("k", "0", Between(0, 65535), "");
  EXPECT_TRUE(CheckConfValue(kPort, "65535").ok());
  EXPECT_FALSE(CheckConfValue(kPort, "65536").ok());
  EXPECT_FALSE(CheckConfValue(kPort, "-1").ok());
}

TEST(AllowedValuesTest, SaysFormUnitAndBounds) {
  EXPECT_EQ(AllowedValues(IntKey("k", "0", Between(0, 65535), "")),
            "a whole number, at least 0, at most 65535");
  EXPECT_EQ(AllowedValues(DoubleKey("k", "1", Above(0), "")), "a number, more than 0");
  EXPECT_EQ(AllowedValues(BytesKey("k", "1", "m", Between(1, 1 << 30), "")),
            "a size (a whole number with b, k, m, g, t or p, such as 64m; without a unit it is in "
            "mebibytes), at least 1b, at most 1g");
}

TEST(FormatTest, UsesTheLargestUnitThatLosesNothing) {
  EXPECT_EQ(FormatDuration(0us), "0s");
  EXPECT_EQ(FormatDuration(1500us), "1500us");
  EXPECT_EQ(FormatDuration(1500ms), "1500ms");
  EXPECT_EQ(FormatDuration(2min), "120s");
  EXPECT_EQ(FormatBytes(0), "0b");
  EXPECT_EQ(FormatBytes(1500), "1500b");
  EXPECT_EQ(FormatBytes(16 << 20), "16m");
}

}  // namespace
}  // namespace millrace
