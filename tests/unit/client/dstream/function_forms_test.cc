// The forms in which functions of streams may be written: for the record type or for its owning
// form, by value, by const reference or as auto; and what the streams are then of.
#include <millrace/testing.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using std::string;
using std::string_view;
using ::testing::ElementsAre;
using ::testing::Pair;
using testing::StreamHarness;
using testing::StreamOutput;
using ::testing::UnorderedElementsAre;

using Count = std::pair<string_view, int64_t>;

string_view First(string_view text) { return text.substr(0, 1); }
int64_t Size(const string& text) { return static_cast<int64_t>(text.size()); }
bool IsLong(string text) { return text.size() > 2; }

struct Contains {
  string part;
  bool operator()(string_view text) const { return millrace::Contains(text, part); }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(part);
  }
};

class FunctionFormsTest : public ::testing::Test {
 protected:
  // What a stream has in its first batch.
  template <class T>
  StreamOutput<Owned<T>> Out(const DStream<T>& stream) {
    return harness_.Output(stream);
  }
  void Run(int batches = 1) {
    const absl::Status status = harness_.RunBatches(batches);
    ASSERT_TRUE(status.ok()) << status;
  }

  const TempDir checkpoint_dir_;
  StreamHarness harness_{1s, {.checkpoint_dir = checkpoint_dir_.path()}};
  DStream<string_view> words_ = harness_.Input<string_view>({{"pear", "fig"}, {"fig"}}, 1);
  DStream<Count> counts_ = harness_.Input<Count>({{{"fig", 1}, {"pear", 2}, {"fig", 3}}}, 2);
  DStream<std::pair<int64_t, string_view>> named_ =
      harness_.Input<std::pair<int64_t, string_view>>({{{1, "b"}, {1, "c"}, {1, "a"}}}, 2);
};

TEST_F(FunctionFormsTest, MapTakesTheRecordInAnyForm) {
  const auto lines = std::vector<string>{"pear", "fig"};
  const std::vector outputs{
      Out(words_.Map([](string_view word) { return string(word); })),
      Out(words_.Map([](const string_view& word) { return string(word); })),
      Out(words_.Map([](string word) { return word; })),
      Out(words_.Map([](const string& word) { return word; })),
      Out(words_.Map([](string&& word) { return std::move(word); })),
      Out(words_.Map([](auto word) { return word; })),
      Out(words_.Map([](const auto& word) { return word; })),
      Out(words_.Map([](auto&& word) { return string(word); })),
      Out(words_.Map([](string_view word) -> absl::StatusOr<string> { return string(word); })),
  };
  Run();
  for (const auto& output : outputs) EXPECT_EQ(output.batches()[0], lines);
}

TEST_F(FunctionFormsTest, StreamsAreOfWhatTheFunctionReturned) {
  const auto view = words_.Map([](const auto& word) { return word; });
  EXPECT_TRUE((std::is_same_v<decltype(view), const DStream<string_view>>));
  const auto owned = words_.Map([](string word) { return word; });
  EXPECT_TRUE((std::is_same_v<decltype(owned), const DStream<string>>));
  const auto pair = words_.Map([](string_view word) { return std::pair(word, int64_t{1}); });
  EXPECT_TRUE((std::is_same_v<decltype(pair), const DStream<Count>>));
  const auto result = words_.Map([](string_view) -> absl::StatusOr<int> { return 1; });
  EXPECT_TRUE((std::is_same_v<decltype(result), const DStream<int>>));
}

TEST_F(FunctionFormsTest, NamedAndBoundFunctionsTravelWithTheirData) {
  auto first = Out(words_.Map(Fn<&First>));
  auto size = Out(words_.Map(Fn<&Size>));
  auto is_long = Out(words_.Map([](string_view) { return string_view("xy"); }).Filter(Fn<&IsLong>));
  auto functor = Out(words_.Filter(Contains{"ea"}));
  auto literal = Out(words_.Map(
      BindFront([](const string& tail, string_view word) { return string(word) + tail; }, "!")));
  auto owned = Out(
      words_.Map(BindFront([](int n, const std::vector<string>& tails,
                              const string& word) { return word + tails[static_cast<size_t>(n)]; },
                           1, std::vector<string>{"", "?"})));
  Run();
  EXPECT_THAT(first.batches()[0], ElementsAre("p", "f"));
  EXPECT_THAT(size.batches()[0], ElementsAre(4, 3));
  EXPECT_THAT(is_long.batches()[0], ElementsAre());
  EXPECT_THAT(functor.batches()[0], ElementsAre("pear"));
  EXPECT_THAT(literal.batches()[0], ElementsAre("pear!", "fig!"));
  EXPECT_THAT(owned.batches()[0], ElementsAre("pear?", "fig?"));
}

TEST_F(FunctionFormsTest, FilterTakesTheRecordInAnyForm) {
  const std::vector outputs{
      Out(words_.Filter([](string_view word) { return word != "fig"; })),
      Out(words_.Filter([](const string_view& word) { return word != "fig"; })),
      Out(words_.Filter([](string word) { return word != "fig"; })),
      Out(words_.Filter([](const string& word) { return word != "fig"; })),
      Out(words_.Filter([](auto word) { return word != "fig"; })),
      Out(words_.Filter([](const auto& word) { return word != "fig"; })),
      Out(words_.Filter([](string_view word) -> absl::StatusOr<bool> { return word != "fig"; })),
  };
  Run();
  for (const auto& output : outputs) EXPECT_THAT(output.batches()[0], ElementsAre("pear"));
}

TEST_F(FunctionFormsTest, FlatMapMakesRecordsOfRangesAndEmitters) {
  const auto letters = std::vector<string>{"p", "r", "f", "g"};
  const std::vector outputs{
      Out(words_.FlatMap([](string_view word) {
        return std::vector{string(1, word.front()), string(1, word.back())};
      })),
      Out(words_.FlatMap([](const string& word) -> absl::StatusOr<std::vector<string>> {
        return std::vector{string(1, word.front()), string(1, word.back())};
      })),
      Out(words_.FlatMap<string>([](string_view word, Emitter<string>& emit) {
        emit(string(1, word.front()));
        emit(string(1, word.back()));
      })),
      Out(words_.FlatMap<string>([](const string& word, auto& emit) {
        emit(word.substr(0, 1));
        emit(word.substr(word.size() - 1));
        return absl::OkStatus();
      })),
      Out(words_.MapPartitions<string>(
          [](PartitionReader<string_view>& words, Emitter<string>& emit) {
            for (const string_view& word : words) {
              emit(string(1, word.front()));
              emit(string(1, word.back()));
            }
          })),
  };
  Run();
  for (const auto& output : outputs) EXPECT_EQ(output.batches()[0], letters);
}

// The elements of a map have a const key; records do not.
TEST_F(FunctionFormsTest, TheRecordsOfAMapAreItsPairs) {
  auto stream = words_.FlatMap([](const string& word) { return std::map<string, int>{{word, 1}}; });
  EXPECT_TRUE((std::is_same_v<decltype(stream), DStream<std::pair<string, int>>>));
  auto output = Out(stream);
  Run();
  EXPECT_THAT(output.batches()[0], ElementsAre(Pair("pear", 1), Pair("fig", 1)));
}

TEST_F(FunctionFormsTest, FoldsTakeBothInOneFormAndReturnEither) {
  const std::vector outputs{
      Out(named_.ReduceByKey([](string_view a, string_view b) { return std::max(a, b); })),
      Out(named_.ReduceByKey([](const auto& a, const auto& b) { return std::max(a, b); })),
      Out(named_.ReduceByKey([](string a, string b) { return std::max(a, b); })),
      Out(named_.ReduceByKey([](const string& a, const string& b) { return std::max(a, b); })),
      Out(named_.ReduceByKey([](string_view a, string_view b) { return string(std::max(a, b)); },
                             3)),
      Out(named_.ReduceByKeyAndWindow([](auto a, auto b) { return std::max(a, b); }, 2s, 1s)),
      Out(named_.Reduce([](const auto& a, const auto& b) { return a.second > b.second ? a : b; })),
      Out(named_.ReduceByWindow(
          [](const std::pair<int64_t, string>& a, const std::pair<int64_t, string>& b) {
            return a.second > b.second ? a : b;
          },
          2s, 1s)),
  };
  Run();
  for (const auto& output : outputs) EXPECT_THAT(output.batches()[0], ElementsAre(Pair(1, "c")));
}

TEST_F(FunctionFormsTest, CombinersAreOwningWhateverTheFunctionsReturn) {
  auto views = named_.CombineByKey([](string_view v) { return v; },
                                   [](string_view c, string_view v) { return std::max(c, v); },
                                   [](string_view a, string_view b) { return std::max(a, b); });
  EXPECT_TRUE((std::is_same_v<decltype(views), DStream<std::pair<int64_t, string>>>));
  const std::vector outputs{
      Out(views),
      Out(named_.CombineByKey([](const string& v) { return v; },
                              [](string c, const string& v) { return std::max(c, v); },
                              [](const auto& a, const auto& b) { return std::max(a, b); })),
  };
  Run();
  for (const auto& output : outputs) EXPECT_THAT(output.batches()[0], ElementsAre(Pair(1, "c")));
}

TEST_F(FunctionFormsTest, AWindowWithAnInverseKeepsTheRecordType) {
  const auto last = [](const auto&, const auto& b) { return b; };
  auto by_key = named_.ReduceByKeyAndWindow(last, last, 2s, 1s);
  EXPECT_TRUE((std::is_same_v<decltype(by_key), DStream<std::pair<int64_t, string_view>>>));
  auto whole = words_.ReduceByWindow(last, last, 2s, 1s);
  EXPECT_TRUE((std::is_same_v<decltype(whole), DStream<string_view>>));
  auto output = Out(whole);
  Run();
  EXPECT_THAT(output.batches()[0], ElementsAre("fig"));
}

TEST_F(FunctionFormsTest, AWindowsFilterTakesTheRecordInAnyForm) {
  const std::plus<> f;
  const std::minus<> inverse;
  const std::vector outputs{
      Out(counts_.ReduceByKeyAndWindow(f, inverse, 2s, 1s,
                                       [](const Count& count) { return count.second > 2; })),
      Out(counts_.ReduceByKeyAndWindow(
          f, inverse, 2s, 1s, 3,
          [](const std::pair<string, int64_t>& count) { return count.second > 2; })),
      Out(counts_.ReduceByKeyAndWindow(f, inverse, 2s, 1s, HashPartitioner(2),
                                       [](const auto& count) { return count.second > 2; })),
  };
  Run();
  for (const auto& output : outputs) EXPECT_THAT(output.batches()[0], ElementsAre(Pair("fig", 4)));
}

TEST_F(FunctionFormsTest, ValuesAreTakenInAnyForm) {
  const std::vector outputs{
      Out(named_.MapValues([](string_view name) { return string(name) + "!"; })),
      Out(named_.MapValues([](const string& name) { return name + "!"; })),
      Out(named_.FlatMapValues([](string_view name) { return std::vector{string(name) + "!"}; })),
      Out(named_.FlatMapValues([](string name) { return std::vector{name + "!"}; })),
  };
  Run();
  for (const auto& output : outputs) {
    EXPECT_THAT(output.batches()[0], ElementsAre(Pair(1, "b!"), Pair(1, "c!"), Pair(1, "a!")));
  }
}

TEST_F(FunctionFormsTest, UpdateStateByKeyTakesKeyAndValuesInAnyForm) {
  using Names = std::optional<string>;
  const std::vector outputs{
      Out(named_.UpdateStateByKey<string>(
          [](int64_t, std::span<const string_view> names, Names state) -> Names {
            return state.value_or("") + string(names.front());
          })),
      Out(named_.UpdateStateByKey<string>(
          [](int64_t, std::span<const string> names, const Names& state) -> Names {
            return state.value_or("") + names.front();
          },
          2)),
      Out(named_.UpdateStateByKey<string>(
          [](Time time, const int64_t&, std::span<const string> names, Names) -> Names {
            return time == Time(1000) ? Names(names.front()) : std::nullopt;
          },
          HashPartitioner(2))),
      Out(named_.UpdateStateByKey<string>(
          [](auto, const auto& names, const auto&) -> Names { return string(names.front()); })),
  };
  auto initial =
      harness_.context().context().Parallelize<std::pair<string, int64_t>>({{"fig", 10}});
  const auto add = [](const string&, std::span<const int64_t> counts, std::optional<int64_t> sum) {
    return std::optional(sum.value_or(0) + static_cast<int64_t>(counts.size()));
  };
  auto from_initial = Out(counts_.UpdateStateByKey<int64_t>(add, initial));
  auto in_two = Out(counts_.UpdateStateByKey<int64_t>(add, 2, initial));
  Run();
  for (const auto& output : outputs) EXPECT_THAT(output.batches()[0], ElementsAre(Pair(1, "b")));
  EXPECT_THAT(from_initial.batches()[0], UnorderedElementsAre(Pair("fig", 12), Pair("pear", 1)));
  EXPECT_THAT(in_two.batches()[0], UnorderedElementsAre(Pair("fig", 12), Pair("pear", 1)));
}

TEST_F(FunctionFormsTest, MapWithStateTakesKeyAndValueInAnyForm) {
  const std::vector outputs{
      Out(counts_.MapWithState(
          StateSpec([](string_view key, std::optional<int64_t> count, State<int64_t>& sum) {
            sum.Update(sum.GetOption().value_or(0) + *count);
            return std::pair(string(key), sum.Get());
          }))),
      Out(counts_.MapWithState(StateSpec(
          [](Time, const string& key, const std::optional<int64_t>& count, State<int64_t>& sum) {
            sum.Update(sum.GetOption().value_or(0) + *count);
            return std::optional(std::pair(key, sum.Get()));
          }))),
      Out(counts_.MapWithState(StateSpec(BindFront(
          [](int64_t first, string key, std::optional<int64_t> count, State<int64_t>& sum) {
            sum.Update(sum.GetOption().value_or(first) + *count);
            return std::pair(key, sum.Get());
          },
          int64_t{0})))),
      Out(counts_.MapWithState<int64_t>([](auto key, auto count, auto& sum) {
        sum.Update(sum.GetOption().value_or(0) + *count);
        return std::pair(string(key), sum.Get());
      })),
  };
  Run();
  for (const auto& output : outputs) {
    EXPECT_THAT(output.batches()[0],
                UnorderedElementsAre(Pair("fig", 1), Pair("fig", 4), Pair("pear", 2)));
  }
}

TEST_F(FunctionFormsTest, AStateFunctionOfNothingServesItsSnapshots) {
  auto states = counts_.MapWithState(
      StateSpec([](const string&, std::optional<int64_t> count, State<int64_t>& sum) {
        sum.Update(sum.GetOption().value_or(0) + *count);
      }).NumPartitions(2));
  auto output = Out(states.StateSnapshots());
  Run();
  EXPECT_THAT(output.batches()[0], UnorderedElementsAre(Pair("fig", 4), Pair("pear", 2)));
}

TEST_F(FunctionFormsTest, DataSetsAreTakenInAnyForm) {
  using Words = RDD<string_view>;
  const std::vector outputs{
      Out(words_.Transform([](Words words) { return words; })),
      Out(words_.Transform([](const Words& words, Time) { return words; })),
      Out(words_.Transform([](Words& words) -> absl::StatusOr<Words> { return words; })),
      Out(words_.Transform([](auto words) { return words; })),
      Out(words_.Transform([](auto& words, auto) { return words; })),
      Out(words_.Transform([](const auto& words, const Time&) { return words; })),
      Out(words_.Transform([](auto&& words) { return words; })),
      Out(words_.TransformWith(counts_, [](auto& words, const auto&) { return words; })),
      Out(harness_.context().Transform([](auto words, auto&, const auto&, Time) { return words; },
                                       words_, counts_, named_)),
  };
  std::vector<int64_t> seen;
  const auto count = [&seen](const Words& words) {
    const auto n = words.Count();
    if (n.ok()) seen.push_back(*n);
    return n.status();
  };
  words_.ForeachRDD([&](Words words) { return count(words); });
  words_.ForeachRDD([&](const Words& words, Time) { return count(words); });
  words_.ForeachRDD([&](Words& words, const Time&) { return count(words); });
  words_.ForeachRDD([&](auto words) { count(words).IgnoreError(); });
  words_.ForeachRDD([&](auto& words, auto) { return count(words); });
  words_.ForeachRDD([&](const auto& words) { return count(words); });
  words_.ForeachRDD([&, runs = 0](auto&& words, Time) mutable {
    ++runs;
    return count(words);
  });
  Run();
  for (const auto& output : outputs) EXPECT_THAT(output.batches()[0], ElementsAre("pear", "fig"));
  EXPECT_EQ(seen, std::vector<int64_t>(7, 2));
}

}  // namespace
}  // namespace millrace
