#include "executor/operator/join.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "common/record/stable_hash.h"
#include "tests/support/fake_task.h"

namespace millrace::internal {
namespace {

using std::string;
using std::string_view;

// What a shuffle would deliver.
template <class K, class V>
FakeNode& Arrived(FakeTask& task, const std::vector<std::pair<Owned<K>, Owned<V>>>& pairs) {
  Encoder encoder;
  for (const auto& [key, value] : pairs) {
    encoder.PutFixed(StableHash(key));
    Encode(encoder, key);
    Encode(encoder, value);
  }
  FakeNode& read = task.Node<ShuffleReadOperator<K, V>>();
  read.read_buffers = {Buffer(encoder.ToString())};
  return read;
}

template <class K, class V>
using Pairs = std::vector<std::pair<K, V>>;

template <JoinKind kind, class K, class V, class W>
auto Join(const Pairs<Owned<K>, Owned<V>>& left, const Pairs<Owned<K>, Owned<W>>& right,
          bool keeps_views = false) {
  using Op = JoinOperator<K, V, W, kind>;
  FakeTask task;
  FakeNode& node = task.Node<Op>("", {&Arrived<K, V>(task, left), &Arrived<K, W>(task, right)});
  auto result = task.Run<typename Op::Out>(node, keeps_views);
  EXPECT_TRUE(task.succeeded);
  std::sort(result.begin(), result.end());
  return result;
}

const Pairs<string, int> kLeft{{"a", 1}, {"b", 2}, {"a", 3}};
const Pairs<string, string> kRight{{"a", "x"}, {"c", "y"}, {"a", "z"}};

TEST(JoinTest, InnerIsTheProductOfAKeysValues) {
  for (const bool keeps_views : {false, true}) {
    const auto result =
        Join<JoinKind::kInner, string_view, int, string_view>(kLeft, kRight, keeps_views);
    EXPECT_EQ(result, (Pairs<string, std::pair<int, string>>{
                          {"a", {1, "x"}}, {"a", {1, "z"}}, {"a", {3, "x"}}, {"a", {3, "z"}}}));
  }
}

TEST(JoinTest, LeftOuterKeepsTheLeftSide) {
  EXPECT_EQ((Join<JoinKind::kLeftOuter, string_view, int, string_view>(kLeft, kRight)),
            (Pairs<string, std::pair<int, std::optional<string>>>{{"a", {1, "x"}},
                                                                  {"a", {1, "z"}},
                                                                  {"a", {3, "x"}},
                                                                  {"a", {3, "z"}},
                                                                  {"b", {2, std::nullopt}}}));
}

TEST(JoinTest, RightOuterKeepsTheRightSide) {
  EXPECT_EQ((Join<JoinKind::kRightOuter, string_view, int, string_view>(kLeft, kRight)),
            (Pairs<string, std::pair<std::optional<int>, string>>{{"a", {1, "x"}},
                                                                  {"a", {1, "z"}},
                                                                  {"a", {3, "x"}},
                                                                  {"a", {3, "z"}},
                                                                  {"c", {std::nullopt, "y"}}}));
}

TEST(JoinTest, FullOuterKeepsBoth) {
  const auto result = Join<JoinKind::kFullOuter, string_view, int, string_view>(kLeft, kRight);
  EXPECT_EQ(result.size(), 6u);
  EXPECT_EQ(result[4].first, "b");
  EXPECT_EQ(result[4].second.second, std::nullopt);
  EXPECT_EQ(result[5].first, "c");
  EXPECT_EQ(result[5].second.first, std::nullopt);
}

TEST(JoinTest, EmptySides) {
  const Pairs<string, int> none;
  EXPECT_TRUE((Join<JoinKind::kInner, string, int, string>(none, kRight)).empty());
  EXPECT_TRUE((Join<JoinKind::kInner, string, int, int>(kLeft, none)).empty());
  EXPECT_EQ((Join<JoinKind::kLeftOuter, string, int, int>(kLeft, none)).size(), 3u);
  EXPECT_EQ((Join<JoinKind::kRightOuter, string, int, string>(none, kRight)).size(), 3u);
  EXPECT_TRUE((Join<JoinKind::kFullOuter, string, int, int>(none, none)).empty());
}

// By nested loops.
template <JoinKind kind>
auto Reference(const Pairs<int, int>& left, const Pairs<int, int>& right) {
  using Values = JoinedValues<int, int, kind>;
  Pairs<int, typename Values::type> result;
  for (const auto& [k, v] : left) {
    bool matched = false;
    for (const auto& [l, w] : right) {
      if (k != l) continue;
      matched = true;
      result.push_back({k, typename Values::type(v, w)});
    }
    if constexpr (Values::kRightMayMiss) {
      if (!matched) result.push_back({k, typename Values::type(v, std::nullopt)});
    }
  }
  if constexpr (Values::kLeftMayMiss) {
    for (const auto& [l, w] : right) {
      const bool matched = std::any_of(left.begin(), left.end(),
                                       [l = l](const auto& pair) { return pair.first == l; });
      if (!matched) result.push_back({l, typename Values::type(std::nullopt, w)});
    }
  }
  std::sort(result.begin(), result.end());
  return result;
}

TEST(JoinTest, AgreesWithNestedLoops) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    const auto make = [&random] {
      Pairs<int, int> pairs(random() % 200);
      const unsigned keys = 1 + random() % 100;
      for (auto& pair : pairs)
        pair = {static_cast<int>(random() % keys), static_cast<int>(random() % 50)};
      return pairs;
    };
    const Pairs<int, int> left = make();
    const Pairs<int, int> right = make();
    EXPECT_EQ((Join<JoinKind::kInner, int, int, int>(left, right)),
              Reference<JoinKind::kInner>(left, right));
    EXPECT_EQ((Join<JoinKind::kLeftOuter, int, int, int>(left, right)),
              Reference<JoinKind::kLeftOuter>(left, right));
    EXPECT_EQ((Join<JoinKind::kRightOuter, int, int, int>(left, right)),
              Reference<JoinKind::kRightOuter>(left, right));
    EXPECT_EQ((Join<JoinKind::kFullOuter, int, int, int>(left, right)),
              Reference<JoinKind::kFullOuter>(left, right));
  }
}

TEST(JoinTest, StopsWhenTheConsumerHasEnough) {
  using Op = JoinOperator<int, int, int, JoinKind::kInner>;
  const Pairs<int, int> ones(100, {1, 1});
  FakeTask task;
  FakeNode& node =
      task.Node<Op>("", {&Arrived<int, int>(task, ones), &Arrived<int, int>(task, ones)});
  EXPECT_EQ(task.Run<Op::Out>(node, false, 5).size(), 5u);
  EXPECT_FALSE(task.succeeded);
  EXPECT_FALSE(task.failed());
}

TEST(CoGroupTest, TwoInputsGiveAPairOfLists) {
  using Op = CoGroupOperator<string_view, int, string_view>;
  for (const bool keeps_views : {false, true}) {
    FakeTask task;
    FakeNode& node = task.Node<Op>("", {&Arrived<string_view, int>(task, kLeft),
                                        &Arrived<string_view, string_view>(task, kRight)});
    auto result = task.Run<Op::Out>(node, keeps_views);
    std::sort(result.begin(), result.end());
    EXPECT_EQ(result, (Pairs<string, std::pair<std::vector<int>, std::vector<string>>>{
                          {"a", {{1, 3}, {"x", "z"}}}, {"b", {{2}, {}}}, {"c", {{}, {"y"}}}}));
  }
}

TEST(CoGroupTest, MoreInputsGiveATuple) {
  using Op = CoGroupOperator<int, int, bool, string>;
  FakeTask task;
  FakeNode& node = task.Node<Op>(
      "", {&Arrived<int, int>(task, {{1, 10}, {1, 11}}), &Arrived<int, bool>(task, {{2, true}}),
           &Arrived<int, string>(task, {{1, "s"}, {3, "t"}})});
  auto result = task.Run<Op::Out>(node);
  std::sort(result.begin(), result.end());
  using Lists = std::tuple<std::vector<int>, std::vector<bool>, std::vector<string>>;
  EXPECT_EQ(result, (Pairs<int, Lists>{
                        {1, {{10, 11}, {}, {"s"}}}, {2, {{}, {true}, {}}}, {3, {{}, {}, {"t"}}}}));
}

TEST(CoGroupTest, OneInputIsEnough) {
  using Op = CoGroupOperator<int, int>;
  FakeTask task;
  FakeNode& node = task.Node<Op>("", {&Arrived<int, int>(task, {{1, 10}, {1, 11}})});
  EXPECT_EQ(task.Run<Op::Out>(node), (Pairs<int, std::tuple<std::vector<int>>>{{1, {{10, 11}}}}));
}

}  // namespace
}  // namespace millrace::internal
