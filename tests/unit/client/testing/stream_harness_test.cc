#include <millrace/testing.h>

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

using Numbers = std::vector<std::vector<int64_t>>;

TEST(StreamHarnessTest, RunsTheBatchesOfItsInput) {
  StreamHarness h(1s);
  auto in = h.Input<int64_t>({{1, 2, 3}, {4}});
  auto out = h.Output(in.Map([](int64_t x) { return x * 2; }));
  ASSERT_TRUE(h.RunBatches(3).ok());
  EXPECT_EQ(out.batches(), (Numbers{{2, 4, 6}, {8}, {}}));
  EXPECT_EQ(out.times(), (std::vector<Time>{Time(1000), Time(2000), Time(3000)}));
  EXPECT_EQ(out.partition_counts(), (std::vector<int>{2, 2, 2}));
}

TEST(StreamHarnessTest, GoesOnWhereItStopped) {
  StreamHarness h(10ms);
  auto out = h.Output(h.Input<int64_t>({{1}, {2}, {3}}, 1));
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_EQ(out.batches(), (Numbers{{1}}));
  ASSERT_TRUE(h.RunBatches(2).ok());
  EXPECT_EQ(out.batches(), (Numbers{{1}, {2}, {3}}));
  EXPECT_EQ(out.times().back(), Time(30));
}

TEST(StreamHarnessTest, BatchWithoutDataSetLeavesNoTrace) {
  StreamHarness h(1s);
  auto out = h.Output(h.Input<int64_t>({{1}, std::nullopt, {}, {4}}));
  ASSERT_TRUE(h.RunBatches(4).ok());
  EXPECT_EQ(out.batches(), (Numbers{{1}, {}, {4}}));
  EXPECT_EQ(out.times(), (std::vector<Time>{Time(1000), Time(3000), Time(4000)}));
}

TEST(StreamHarnessTest, PartitionsHoldConsecutiveRecords) {
  StreamHarness h(1s);
  auto out = h.Output(h.Input<int64_t>({{1, 2, 3, 4, 5}}, 3).Glom());
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_EQ(out.batches(), (std::vector<Numbers>{{{1}, {2, 3}, {4, 5}}}));
}

TEST(StreamHarnessTest, BatchesMayBeVectors) {
  StreamHarness h(1s);
  const Numbers batches{{1, 2}, {}, {3}};
  auto out = h.Output(h.Input<int64_t>(batches));
  ASSERT_TRUE(h.RunBatches(3).ok());
  EXPECT_EQ(out.batches(), batches);
}

TEST(StreamHarnessTest, OutputOwnsWhatRecordsView) {
  StreamHarness h(1s);
  auto words = h.Input<std::string_view>({{"a b", "c"}}).FlatMap([](std::string_view line) {
    return Split(line, ' ');
  });
  StreamOutput<std::string> out = h.Output(words);
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_EQ(out.batches(), (std::vector<std::vector<std::string>>{{"a", "b", "c"}}));
}

TEST(StreamHarnessTest, ErrorNamesOperatorAndBatchAndLaterBatchesRun) {
  StreamHarness h(1s);
  auto out =
      h.Output(h.Input<int64_t>({{1}, {-1}, {3}}).Map([](int64_t x) -> absl::StatusOr<int64_t> {
        if (x < 0) return absl::InvalidArgumentError("negative");
        return x;
      }));
  const absl::Status status = h.RunBatches(3);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("Map at stream_harness_test.cc:"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("2000 ms"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("negative"));
  EXPECT_EQ(out.batches(), (Numbers{{1}, {3}}));
  EXPECT_TRUE(h.RunBatches(1).ok());
}

TEST(StreamHarnessTest, GraphErrorsComeFromTheFirstRun) {
  StreamHarness h(1s);
  h.Input<int64_t>({{1}});
  const absl::Status status = h.RunBatches(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("No output operations"));
  EXPECT_EQ(h.RunBatches(1), status);
}

}  // namespace
}  // namespace millrace::testing
