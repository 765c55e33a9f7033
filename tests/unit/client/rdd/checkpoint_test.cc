#include "client/rdd/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <millrace/testing.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::atomic<int> calls{0};

TEST(CheckpointTest, IsComputedOnceAndReadFromFiles) {
  const TempDir dir;
  Context context(Conf().SetMaster("local[2]"));
  context.SetCheckpointDir(dir.path() + "/made/when/needed");
  calls = 0;
  const auto counted = context.Parallelize({1, 2, 3, 4, 5}, 3).Map([](int x) {
    ++calls;
    return std::pair(std::to_string(x), x);
  });
  const auto checkpoint = counted.Checkpoint();
  EXPECT_EQ(calls, 5);
  EXPECT_EQ(checkpoint.NumPartitions(), 3);
  EXPECT_TRUE(checkpoint.node()->dependencies.empty());
  EXPECT_EQ(*checkpoint.Collect(), *counted.Collect());
  EXPECT_EQ(*checkpoint.Keys().Collect(), (std::vector<std::string>{"1", "2", "3", "4", "5"}));
  EXPECT_EQ(calls, 10);  // The second time for `counted`.
}

TEST(CheckpointTest, KeepsEmptyPartitionsAndThePartitioner) {
  const TempDir dir;
  Context context(Conf().SetMaster("local[2]"));
  context.SetCheckpointDir(dir.path());
  const auto sums = context.Parallelize(std::vector<std::pair<int, int>>{{1, 2}, {1, 3}})
                        .ReduceByKey(std::plus<>(), 4);
  const auto checkpoint = sums.Checkpoint();
  EXPECT_EQ(checkpoint.NumPartitions(), 4);
  ASSERT_NE(checkpoint.node()->partitioner, nullptr);
  EXPECT_EQ(*checkpoint.node()->partitioner, *sums.node()->partitioner);
  EXPECT_EQ(*checkpoint.Join(sums).Collect(),
            (std::vector<std::pair<int, std::pair<int, int>>>{{1, {5, 5}}}));
}

TEST(CheckpointTest, WithoutADirectoryActionsFail) {
  Context context(Conf().SetMaster("local[2]"));
  const auto result = context.Parallelize({1}).Checkpoint().Count();
  EXPECT_EQ(result.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(result.status().ToString(), HasSubstr("Checkpoint at checkpoint_test.cc"));
  EXPECT_THAT(result.status().ToString(), HasSubstr("Context::SetCheckpointDir"));
}

TEST(CheckpointTest, AnEmptyHandleStaysEmpty) { EXPECT_FALSE(RDD<int>().Checkpoint()); }

TEST(CheckpointTest, StreamsSaveToTheDirectoryOfTheirContext) {
  const TempDir dir;
  testing::StreamHarness h(1s, {.checkpoint_dir = dir.path()});
  auto in = h.Input<std::string_view>({{"a", "b"}, {"c"}});
  auto out =
      h.Output(in.Transform([](const RDD<std::string_view>& batch) { return batch.Checkpoint(); }));
  const absl::Status status = h.RunBatches(2);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(out.batches(), ElementsAre(ElementsAre("a", "b"), ElementsAre("c")));
  EXPECT_FALSE(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace millrace
