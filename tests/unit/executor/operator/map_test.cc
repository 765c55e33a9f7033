#include "executor/operator/map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

#include "common/function/bind_front.h"
#include "tests/support/fake_task.h"

namespace millrace::internal {
namespace {

using std::string;
using std::string_view;
using ::testing::HasSubstr;

const Chunks<string_view> kWords{{"one", "two"}, {}, {"three"}};

template <class T, class F>
auto RunMap(FakeTask& task, Chunks<T> chunks, F f, bool keeps_views = false) {
  using Op = MapOperator<T, F>;
  return task.Run<typename Op::Out>(
      task.Node<Op>(EncodeFunctions(f), {&task.Feed<T>(std::move(chunks))}), keeps_views);
}

template <class T, class F>
auto RunFilter(FakeTask& task, Chunks<T> chunks, F f, bool keeps_views = false) {
  return task.Run<T>(
      task.Node<FilterOperator<T, F>>(EncodeFunctions(f), {&task.Feed<T>(std::move(chunks))}),
      keeps_views);
}

template <class T, class F>
auto RunFlatMap(FakeTask& task, Chunks<T> chunks, F f, bool keeps_views = false) {
  using Op = FlatMapOperator<T, F>;
  return task.Run<typename Op::Out>(
      task.Node<Op>(EncodeFunctions(f), {&task.Feed<T>(std::move(chunks))}), keeps_views);
}

TEST(MapTest, KeepsTheOrder) {
  FakeTask task;
  EXPECT_EQ(RunMap<int>(task, {{1, 2}, {3}}, [](int x) { return x * 10; }),
            (std::vector<int>{10, 20, 30}));
  EXPECT_TRUE(task.succeeded);
}

TEST(MapTest, ManyChunksOfManyRecords) {
  Chunks<int> chunks;
  std::vector<int> expected;
  for (int size : {1, 1024, 1023, 1025, 5000, 0, 7}) {
    chunks.emplace_back();
    for (int i = 0; i < size; ++i) {
      chunks.back().push_back(static_cast<int>(expected.size()));
      expected.push_back(static_cast<int>(expected.size()) + 1);
    }
  }
  FakeTask task;
  EXPECT_EQ(RunMap<int>(task, chunks, [](int x) { return x + 1; }), expected);
}

TEST(MapTest, ViewsGoThroughKeptOrNot) {
  for (const bool keeps_views : {false, true}) {
    FakeTask task;
    const auto result = RunMap<string_view>(
        task, kWords, [](string_view word) { return std::pair(word.substr(1), word.size()); },
        keeps_views);
    EXPECT_EQ(result, (std::vector<std::pair<string, size_t>>{{"ne", 3}, {"wo", 3}, {"hree", 5}}));
  }
}

TEST(MapTest, TheFunctionMayTakeTheOwnedForm) {
  FakeTask task;
  EXPECT_EQ(RunMap<string_view>(task, kWords, [](string word) { return word + "!"; }),
            (std::vector<string>{"one!", "two!", "three!"}));
  EXPECT_EQ(RunMap<string_view>(task, kWords, [](const string& word) { return word.size(); }),
            (std::vector<size_t>{3, 3, 5}));
}

TEST(MapTest, CarriesBoundValues) {
  FakeTask task;
  EXPECT_EQ(RunMap<int>(task, {{1, 2}}, BindFront([](int a, int x) { return a + x; }, 40)),
            (std::vector<int>{41, 42}));
}

TEST(MapTest, AnErrorFailsTheTaskAndIsBlamedOnTheOperator) {
  FakeTask task;
  const auto result = RunMap<int>(task, {{1, 2, 3}}, [](int x) -> absl::StatusOr<int> {
    if (x == 2) return absl::InvalidArgumentError("two is not allowed");
    return x;
  });
  EXPECT_FALSE(task.succeeded);
  EXPECT_EQ(task.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(task.status().message(), "an operator: two is not allowed");
}

TEST(MapTest, ResultsInStatusOrAreUnwrapped) {
  FakeTask task;
  EXPECT_EQ(
      RunMap<int>(task, {{1}}, [](int x) -> absl::StatusOr<string> { return string(3, '0' + x); }),
      (std::vector<string>{"111"}));
}

TEST(MapTest, AnExceptionPassesThroughAndLeavesNothingBehind) {
  FakeTask task;
  // Results that own memory: the ones made before the throw must be freed.
  const auto throws = [](int x) {
    if (x == 3) throw std::runtime_error("three");
    return string(100, 'x');
  };
  EXPECT_THROW(RunMap<int>(task, {{1, 2, 3}}, throws), std::runtime_error);
}

TEST(MapTest, StopsWhenTheConsumerHasEnough) {
  FakeTask task;
  FakeNode& feed = task.Feed<int>({{1, 2}, {3, 4}, {5, 6}});
  const auto f = [](int x) { return x; };
  FakeNode& map = task.Node<MapOperator<int, decltype(f)>>("", {&feed});
  EXPECT_EQ(task.Run<int>(map, false, 3), (std::vector<int>{1, 2, 3}));
  EXPECT_FALSE(task.succeeded);
  EXPECT_FALSE(task.failed());
}

TEST(MapTest, APlanOfAnotherProgramIsRefused) {
  const auto f = [](int x) { return x; };
  FakeTask task;
  FakeNode& map = task.Node<MapOperator<int, decltype(f)>>("", {&task.Feed<int>({{1}})});
  task.Run<string>(map);
  EXPECT_EQ(task.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(string(task.status().message()), HasSubstr("not made by this binary"));

  FakeTask other;
  const auto bound = BindFront([](int a, int x) { return a + x; }, 1);
  FakeNode& cut = other.Node<MapOperator<int, std::remove_const_t<decltype(bound)>>>(
      "\x01", {&other.Feed<int>({{1}})});
  other.Run<int>(cut);
  EXPECT_EQ(other.status().code(), absl::StatusCode::kInternal);
}

TEST(FilterTest, KeepsWhatTheFunctionSays) {
  FakeTask task;
  EXPECT_EQ(RunFilter<int>(task, {{1, 2, 3}, {}, {4, 5}}, [](int x) { return x % 2 == 1; }),
            (std::vector<int>{1, 3, 5}));
  EXPECT_EQ(RunFilter<int>(task, {{1, 2}}, [](int) { return false; }), std::vector<int>{});
  EXPECT_EQ(RunFilter<int>(task, {{1, 2}}, [](int) { return true; }), (std::vector<int>{1, 2}));
}

TEST(FilterTest, MovesRecordsThatCannotBeCopiedBytewise) {
  FakeTask task;
  const Chunks<string> chunks{{string(100, 'a'), "b", string(100, 'c')}};
  EXPECT_EQ(RunFilter<string>(task, chunks, [](const string& s) { return s != "b"; }),
            (std::vector<string>{string(100, 'a'), string(100, 'c')}));
}

TEST(FilterTest, TheFunctionMayTakeTheOwnedForm) {
  for (const bool keeps_views : {false, true}) {
    FakeTask task;
    EXPECT_EQ(RunFilter<string_view>(
                  task, kWords, [](const string& s) { return s != "two"; }, keeps_views),
              (std::vector<string>{"one", "three"}));
  }
}

TEST(FilterTest, AnErrorFailsTheTask) {
  FakeTask task;
  RunFilter<int>(task, {{1}},
                 [](int) -> absl::StatusOr<bool> { return absl::OutOfRangeError("no verdict"); });
  EXPECT_FALSE(task.succeeded);
  EXPECT_EQ(task.status().code(), absl::StatusCode::kOutOfRange);
}

TEST(FlatMapTest, AnyRangeWillDo) {
  FakeTask task;
  EXPECT_EQ(RunFlatMap<int>(task, {{1, 2}, {0}}, [](int n) { return std::vector<int>(n, n); }),
            (std::vector<int>{1, 2, 2}));
  EXPECT_EQ(RunFlatMap<int>(task, {{2}}, [](int n) { return std::list<string>(n, "x"); }),
            (std::vector<string>{"x", "x"}));
  static const std::vector<int> shared{7, 8};
  EXPECT_EQ(RunFlatMap<int>(task, {{1, 1}}, [](int) -> const std::vector<int>& { return shared; }),
            (std::vector<int>{7, 8, 7, 8}));
  EXPECT_EQ(RunFlatMap<int>(task, {{3}}, [](int n) { return std::vector<bool>(n, true); }),
            (std::vector<bool>{true, true, true}));
}

// Clang before 16 cannot read the views of libstdc++.
#if !defined(__clang__) || __clang_major__ >= 16
TEST(FlatMapTest, AViewWillDo) {
  FakeTask task;
  EXPECT_EQ(RunFlatMap<int>(task, {{3}}, [](int n) { return std::views::iota(0, n); }),
            (std::vector<int>{0, 1, 2}));
}
#endif

TEST(FlatMapTest, ViewsOfTheInputGoThroughKeptOrNot) {
  const auto letters = [](string_view word) {
    std::vector<string_view> parts;
    for (size_t i = 0; i < word.size(); ++i) parts.push_back(word.substr(i, 1));
    return parts;
  };
  for (const bool keeps_views : {false, true}) {
    FakeTask task;
    EXPECT_EQ(RunFlatMap<string_view>(task, {{"ab"}, {"c"}}, letters, keeps_views),
              (std::vector<string>{"a", "b", "c"}));
  }
}

TEST(FlatMapTest, RangesInStatusOr) {
  FakeTask task;
  const auto f = [](int x) -> absl::StatusOr<std::vector<int>> {
    if (x < 0) return absl::InvalidArgumentError("negative");
    return std::vector<int>(2, x);
  };
  EXPECT_EQ(RunFlatMap<int>(task, {{1}}, f), (std::vector<int>{1, 1}));
  RunFlatMap<int>(task, {{-1}}, f);
  EXPECT_EQ(task.status().code(), absl::StatusCode::kInvalidArgument);
}

template <class Out, class T, class F>
std::vector<Owned<Out>> RunEmit(FakeTask& task, Chunks<T> chunks, F /*f*/,
                                size_t stop_after = static_cast<size_t>(-1)) {
  return task.Run<Out>(task.Node<EmitMapOperator<T, Out, F>>("", {&task.Feed<T>(chunks)}), false,
                       stop_after);
}

TEST(EmitMapTest, EmitsAnyNumberOfRecords) {
  FakeTask task;
  EXPECT_EQ((RunEmit<int, int>(task, {{3, 0}, {1}},
                               [](int n, Emitter<int>& emit) {
                                 for (int i = 0; i < n; ++i) emit(i);
                               })),
            (std::vector<int>{0, 1, 2, 0}));
}

TEST(EmitMapTest, TakesTheOwnedFormAndReturnsAStatus) {
  FakeTask task;
  EXPECT_EQ((RunEmit<string, string_view>(task, kWords,
                                          [](const string& word, Emitter<string>& emit) {
                                            emit(word + "?");
                                            return absl::OkStatus();
                                          })),
            (std::vector<string>{"one?", "two?", "three?"}));
  RunEmit<string, string_view>(
      task, kWords, [](string_view, Emitter<string>&) { return absl::UnavailableError("gone"); });
  EXPECT_EQ(task.status().code(), absl::StatusCode::kUnavailable);
}

TEST(EmitMapTest, AnEmitterSaysThatNobodyWantsMore) {
  FakeTask task;
  const auto result = RunEmit<int, int>(
      task, {{1}},
      [](int, Emitter<int>& emit) {
        for (int i = 0; i < 100'000 && !emit.stopped(); ++i) emit(i);
        EXPECT_TRUE(emit.stopped());
        emit(-1);
      },
      /*stop_after=*/10);
  EXPECT_EQ(result.size(), 10u);
}

}  // namespace
}  // namespace millrace::internal
