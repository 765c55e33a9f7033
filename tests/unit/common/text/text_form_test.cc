#include "common/text/text_form.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <cmath>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <ostream>
#include <random>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "common/time/time.h"
#include "proto/plan.pb.h"

namespace millrace {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

TEST(ToTextTest, StringsAreAsTheyAre) {
  EXPECT_EQ(ToText("a, \"b\""s), "a, \"b\"");
  EXPECT_EQ(ToText("view"sv), "view");
  EXPECT_EQ(ToText("literal"), "literal");
  const char* pointer = "pointer";
  EXPECT_EQ(ToText(pointer), "pointer");
  EXPECT_EQ(ToText("nul\0inside"s), "nul\0inside"s);
}

TEST(ToTextTest, IntegersAreDecimal) {
  EXPECT_EQ(ToText(0), "0");
  EXPECT_EQ(ToText(-42), "-42");
  EXPECT_EQ(ToText(std::numeric_limits<int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(ToText(std::numeric_limits<uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(ToText(int8_t{-7}), "-7");
  EXPECT_EQ(ToText(uint8_t{65}), "65");
}

TEST(ToTextTest, CharactersAreText) {
  EXPECT_EQ(ToText('x'), "x");
  EXPECT_EQ(ToText(char8_t{'x'}), "x");
  EXPECT_EQ(ToText(char16_t{0xE9}), "\xC3\xA9");
  EXPECT_EQ(ToText(char32_t{0x20AC}), "\xE2\x82\xAC");
  EXPECT_EQ(ToText(char32_t{0x1F600}), "\xF0\x9F\x98\x80");
  EXPECT_EQ(ToText(char16_t{0xD800}), "\xEF\xBF\xBD");
}

TEST(ToTextTest, BoolsAreWords) {
  EXPECT_EQ(ToText(true), "true");
  EXPECT_EQ(ToText(false), "false");
  EXPECT_EQ(ToText(std::vector<bool>{true, false}), "[true,false]");
}

TEST(ToTextTest, FloatsHaveTheFewestDigitsAndAPointWhenWhole) {
  EXPECT_EQ(ToText(0.1), "0.1");
  EXPECT_EQ(ToText(0.1f), "0.1");
  EXPECT_EQ(ToText(2.0), "2.0");
  EXPECT_EQ(ToText(-2.0f), "-2.0");
  EXPECT_EQ(ToText(0.0), "0.0");
  EXPECT_EQ(ToText(-0.0), "-0.0");
  EXPECT_EQ(ToText(1.0 / 3), "0.3333333333333333");
  EXPECT_EQ(ToText(100000.0), "100000.0");
  EXPECT_EQ(ToText(1e6f), "1000000.0");
  EXPECT_EQ(ToText(123456789.25), "123456789.25");
  EXPECT_EQ(ToText(9007199254740993.0), "9007199254740992.0");
  EXPECT_EQ(ToText(0.0001), "0.0001");
  EXPECT_EQ(ToText(2.5L), "2.5");
}

TEST(ToTextTest, VeryLargeAndVerySmallFloatsHaveAnExponent) {
  EXPECT_EQ(ToText(9999999999999998.0), "9999999999999998.0");
  EXPECT_EQ(ToText(1e16), "1e+16");
  EXPECT_EQ(ToText(1e300), "1e+300");
  EXPECT_EQ(ToText(-1.5e300), "-1.5e+300");
  EXPECT_EQ(ToText(0.00001), "1e-05");
  EXPECT_EQ(ToText(std::numeric_limits<double>::denorm_min()), "5e-324");
  EXPECT_EQ(ToText(std::numeric_limits<float>::max()), "3.4028235e+38");
}

TEST(ToTextTest, NonFiniteFloatsHaveNames) {
  EXPECT_EQ(ToText(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(ToText(-std::numeric_limits<float>::infinity()), "-inf");
  EXPECT_EQ(ToText(std::nan("")), "nan");
  EXPECT_EQ(ToText(-std::nan("")), "nan");
}

template <class Float, class Bits>
void ExpectAllReadBack(uint64_t seed) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20000; ++i) {
    const auto value = std::bit_cast<Float>(static_cast<Bits>(random()));
    if (std::isnan(value)) continue;
    const std::string text = ToText(value);
    Float back = 0;
    ASSERT_EQ(std::from_chars(text.data(), text.data() + text.size(), back).ptr,
              text.data() + text.size())
        << text;
    ASSERT_EQ(back, value) << text;
  }
}

TEST(ToTextTest, FloatsReadBackTheSame) {
  ExpectAllReadBack<double, uint64_t>(1);
  ExpectAllReadBack<float, uint32_t>(2);
}

enum class Color : char { kRed = 'r', kBlue = 2 };
enum Plain { kZero, kOne };

TEST(ToTextTest, EnumsAreTheirNumber) {
  EXPECT_EQ(ToText(Color::kBlue), "2");
  EXPECT_EQ(ToText(Color::kRed), "114");
  EXPECT_EQ(ToText(kOne), "1");
  EXPECT_EQ(ToText(std::byte{255}), "255");
  enum class Flag : bool { kOff, kOn };
  EXPECT_EQ(ToText(Flag::kOn), "1");
}

TEST(ToTextTest, PairsAndTuplesAreInParentheses) {
  EXPECT_EQ(ToText(std::pair("hello"sv, int64_t{1})), "(hello,1)");
  EXPECT_EQ(ToText(std::tuple(1, 2.0, "x"s, true)), "(1,2.0,x,true)");
  EXPECT_EQ(ToText(std::tuple<>()), "()");
  EXPECT_EQ(ToText(std::tuple(7)), "(7)");
  EXPECT_EQ(ToText(std::pair("k"s, std::pair(1, std::pair(2, 3)))), "(k,(1,(2,3)))");
}

TEST(ToTextTest, SequencesAndSetsAreInBrackets) {
  EXPECT_EQ(ToText(std::vector<int>{}), "[]");
  EXPECT_EQ(ToText(std::vector{1, 2, 3}), "[1,2,3]");
  EXPECT_EQ(ToText(std::array<std::string, 2>{"a", "b"}), "[a,b]");
  EXPECT_EQ(ToText(std::deque{1.5}), "[1.5]");
  EXPECT_EQ(ToText(std::list{'a', 'b'}), "[a,b]");
  EXPECT_EQ(ToText(std::set{3, 1, 2}), "[1,2,3]");
  const std::vector<int> values = {4, 5};
  EXPECT_EQ(ToText(std::span(values)), "[4,5]");
  EXPECT_EQ(ToText(std::vector<std::vector<int>>{{1}, {}, {2, 3}}), "[[1],[],[2,3]]");
}

TEST(ToTextTest, MapsAreInBraces) {
  EXPECT_EQ(ToText(std::map<std::string, int>{{"b", 2}, {"a", 1}}), "{a:1,b:2}");
  EXPECT_EQ(ToText(std::unordered_map<int, std::vector<int>>{{1, {2, 3}}}), "{1:[2,3]}");
  EXPECT_EQ(ToText(std::multimap<int, int>{}), "{}");
}

TEST(ToTextTest, OptionalsSayWhetherTheyHold) {
  EXPECT_EQ(ToText(std::optional(5)), "some(5)");
  EXPECT_EQ(ToText(std::optional<int>()), "none");
  EXPECT_EQ(ToText(std::optional<std::optional<int>>(std::optional<int>())), "some(none)");
}

TEST(ToTextTest, VariantsAreTheValueTheyHold) {
  using Value = std::variant<std::monostate, int, std::string>;
  EXPECT_EQ(ToText(Value(5)), "5");
  EXPECT_EQ(ToText(Value("x"s)), "x");
  EXPECT_EQ(ToText(Value()), "none");
}

TEST(ToTextTest, MessagesAreTheirDebugString) {
  proto::BlockId id;
  id.set_stream_id(3);
  id.set_sequence(17);
  EXPECT_EQ(ToText(id), "stream_id: 3 sequence: 17");
}

struct Point {
  int x, y;
  template <class Sink>
  friend void AbslStringify(Sink& sink, const Point& point) {
    absl::Format(&sink, "<%d %d>", point.x, point.y);
  }
  // Not used: AbslStringify comes first.
  [[maybe_unused]] friend std::ostream& operator<<(std::ostream& os, const Point&) {
    return os << "streamed";
  }
};

struct Pieces {
  template <class Sink>
  friend void AbslStringify(Sink& sink, const Pieces&) {
    sink.Append("literal ");
    sink.Append(std::string("string "));
    sink.Append(absl::string_view("absl "));
    sink.Append(std::string_view("std"));
    sink.Append(3, '!');
  }
};

struct Streamed {
  int value;
  friend std::ostream& operator<<(std::ostream& os, const Streamed& s) {
    return os << "streamed " << s.value << std::string_view(" and ") << 1234567;
  }
};

TEST(ToTextTest, StructsSayThemselvesWhatTheyLookLike) {
  EXPECT_EQ(ToText(Point{1, 2}), "<1 2>");
  EXPECT_EQ(ToText(Pieces{}), "literal string absl std!!!");
  EXPECT_EQ(ToText(Streamed{5}), "streamed 5 and 1234567");
  EXPECT_EQ(ToText(std::vector{std::optional(Streamed{5})}), "[some(streamed 5 and 1234567)]");
  EXPECT_EQ(ToText(Time(1000)), "1000 ms");
}

// A container of the user's own may still choose.
struct Path : std::vector<int> {
  using std::vector<int>::vector;
  template <class Sink>
  friend void AbslStringify(Sink& sink, const Path& path) {
    sink.Append(std::to_string(path.size()) + " steps");
  }
};

TEST(ToTextTest, AContainerWithAFormOfItsOwnHasThat) { EXPECT_EQ(ToText(Path{7, 8}), "2 steps"); }

TEST(HasTextFormTest, LooksIntoEveryPart) {
  struct Silent {};
  EXPECT_TRUE((internal::HasTextForm<std::map<std::string, std::optional<double>>>()));
  EXPECT_TRUE((internal::HasTextForm<std::vector<Path>>()));
  EXPECT_FALSE(internal::HasTextForm<Silent>());
  EXPECT_FALSE((internal::HasTextForm<std::pair<int, Silent>>()));
  EXPECT_FALSE((internal::HasTextForm<std::tuple<std::vector<Silent>>>()));
  EXPECT_FALSE((internal::HasTextForm<std::variant<int, Silent>>()));
  EXPECT_FALSE((internal::HasTextForm<std::map<int, Silent>>()));
  EXPECT_FALSE(internal::HasTextForm<int*>());
}

TEST(AppendTextTest, KeepsWhatWasThere) {
  std::string out = "x=";
  internal::AppendText(out, 5);
  internal::AppendText(out, Streamed{1});
  EXPECT_EQ(out, "x=5streamed 1 and 1234567");
}

}  // namespace
}  // namespace millrace
