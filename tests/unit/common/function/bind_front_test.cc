#include "common/function/bind_front.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "common/function/shippable.h"

namespace millrace {
namespace {

using std::string;
using std::string_view;

// What arrives at another process.
template <class F>
F Ship(const F& f) {
  const string bytes = internal::EncodeFunctions(f).bytes;
  internal::Decoder decoder(bytes);
  F shipped = internal::DecodeFunction<F>(decoder);
  EXPECT_FALSE(decoder.failed());
  EXPECT_TRUE(decoder.done());
  return shipped;
}

TEST(BindFrontTest, PassesTheValuesFirst) {
  const auto f = BindFront([](int a, const string& b, int c) { return b + std::to_string(a - c); },
                           10, string("b"));
  EXPECT_EQ(Ship(f)(3), "b7");
}

TEST(BindFrontTest, KeepsValuesOwnedAndDecayed) {
  auto f = [] {
    const string text = "a string that is gone when f is called";
    const string_view view = text;
    const char* const pointer = text.c_str();
    return BindFront(
        [](const string& literal, const string& viewed, const string& pointed,
           const std::vector<string>& list, string_view record) {
          return literal + "|" + viewed + "|" + pointed + "|" + list.at(0) + "|" + string(record);
        },
        "literal", view, pointer, std::vector<string_view>{view.substr(0, 1)});
  }();
  const string text = "a string that is gone when f is called";
  EXPECT_EQ(Ship(f)(string_view("record")), "literal|" + text + "|" + text + "|a|record");
}

TEST(BindFrontTest, PassesValuesByConstReference) {
  const auto f = BindFront([](const std::vector<int>& values) { return values.data(); },
                           std::vector<int>{1, 2, 3});
  EXPECT_EQ(f(), f());
}

TEST(BindFrontTest, WorksWithoutValues) {
  EXPECT_EQ(Ship(BindFront([](int x) { return x + 1; }))(1), 2);
}

TEST(BindFrontTest, MayBeGenericOverTheRecord) {
  const auto f = BindFront([](int factor, const auto& x) { return x * factor; }, 3);
  EXPECT_EQ(f(2), 6);
  EXPECT_EQ(f(1.5), 4.5);
}

TEST(BindFrontTest, MovesTheRecordThrough) {
  const auto f = BindFront([](int, std::unique_ptr<int> p) { return *p; }, 1);
  EXPECT_EQ(f(std::make_unique<int>(5)), 5);
}

TEST(BindFrontTest, MayBeBoundAgain) {
  const auto inner = BindFront([](int a, int b) { return a * b; }, 6);
  const auto outer = BindFront([](const decltype(inner)& f, int b) { return f(b) + 1; }, inner);
  EXPECT_EQ(Ship(outer)(7), 43);
}

int Twice(int x) { return 2 * x; }
string_view FirstWord(string_view line) { return line.substr(0, line.find(' ')); }

TEST(FnTest, CallsTheNamedFunction) {
  EXPECT_EQ(Ship(Fn<&Twice>)(4), 8);
  EXPECT_EQ(Fn<&FirstWord>("two words"), "two");
}

TEST(FnTest, IsShippableAndSoIsItsBinding) {
  EXPECT_TRUE(internal::ShippableFunction<std::remove_cvref_t<decltype(Fn<&Twice>)>>);
  EXPECT_EQ(Ship(BindFront(Fn<&Twice>, 21))(), 42);
}

TEST(FnTest, NamesTheTypeToo) { EXPECT_EQ(Fn<&Twice>()(4), 8); }

}  // namespace
}  // namespace millrace
