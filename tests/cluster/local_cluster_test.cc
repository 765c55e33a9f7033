// Programs on local-cluster[...] have the results that they have in one process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <millrace/testing.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing::StreamHarness;

using WordCount = std::pair<std::string, int64_t>;

constexpr const char* kCluster = "local-cluster[2,1,512]";

std::vector<std::vector<std::string>> Words(int batches, int words) {
  std::vector<std::vector<std::string>> made(static_cast<size_t>(batches));
  for (int batch = 0; batch < batches; ++batch) {
    for (int i = 0; i < words; ++i) {
      made[static_cast<size_t>(batch)].push_back("w" + std::to_string((i * 7 + batch) % 23));
    }
  }
  return made;
}

auto Pairs(const DStream<std::string>& words) {
  return words.Map([](const std::string& word) { return std::pair(word, int64_t{1}); });
}

// What a program puts out, batch by batch. Records within a batch are sorted: the order of keys is
// not promised.
template <class Build>
auto Run(const std::string& master, int batches, const Build& build) {
  TempDir directory;
  StreamHarness harness(1s, {.master = master, .checkpoint_dir = directory.path() + "/checkpoint"});
  auto output = harness.Output(build(harness));
  const absl::Status status = harness.RunBatches(batches);
  EXPECT_TRUE(status.ok()) << master << ": " << status;
  auto sorted = output.batches();
  for (auto& batch : sorted) std::sort(batch.begin(), batch.end());
  return sorted;
}

template <class Build>
void ExpectSameAsLocal(int batches, const Build& build) {
  const auto local = Run("local[2]", batches, build);
  EXPECT_FALSE(local.empty());
  EXPECT_EQ(Run(kCluster, batches, build), local);
}

TEST(LocalClusterTest, CountsWords) {
  ExpectSameAsLocal(3, [](StreamHarness& h) {
    return Pairs(h.Input<std::string>(Words(3, 1000), 4)).ReduceByKey(std::plus<>(), 3);
  });
}

TEST(LocalClusterTest, TasksRunInTheWorkers) {
  StreamHarness harness(1s, {.master = kCluster});
  auto pids = harness.Output(harness.Input<int64_t>({{1, 2, 3, 4}}, 4).Map([](int64_t) {
    return static_cast<int64_t>(getpid());
  }));
  ASSERT_TRUE(harness.RunBatches(1).ok());
  std::vector<int64_t> distinct = pids.batches().at(0);
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  EXPECT_EQ(distinct.size(), 2u) << "both workers have a part";
  EXPECT_THAT(distinct, ::testing::Not(::testing::Contains(getpid())));
}

TEST(LocalClusterTest, SlidesWindows) {
  ExpectSameAsLocal(8, [](StreamHarness& h) {
    return Pairs(h.Input<std::string>(Words(6, 200), 3))
        .ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 3s, 1s, 3);
  });
}

TEST(LocalClusterTest, GroupsWindows) {
  ExpectSameAsLocal(6, [](StreamHarness& h) {
    return Pairs(h.Input<std::string>(Words(6, 200), 3)).Window(3s, 2s).CountByValue(2);
  });
}

TEST(LocalClusterTest, UpdatesState) {
  ExpectSameAsLocal(6, [](StreamHarness& h) {
    return Pairs(h.Input<std::string>(Words(6, 300), 3))
        .UpdateStateByKey<int64_t>(
            [](const std::string&, std::span<const int64_t> values, std::optional<int64_t> sum) {
              for (const int64_t value : values) sum = sum.value_or(0) + value;
              return sum;
            });
  });
}

TEST(LocalClusterTest, MapsWithState) {
  ExpectSameAsLocal(6, [](StreamHarness& h) {
    return Pairs(h.Input<std::string>(Words(6, 300), 3))
        .MapWithState(StateSpec(
            [](const std::string& word, std::optional<int64_t> value, State<int64_t>& state) {
              const int64_t sum = state.GetOption().value_or(0) + value.value_or(0);
              state.Update(sum);
              return std::pair(word, sum);
            }))
        .ReduceByKey([](int64_t a, int64_t b) { return std::max(a, b); });
  });
}

TEST(LocalClusterTest, Joins) {
  ExpectSameAsLocal(3, [](StreamHarness& h) {
    auto counts = Pairs(h.Input<std::string>(Words(3, 300), 3)).ReduceByKey(std::plus<>(), 4);
    auto others = Pairs(h.Input<std::string>(Words(3, 90), 2)).ReduceByKey(std::plus<>(), 3);
    return counts.Join(others, 5).MapValues(
        [](const std::pair<int64_t, int64_t>& both) { return both.first * 1000 + both.second; });
  });
}

TEST(LocalClusterTest, SortsInOrder) {
  const auto build = [](StreamHarness& h) {
    return Pairs(h.Input<std::string>(Words(2, 500), 3))
        .ReduceByKey(std::plus<>())
        .Transform([](const RDD<WordCount>& counts) { return counts.SortByKey(true, 3); });
  };
  TempDir directory;
  StreamHarness harness(1s, {.master = kCluster});
  auto output = harness.Output(build(harness));
  ASSERT_TRUE(harness.RunBatches(2).ok());
  for (const auto& batch : output.batches()) {
    EXPECT_EQ(batch.size(), 23u);
    EXPECT_TRUE(std::is_sorted(batch.begin(), batch.end()));
  }
}

TEST(LocalClusterTest, PersistedDataSetsStayWhereTheyAre) {
  ExpectSameAsLocal(4, [](StreamHarness& h) {
    auto counts = Pairs(h.Input<std::string>(Words(4, 300), 3)).ReduceByKey(std::plus<>(), 3);
    counts.Persist();
    return counts.Union(counts.Window(2s)).ReduceByKey(std::plus<>(), 2);
  });
}

TEST(LocalClusterTest, BroadcastsAndAccumulators) {
  const auto run = [](const std::string& master) {
    Context context(Conf().SetMaster(master));
    const auto table = context.Broadcast(std::map<int64_t, std::string>{{1, "one"}, {2, "two"}});
    auto seen = context.LongAccumulator("seen");
    auto names = context.Parallelize(std::vector<int64_t>{1, 2, 3, 1}, 4)
                     .Map(BindFront(
                         [](const auto& names, const auto& count, int64_t number) {
                           count.Add(1);
                           const auto found = names.Value().find(number);
                           return found == names.Value().end() ? std::string("?") : found->second;
                         },
                         table, seen))
                     .Collect();
    EXPECT_TRUE(names.ok()) << names.status();
    return std::pair(names.value_or(std::vector<std::string>()), seen.Value());
  };
  const auto cluster = run(kCluster);
  EXPECT_EQ(cluster, run("local[2]"));
  EXPECT_EQ(cluster.second, 4);
}

TEST(LocalClusterTest, TheDefaultNumberOfPartitionsIsThatOfAllSlots) {
  Context context(Conf().SetMaster("local-cluster[3,2,256]"));
  EXPECT_EQ(context.default_parallelism(), 6);
}

TEST(LocalClusterTest, AFunctionThatFailsIsNamed) {
  Context context(Conf().SetMaster(kCluster));
  const auto failed = context.Parallelize(std::vector<int64_t>{1, 2}, 2)
                          .Map([](int64_t x) -> int64_t {
                            if (x == 2) throw std::runtime_error("no twos");
                            return x;
                          })
                          .Collect();
  EXPECT_THAT(failed.status().ToString(), HasSubstr("no twos"));
  EXPECT_THAT(failed.status().ToString(), HasSubstr("failed 4 times"));
}

TEST(LocalClusterTest, TwoContextsOneAfterTheOther) {
  for (int i = 0; i < 2; ++i) {
    Context context(Conf().SetMaster(kCluster));
    const auto sum = context.Parallelize(std::vector<int64_t>{1, 2, 3}, 3).Reduce(std::plus<>());
    ASSERT_TRUE(sum.ok()) << sum.status();
    EXPECT_EQ(*sum, 6);
  }
}

}  // namespace
}  // namespace millrace
