// Records and functions that misbehave: each gives a clear error or the right result, and nothing
// else is lost.
#include <fcntl.h>
#include <millrace/receiver.h>
#include <millrace/testing.h>
#include <sys/stat.h>

#include <cstdio>
#include <deque>
#include <fstream>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common/concurrent/one_shot.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::StreamHarness;
using ::testing::UnorderedElementsAre;

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

using Pair = std::pair<std::string, int64_t>;
using Pairs = std::vector<Pair>;

// -------------------------------------------------------------------------------------------------
// Keys.

TEST(BadRecordsTest, AnEmptyKeyIsAKeyLikeAnyOther) {
  const TempDir dir;
  StreamHarness h(1s, {.checkpoint_dir = dir.path()});
  auto in = h.Input<Pair>({{{"", 1}, {"a", 2}, {"", 3}}, {{"", 4}}});
  auto sums = h.Output(in.ReduceByKey(std::plus<>()));
  auto groups = h.Output(in.GroupByKey().MapValues([](const auto& v) { return v.size(); }));
  auto joined = h.Output(in.Join(in));
  auto state = h.Output(in.UpdateStateByKey<int64_t>(
      [](const auto&, std::span<const int64_t> values, std::optional<int64_t> old) {
        int64_t sum = old.value_or(0);
        for (const int64_t value : values) sum += value;
        return std::optional(sum);
      }));
  ASSERT_TRUE(h.RunBatches(2).ok());
  EXPECT_THAT(sums.batches()[0], UnorderedElementsAre(Pair("", 4), Pair("a", 2)));
  EXPECT_THAT(sums.batches()[1], ElementsAre(Pair("", 4)));
  EXPECT_THAT(groups.batches()[0],
              UnorderedElementsAre(::testing::Pair("", 2u), ::testing::Pair("a", 1u)));
  EXPECT_THAT(joined.batches()[0], SizeIs(5));
  EXPECT_THAT(state.batches()[1], UnorderedElementsAre(Pair("", 8), Pair("a", 2)));
}

TEST(BadRecordsTest, AKeyThatIsAbsentIsAKeyLikeAnyOther) {
  using Key = std::optional<std::string>;
  using Keyed = std::pair<Key, int64_t>;
  StreamHarness h(1s);
  auto in = h.Input<Keyed>({{{std::nullopt, 1}, {"", 2}, {std::nullopt, 3}, {"a", 4}}});
  auto sums = h.Output(in.ReduceByKey(std::plus<>()));
  auto counts = h.Output(in.Map([](const Keyed& x) { return x.first; }).CountByValue());
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_THAT(sums.batches()[0],
              UnorderedElementsAre(Keyed(std::nullopt, 4), Keyed("", 2), Keyed("a", 4)));
  EXPECT_THAT(counts.batches()[0],
              UnorderedElementsAre(Keyed(std::nullopt, 2), Keyed("", 1), Keyed("a", 1)));
}

// -------------------------------------------------------------------------------------------------
// Empty batches, and more partitions than records.

// All kinds of operations at once, as a batch that they share.
template <class Check>
void RunEverything(testing::Batches<Pair> batches, int partitions, Check check) {
  const TempDir dir;
  StreamHarness h(1s, {.checkpoint_dir = dir.path() + "/checkpoint"});
  auto in = h.Input<Pair>(std::move(batches), partitions);
  auto keys = in.Map([](const Pair& x) { return x.first; });
  auto values = in.Map([](const Pair& x) { return x.second; });
  auto sums = in.ReduceByKey(std::plus<>(), 7);
  auto out = std::tuple(
      h.Output(in.Repartition(5)), h.Output(values.Count()), h.Output(values.Reduce(std::plus<>())),
      h.Output(keys.CountByValue(5)), h.Output(sums), h.Output(in.GroupByKey(9)),
      h.Output(in.Join(sums)), h.Output(in.LeftOuterJoin(sums)), h.Output(in.CoGroup(sums)),
      h.Output(in.Window(2s)), h.Output(sums.ReduceByKeyAndWindow(std::plus<>(), 2s, 1s)),
      h.Output(in.Transform([](const RDD<Pair>& rdd) { return rdd.SortByKey(); })),
      h.Output(in.Transform([](const RDD<Pair>& rdd) { return rdd.Distinct(); })),
      h.Output(in.Glom()), h.Output(in.Union(in)),
      h.Output(in.UpdateStateByKey<int64_t>(
          [](const auto&, std::span<const int64_t> v, std::optional<int64_t> old) {
            return std::optional(old.value_or(0) + static_cast<int64_t>(v.size()));
          })));
  in.SaveAsTextFiles(dir.path() + "/out");
  in.Print();
  const absl::Status status = h.RunBatches(2);
  ASSERT_TRUE(status.ok()) << status;
  check(out, dir.path());
}

TEST(BadRecordsTest, AnEmptyBatchPassesThroughEverything) {
  RunEverything({{}, {}}, 2, [](const auto& out, const std::string& dir) {
    EXPECT_THAT(std::get<0>(out).batches()[0], IsEmpty());
    EXPECT_THAT(std::get<1>(out).batches(), ElementsAre(ElementsAre(0), ElementsAre(0)));
    EXPECT_THAT(std::get<2>(out).batches(), ElementsAre(IsEmpty(), IsEmpty()));
    EXPECT_THAT(std::get<6>(out).batches()[1], IsEmpty());
    EXPECT_THAT(std::get<9>(out).batches()[1], IsEmpty());
    EXPECT_THAT(std::get<11>(out).batches()[1], IsEmpty());
    EXPECT_THAT(std::get<15>(out).batches()[1], IsEmpty());
    EXPECT_TRUE(std::ifstream(dir + "/out-1000/_SUCCESS").good());
  });
}

TEST(BadRecordsTest, NoPartitionsPassThroughEverything) {
  StreamHarness h(1s);
  std::deque<RDD<Pair>> none;
  auto in = h.context().QueueStream(none);
  auto counts = h.Output(in.Count());
  auto sums = h.Output(in.ReduceByKey(std::plus<>()));
  auto sorted =
      h.Output(in.Transform([](const RDD<Pair>& rdd) { return rdd.SortByKey().Coalesce(1); }));
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_THAT(counts.batches()[0], ElementsAre(0));
  EXPECT_THAT(sums.batches()[0], IsEmpty());
  EXPECT_THAT(sorted.batches()[0], IsEmpty());
}

TEST(BadRecordsTest, MorePartitionsThanRecordsLoseAndRepeatNothing) {
  RunEverything(
      {{{"a", 1}, {"b", 2}, {"a", 3}}, {{"b", 4}}}, 50, [](const auto& out, const std::string&) {
        EXPECT_THAT(std::get<0>(out).batches()[0],
                    UnorderedElementsAre(Pair("a", 1), Pair("b", 2), Pair("a", 3)));
        EXPECT_THAT(std::get<1>(out).batches(), ElementsAre(ElementsAre(3), ElementsAre(1)));
        EXPECT_THAT(std::get<2>(out).batches(), ElementsAre(ElementsAre(6), ElementsAre(4)));
        EXPECT_THAT(std::get<4>(out).batches()[0],
                    UnorderedElementsAre(Pair("a", 4), Pair("b", 2)));
        EXPECT_THAT(std::get<6>(out).batches()[0], SizeIs(3));
        EXPECT_THAT(std::get<10>(out).batches()[1],
                    UnorderedElementsAre(Pair("a", 4), Pair("b", 6)));
        EXPECT_THAT(std::get<15>(out).batches()[1],
                    UnorderedElementsAre(Pair("a", 2), Pair("b", 2)));
        EXPECT_EQ(std::get<13>(out).partition_counts()[0], 50);
      });
}

// -------------------------------------------------------------------------------------------------
// Types that throw.

// Comparing one that is poisoned throws.
struct Touchy {
  std::string name;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(name);
  }
  static void Check(const Touchy& a, const Touchy& b) {
    if (a.name == "poison" || b.name == "poison") throw std::runtime_error("do not touch me");
  }
  friend bool operator==(const Touchy& a, const Touchy& b) {
    Check(a, b);
    return a.name == b.name;
  }
  friend bool operator<(const Touchy& a, const Touchy& b) {
    Check(a, b);
    return a.name < b.name;
  }
};

// Batch 2 of 3 holds the poison; the others must be whole.
template <class Operation>
void ExpectOnlyTheSecondBatchFails(Operation operation) {
  using Keyed = std::pair<Touchy, int64_t>;
  StreamHarness h(1s);
  auto in = h.Input<Keyed>({{{{"a"}, 1}, {{"a"}, 2}},
                            {{{"poison"}, 1}, {{"poison"}, 2}, {{"a"}, 3}},
                            {{{"b"}, 4}, {{"a"}, 5}}});
  auto out = h.Output(operation(in).Map([](const auto&) { return 1; }));
  auto others = h.Output(in.MapValues([](int64_t x) { return x; }).Count());
  EXPECT_TRUE(h.RunBatches(1).ok());
  const absl::Status status = h.RunBatches(1);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(MessageOf(status), HasSubstr("do not touch me"));
  EXPECT_THAT(MessageOf(status), HasSubstr("bad_records_test.cc:")) << "the operator's place";
  EXPECT_THAT(MessageOf(status), HasSubstr("2000 ms"));
  const absl::Status third = h.RunBatches(1);
  EXPECT_TRUE(third.ok()) << third;
  ASSERT_THAT(out.times(), ElementsAre(Time(1000), Time(3000)));
  EXPECT_THAT(out.batches()[1], SizeIs(2));
  EXPECT_THAT(others.batches(), ElementsAre(ElementsAre(2), ElementsAre(3), ElementsAre(2)))
      << "the other output loses nothing";
}

TEST(BadRecordsTest, AKeyThatThrowsWhenComparedFailsItsBatchOnly) {
  ExpectOnlyTheSecondBatchFails([](auto in) { return in.ReduceByKey(std::plus<>()); });
  ExpectOnlyTheSecondBatchFails([](auto in) { return in.GroupByKey(); });
  ExpectOnlyTheSecondBatchFails([](auto in) {
    return in.Join(in).MapValues([](const auto&) { return 0; }).ReduceByKey(std::plus<>());
  });
}

TEST(BadRecordsTest, ASortThatThrowsFailsItsBatchOnly) {
  ExpectOnlyTheSecondBatchFails(
      [](auto in) { return in.Transform([](const auto& rdd) { return rdd.SortByKey(); }); });
}

TEST(BadRecordsTest, AnActionWhoseComparisonThrowsIsAnError) {
  Context context(Conf().SetMaster("local[2]"));
  const auto rdd = context.Parallelize(std::vector<Touchy>{{"a"}, {"poison"}, {"b"}}, 2);
  EXPECT_THAT(MessageOf(rdd.Top(2).status()), HasSubstr("do not touch me"));
  EXPECT_THAT(MessageOf(rdd.TakeOrdered(2).status()), HasSubstr("do not touch me"));
  EXPECT_EQ(*rdd.Count(), 3);
}

// -------------------------------------------------------------------------------------------------
// State.

TEST(BadRecordsTest, AnUpdateThatThrowsAtOneKeyLeavesTheStateAsItWas) {
  const TempDir dir;
  StreamHarness h(1s, {.checkpoint_dir = dir.path()});
  auto in = h.Input<Pair>({{{"a", 1}, {"b", 10}, {"c", 100}},
                           {{"a", 1}, {"b", -1}, {"c", 100}},
                           {{"a", 1}},
                           {{"b", 10}}},
                          3);
  auto out = h.Output(in.UpdateStateByKey<int64_t>(
      [](const auto&, std::span<const int64_t> values, std::optional<int64_t> old) {
        int64_t sum = old.value_or(0);
        for (const int64_t value : values) {
          if (value < 0) throw std::runtime_error("negative");
          sum += value;
        }
        return std::optional(sum);
      }));
  EXPECT_TRUE(h.RunBatches(1).ok());
  const absl::Status status = h.RunBatches(1);
  EXPECT_THAT(MessageOf(status), HasSubstr("negative"));
  EXPECT_THAT(MessageOf(status), HasSubstr("UpdateStateByKey at bad_records_test.cc:"));
  EXPECT_TRUE(h.RunBatches(2).ok());
  ASSERT_THAT(out.times(), ElementsAre(Time(1000), Time(3000), Time(4000)));
  EXPECT_THAT(out.batches()[1], UnorderedElementsAre(Pair("a", 2), Pair("b", 10), Pair("c", 100)))
      << "the failed batch changed no key, in no partition";
  EXPECT_THAT(out.batches()[2], UnorderedElementsAre(Pair("a", 2), Pair("b", 20), Pair("c", 100)));
}

TEST(BadRecordsTest, AMappingThatThrowsAtOneKeyLeavesTheStateAsItWas) {
  const TempDir dir;
  StreamHarness h(1s, {.checkpoint_dir = dir.path()});
  auto in = h.Input<Pair>(
      {{{"a", 1}, {"b", 10}, {"c", 100}}, {{"a", 1}, {"b", -1}, {"c", 100}}, {{"a", 1}, {"b", 10}}},
      3);
  auto mapped = in.MapWithState(
      StateSpec([](const std::string& key, std::optional<int64_t> value, State<int64_t>& state) {
        if (*value < 0) throw std::runtime_error("negative");
        state.Update(state.GetOption().value_or(0) + *value);
        return Pair(key, state.Get());
      }));
  auto out = h.Output(mapped);
  auto snapshots = h.Output(mapped.StateSnapshots());
  EXPECT_TRUE(h.RunBatches(1).ok());
  const absl::Status status = h.RunBatches(1);
  EXPECT_THAT(MessageOf(status), HasSubstr("negative"));
  EXPECT_THAT(MessageOf(status), HasSubstr("MapWithState at bad_records_test.cc:"));
  EXPECT_TRUE(h.RunBatches(1).ok());
  EXPECT_THAT(out.batches().back(), UnorderedElementsAre(Pair("a", 2), Pair("b", 20)));
  EXPECT_THAT(snapshots.batches().back(),
              UnorderedElementsAre(Pair("a", 2), Pair("b", 20), Pair("c", 100)));
}

// -------------------------------------------------------------------------------------------------
// Files.

class BadFilesTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return dir_.path() + "/" + name; }
  // Dated on the harness's clock.
  void Write(const std::string& name, const std::string& text, int64_t modified_ms) const {
    std::ofstream(Path(name)) << text;
    const timespec time{modified_ms / 1000, modified_ms % 1000 * 1'000'000};
    const timespec times[] = {time, time};
    ASSERT_EQ(utimensat(AT_FDCWD, Path(name).c_str(), times, 0), 0);
  }

  const TempDir dir_;
  StreamHarness h_{1s};
};

TEST_F(BadFilesTest, AFileThatDisappearsCostsNothingButItself) {
  // Between the listing and the reading.
  auto lines =
      h_.context().TextFileStream(dir_.path()).Transform([this](RDD<std::string_view> rdd) {
        std::remove(Path("gone").c_str());
        return rdd;
      });
  auto out = h_.Output(lines);
  Write("gone", "lost\n", 500);
  Write("kept", "a\nb\n", 500);
  absl::Status status = h_.RunBatches(1);
  EXPECT_TRUE(status.ok()) << status;
  Write("later", "c\n", 1500);
  EXPECT_TRUE(h_.RunBatches(1).ok());
  EXPECT_THAT(out.batches(), ElementsAre(ElementsAre("a", "b"), ElementsAre("c")));
}

TEST_F(BadFilesTest, AFileThatShrinksFailsItsBatchByName) {
  auto lines =
      h_.context().TextFileStream(dir_.path()).Transform([this](RDD<std::string_view> rdd) {
        std::ofstream(Path("short"), std::ios::trunc) << "x";
        return rdd;
      });
  auto out = h_.Output(lines);
  Write("short", "a long line\n", 500);
  const absl::Status status = h_.RunBatches(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(MessageOf(status), HasSubstr("/short' has become shorter"));
  EXPECT_TRUE(h_.RunBatches(1).ok());
  EXPECT_THAT(out.batches(), ElementsAre(IsEmpty()));
}

TEST_F(BadFilesTest, ADataSetOfAFileThatIsGoneIsAnErrorThatNamesIt) {
  Write("data", "a\n", 500);
  auto rdd = h_.context().context().TextFile(Path("data"));
  ASSERT_EQ(*rdd.Count(), 1);
  std::remove(Path("data").c_str());
  EXPECT_EQ(rdd.Count().status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(rdd.Count().status()), HasSubstr("/data"));
}

// -------------------------------------------------------------------------------------------------
// Records that are larger than a block.

// Stores small records around one that is larger than a block may grow, then a block of such.
class Huge : public Receiver<std::string> {
 public:
  static constexpr size_t kBytes = size_t{40} << 20;
  void OnStart() override {
    Store(std::string("before"));
    Store(std::string(kBytes, 'x'));
    Store(std::string("after"));
    stored().Set(Store(std::vector<std::string>{std::string(kBytes, 'y'), "last"}));
  }
  void OnStop() override {}
  static OneShot<absl::Status>& stored() {
    static OneShot<absl::Status>& stored = *new OneShot<absl::Status>;
    return stored;
  }
};

TEST(BadRecordsTest, ARecordLargerThanABlockComesWhole) {
  std::vector<std::pair<size_t, char>> seen;
  StreamingContext ssc(
      Conf().SetMaster("local[2]").Set("millrace.streaming.gracefulStopTimeout", "60s"), 20ms);
  ssc.ReceiverStream<Huge>()
      .Map([](const std::string& x) { return std::pair(x.size(), x.empty() ? ' ' : x.back()); })
      .ForeachRDD([&seen](const RDD<std::pair<size_t, char>>& rdd) -> absl::Status {
        const auto records = rdd.Collect();
        if (!records.ok()) return records.status();
        seen.insert(seen.end(), records->begin(), records->end());
        return absl::OkStatus();
      });
  ASSERT_TRUE(ssc.Start().ok());
  const absl::Status stored = Huge::stored().Wait();
  EXPECT_TRUE(stored.ok()) << stored;
  ssc.Stop({.graceful = true});
  EXPECT_TRUE(ssc.AwaitTermination().ok());
  EXPECT_THAT(seen, ElementsAre(std::pair(size_t{6}, 'e'), std::pair(Huge::kBytes, 'x'),
                                std::pair(size_t{5}, 'r'), std::pair(Huge::kBytes, 'y'),
                                std::pair(size_t{4}, 't')));
}

}  // namespace
}  // namespace millrace
