#include "common/record/owned.h"

#include <gtest/gtest.h>

#include <deque>
#include <forward_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace millrace {
namespace {

using std::string;
using std::string_view;

template <class T, class Expected>
constexpr bool kOwns = std::is_same_v<Owned<T>, Expected>;

TEST(OwnedTest, ViewsBecomeStringsThroughEverything) {
  EXPECT_TRUE((kOwns<string_view, string>));
  EXPECT_TRUE((kOwns<std::pair<string_view, int>, std::pair<string, int>>));
  EXPECT_TRUE((kOwns<std::tuple<int, string_view>, std::tuple<int, string>>));
  EXPECT_TRUE((kOwns<std::optional<string_view>, std::optional<string>>));
  EXPECT_TRUE((kOwns<std::variant<int, string_view>, std::variant<int, string>>));
  EXPECT_TRUE((kOwns<std::array<string_view, 2>, std::array<string, 2>>));
  EXPECT_TRUE((kOwns<std::vector<string_view>, std::vector<string>>));
  EXPECT_TRUE((kOwns<std::deque<std::vector<string_view>>, std::deque<std::vector<string>>>));
  EXPECT_TRUE((kOwns<std::set<string_view>, std::set<string>>));
  EXPECT_TRUE((kOwns<std::map<string_view, string_view>, std::map<string, string>>));
  EXPECT_TRUE((kOwns<std::unordered_map<int, string_view>, std::unordered_map<int, string>>));
}

TEST(OwnedTest, WhatHoldsNoViewStaysAsItIs) {
  struct Struct {};
  EXPECT_TRUE((kOwns<int, int>));
  EXPECT_TRUE((kOwns<string, string>));
  EXPECT_TRUE((kOwns<Struct, Struct>));
  using Reversed = std::map<int, int, std::greater<>>;
  EXPECT_TRUE((kOwns<Reversed, Reversed>));
  EXPECT_TRUE((kOwns<Owned<std::vector<string_view>>, std::vector<string>>));
}

// Owns a copy of `value`, whose views are of memory that is gone afterwards.
template <class T>
Owned<T> Copy(T (*make)(string_view)) {
  auto text = std::make_unique<string>("text");
  Owned<T> owned = internal::ToOwned(make(*text));
  std::fill(text->begin(), text->end(), '?');
  return owned;
}

TEST(ToOwnedTest, CopiesWhatIsViewed) {
  EXPECT_EQ(Copy<string_view>([](string_view t) { return t; }), "text");
  EXPECT_EQ((Copy<std::pair<string_view, int>>([](string_view t) { return std::pair(t, 1); })),
            std::pair(string("text"), 1));
  EXPECT_EQ((Copy<std::tuple<int, string_view>>([](string_view t) { return std::tuple(1, t); })),
            std::tuple(1, string("text")));
  EXPECT_EQ(Copy<std::optional<string_view>>([](string_view t) { return std::optional(t); }),
            "text");
  EXPECT_EQ(
      Copy<std::optional<string_view>>([](string_view) { return std::optional<string_view>(); }),
      std::nullopt);
  using Array = std::array<string_view, 2>;
  EXPECT_EQ(Copy<Array>([](string_view t) {
              return Array{t, t};
            }),
            (std::array<string, 2>{"text", "text"}));
  using List = std::vector<std::vector<string_view>>;
  EXPECT_EQ(Copy<List>([](string_view t) {
              return List{{t}, {}};
            }),
            (std::vector<std::vector<string>>{{"text"}, {}}));
  using Forward = std::forward_list<string_view>;
  EXPECT_EQ(Copy<Forward>([](string_view t) {
              return Forward{t, t.substr(1)};
            }),
            (std::forward_list<string>{"text", "ext"}));
  using Map = std::map<string_view, string_view>;
  EXPECT_EQ(Copy<Map>([](string_view t) {
              return Map{{t, t.substr(2)}};
            }),
            (std::map<string, string>{{"text", "xt"}}));
  using Set = std::set<string_view>;
  EXPECT_EQ(Copy<Set>([](string_view t) { return Set{t}; }), (std::set<string>{"text"}));
}

TEST(ToOwnedTest, AVariantKeepsItsAlternative) {
  using Variant = std::variant<string_view, string, string_view>;
  for (const size_t index : {0, 1, 2}) {
    Variant variant;
    if (index == 0) variant.emplace<0>("a");
    if (index == 1) variant.emplace<1>("a");
    if (index == 2) variant.emplace<2>("a");
    const auto owned = internal::ToOwned(variant);
    EXPECT_TRUE((std::is_same_v<decltype(owned), const std::variant<string, string, string>>));
    EXPECT_EQ(owned.index(), index);
  }
}

TEST(ToOwnedTest, MovesWhatIsOwnedAlready) {
  std::vector<int> values(100, 7);
  const int* const memory = values.data();
  EXPECT_EQ(internal::ToOwned(std::move(values)).data(), memory);

  std::pair<string_view, std::vector<int>> pair("key", std::vector<int>(100, 7));
  const int* const pair_memory = pair.second.data();
  EXPECT_EQ(internal::ToOwned(std::move(pair)).second.data(), pair_memory);
}

TEST(ViewOfTest, ViewsWhatOwns) {
  using Record =
      std::tuple<string_view, std::pair<int, std::optional<string_view>>,
                 std::vector<std::variant<int, string_view>>, std::map<string_view, int>,
                 std::array<string_view, 2>, std::forward_list<string_view>, std::vector<int>>;
  const Owned<Record> owned{"text",     {1, "option"},       {2, "held"}, {{"key", 3}},
                            {"a", "b"}, {"first", "second"}, {4, 5}};
  const Record view = internal::ViewOf<Record>(owned);
  EXPECT_EQ(view, (Record{"text",
                          {1, "option"},
                          {2, "held"},
                          {{"key", 3}},
                          {"a", "b"},
                          {"first", "second"},
                          {4, 5}}));
  EXPECT_EQ(std::get<0>(view).data(), std::get<0>(owned).data());
  EXPECT_EQ(std::get<1>(view).second->data(), std::get<1>(owned).second->data());
  EXPECT_EQ(std::get<3>(view).begin()->first.data(), std::get<3>(owned).begin()->first.data());
  EXPECT_EQ(std::get<5>(view).front().data(), std::get<5>(owned).front().data());
}

TEST(ViewOfTest, IsTheRecordItselfWhereItHoldsNoViews) {
  const std::vector<string> record{"text"};
  EXPECT_EQ(&internal::ViewOf<std::vector<string>>(record), &record);
}

TEST(OwnedAsTest, OwnsResultsOfEitherForm) {
  using internal::OwnedAs;
  EXPECT_EQ(OwnedAs<string>(string_view("text")), "text");
  EXPECT_EQ(OwnedAs<string>("text"), "text");
  EXPECT_EQ(OwnedAs<int64_t>(3), 3);
  EXPECT_EQ((OwnedAs<std::pair<string, int64_t>>(std::pair(string_view("text"), 1))),
            (std::pair<string, int64_t>("text", 1)));
  EXPECT_EQ((OwnedAs<std::vector<string>>(std::vector<string_view>{"text"})),
            std::vector<string>{"text"});
}

}  // namespace
}  // namespace millrace
