#include "common/function/shippable.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::internal {
namespace {

using std::string;
using std::string_view;

struct WithData {
  int factor = 0;
  int operator()(int x) const { return factor * x; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(factor);
  }
};

struct Stateful {
  int state = 0;
  int operator()(int x) const { return x + state; }
};

TEST(ShippableTest, WhatIsEmptyOrSerializableTravels) {
  int captured = 1;
  const auto empty = [](int x) { return x; };
  const auto capturing = [captured](int x) { return x + captured; };
  EXPECT_TRUE(ShippableFunction<std::remove_const_t<decltype(empty)>>);
  EXPECT_TRUE(ShippableFunction<std::plus<>>);
  EXPECT_TRUE(ShippableFunction<WithData>);
  EXPECT_FALSE(ShippableFunction<std::remove_const_t<decltype(capturing)>>);
  EXPECT_FALSE(ShippableFunction<Stateful>);
  EXPECT_FALSE(ShippableFunction<std::function<int(int)>>);
  EXPECT_FALSE(ShippableFunction<int (*)(int)>);
}

TEST(ShippableTest, FunctionsWithDataComeBack) {
  const string bytes = EncodeFunctions(std::plus<>(), WithData{3}, WithData{4}).bytes;
  Decoder decoder(bytes);
  DecodeFunction<std::plus<>>(decoder);
  EXPECT_EQ(DecodeFunction<WithData>(decoder)(2), 6);
  EXPECT_EQ(DecodeFunction<WithData>(decoder)(2), 8);
  EXPECT_TRUE(decoder.done());
  DecodeFunction<WithData>(decoder);
  EXPECT_TRUE(decoder.failed());
}

// A record of views, given to functions that were written for it in one of the allowed ways.
class CallWithTest : public ::testing::Test {
 protected:
  using Pair = std::pair<string_view, int>;
  using OwnedPair = std::pair<string, int>;
  Pair pair_{"key", 1};
  string_view view_ = "text";
};

TEST_F(CallWithTest, TheRecordsOwnType) {
  EXPECT_EQ(CallWith([](string_view v) { return v.size(); }, view_), 4u);
  EXPECT_EQ(CallWith([](const string_view& v) { return v.size(); }, view_), 4u);
  EXPECT_EQ(CallWith([](const auto& v) { return v.size(); }, view_), 4u);
  EXPECT_EQ(CallWith([](auto v) { return v.size(); }, view_), 4u);
  EXPECT_EQ(CallWith([](const Pair& p) { return p.second; }, pair_), 1);
}

TEST_F(CallWithTest, TheOwnedForm) {
  EXPECT_EQ(CallWith([](string s) { return s + "!"; }, view_), "text!");
  EXPECT_EQ(CallWith([](const string& s) { return s + "!"; }, view_), "text!");
  EXPECT_EQ(CallWith([](OwnedPair p) { return p.first; }, pair_), "key");
  EXPECT_EQ(CallWith([](const OwnedPair& p) { return p.first; }, pair_), "key");
}

TEST_F(CallWithTest, AutoGetsTheRecordItself) {
  CallWith([](auto record) { EXPECT_TRUE((std::is_same_v<decltype(record), string_view>)); },
           view_);
}

TEST_F(CallWithTest, MovesTheRecord) {
  std::vector<int> record(100, 1);
  const int* const memory = record.data();
  const std::vector<int> taken = CallWith([](std::vector<int> v) { return v; }, record);
  EXPECT_EQ(taken.data(), memory);
}

TEST_F(CallWithTest, ConversionsOfTheLanguageHold) {
  int record = 3;
  EXPECT_EQ(CallWith([](double x) { return x / 2; }, record), 1.5);
}

TEST_F(CallWithTest, WhatCannotTakeTheRecordIsKnown) {
  const auto takes_int = [](int) {};
  const auto takes_reference = [](string_view&) {};
  EXPECT_FALSE((CallableWith<decltype(takes_int), string_view>));
  EXPECT_FALSE((CallableWith<decltype(takes_reference), string_view>));
}

TEST_F(CallWithTest, ResultsLoseConstAndReference) {
  const auto identity = [](const string_view& v) -> const string_view& { return v; };
  EXPECT_TRUE((std::is_same_v<ResultOf<decltype(identity), string_view>, string_view>));
}

TEST_F(CallWithTest, TwoArgumentsInAnyMixOfForms) {
  const string owned = "owned";
  EXPECT_EQ(
      CallWith2([](string_view a, string_view b) { return string(a) + string(b); }, view_, view_),
      "texttext");
  EXPECT_EQ(CallWith2([](const string& a, const string& b) { return a + b; }, view_, view_),
            "texttext");
  EXPECT_EQ(CallWith2([](string a, string_view b) { return a + string(b); }, view_, view_),
            "texttext");
  EXPECT_EQ(CallWith2([](string_view a, string b) { return string(a) + b; }, view_, view_),
            "texttext");
  EXPECT_EQ(CallWith2([](const string& a, const string& b) { return a + b; }, owned, view_),
            "ownedtext");
  EXPECT_EQ(
      CallWith2([](string_view a, string_view b) { return string(a) + string(b); }, owned, view_),
      "ownedtext");
}

TEST(FoldIntoTest, FunctionsOfViewsGetTwoViews) {
  string total = "long enough to be in no string object itself: 1";
  const auto generic = [](const auto& a, const auto& b) {
    EXPECT_TRUE((std::is_same_v<decltype(a), decltype(b)>));
    return std::max(a, b);
  };
  FoldInto<string_view>(generic, total, "a");
  EXPECT_EQ(total, "long enough to be in no string object itself: 1");
  FoldInto<string_view>(generic, total, "z");
  EXPECT_EQ(total, "z");
}

TEST(FoldIntoTest, TakesViewsAndOwningResults) {
  using Pair = std::pair<string_view, int>;
  std::pair<string, int> total("a", 1);
  FoldInto<Pair>([](Pair a, Pair b) { return a.second < b.second ? b : a; }, total, Pair("b", 2));
  EXPECT_EQ(total, std::pair(string("b"), 2));
  FoldInto<Pair>(
      [](const auto& a, const auto& b) { return std::pair(string(a.first) + "+", b.second); },
      total, Pair("c", 3));
  EXPECT_EQ(total, std::pair(string("b+"), 3));
  FoldInto<Pair>(
      [](const std::pair<string, int>& a, std::pair<string, int> b) {
        b.first += a.first;
        return b;
      },
      total, Pair("d", 4));
  EXPECT_EQ(total, std::pair(string("db+"), 4));
}

TEST(FoldIntoTest, MovesTheTotalOfOwningRecords) {
  std::vector<int> total(100, 1);
  const int* const memory = total.data();
  FoldInto<std::vector<int>>([](std::vector<int> a, std::vector<int>) { return a; }, total, {2});
  EXPECT_EQ(total.data(), memory);
}

TEST(MergeIntoTest, MergesTwoTotals) {
  string total = "a";
  MergeInto<string_view>(std::plus<>(), total, string("b"));
  EXPECT_EQ(total, "ab");
  int sum = 1;
  MergeInto<int>(std::plus<>(), sum, 2);
  EXPECT_EQ(sum, 3);
}

TEST(FoldStepTest, IsToldByArgumentsAndResult) {
  const auto longer = [](string_view a, string_view b) { return a.size() > b.size() ? a : b; };
  const auto size = [](string_view a, string_view b) { return a.size() + b.size(); };
  EXPECT_TRUE((FoldStep<decltype(longer), string_view, string_view, string>));
  EXPECT_FALSE((FoldStep<decltype(size), string_view, string_view, string>));
  EXPECT_TRUE((FoldStep<decltype(size), string_view, string_view, int64_t>));
  EXPECT_FALSE((FoldStep<std::plus<>, string, int, string>));
}

}  // namespace
}  // namespace millrace::internal
