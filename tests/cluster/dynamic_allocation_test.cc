// Workers come while batches take too long and go when they are not needed; results stay exact.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <millrace/testing.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using testing::StreamHarness;

constexpr int kPartitions = 4;
constexpr int kBusyBatches = 60;
constexpr int kIdleBatches = 2000;

// Work of as many milliseconds for each partition, then none.
std::vector<std::vector<int64_t>> Work() {
  std::vector<std::vector<int64_t>> batches;
  batches.insert(batches.end(), kBusyBatches, std::vector<int64_t>(kPartitions, 40));
  batches.insert(batches.end(), kIdleBatches, std::vector<int64_t>(kPartitions, 0));
  return batches;
}

// The process that it was done in, and 1.
std::pair<int64_t, int64_t> DoWork(int64_t milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  return {getpid(), 1};
}

class DynamicAllocationTest : public ::testing::Test {
 protected:
  static Conf Settings() {
    Conf conf;
    conf.Set("millrace.executor.instances", "1");
    conf.Set("millrace.streaming.dynamicAllocation.enabled", "true");
    conf.Set("millrace.streaming.dynamicAllocation.scalingInterval", "100ms");
    return conf;
  }

  template <class Output>
  static std::set<int64_t> ProcessesOf(Output& output) {
    std::set<int64_t> processes;
    for (const auto& [process, count] : output.batches().back()) processes.insert(process);
    return processes;
  }
  // Runs batches until the last one was worked on by as many processes.
  template <class Output>
  static int RunUntil(StreamHarness& harness, Output& output, size_t processes, int batches_max) {
    for (int batch = 1; batch <= batches_max; ++batch) {
      const absl::Status status = harness.RunBatches(1);
      EXPECT_TRUE(status.ok()) << status;
      if (!status.ok() || ProcessesOf(output).size() == processes) return batch;
    }
    ADD_FAILURE() << "never " << processes << " processes in " << batches_max << " batches";
    return batches_max;
  }
};

TEST_F(DynamicAllocationTest, WorkersComeAndGoWithTheLoad) {
  TempDir directory;
  StreamHarness harness(100ms, {.master = "local-cluster[3,1,512]",
                                .conf = Settings(),
                                .checkpoint_dir = directory.path() + "/checkpoint"});
  const auto done = harness.Input<int64_t>(Work(), kPartitions).Map(Fn<&DoWork>);
  auto processes = harness.Output(done);
  auto sums = harness.Output(
      done.Map([](const std::pair<int64_t, int64_t>& one) { return std::pair(0, one.second); })
          .UpdateStateByKey<int64_t>(
              [](int, std::span<const int64_t> ones, std::optional<int64_t> sum) {
                return std::optional(std::accumulate(ones.begin(), ones.end(), sum.value_or(0)));
              }));
  ASSERT_TRUE(harness.RunBatches(1).ok());
  EXPECT_EQ(ProcessesOf(processes).size(), 1u) << "it begins with one";
  const int busy = RunUntil(harness, processes, 3, kBusyBatches - 1);
  ASSERT_TRUE(harness.RunBatches(kBusyBatches - 1 - busy).ok());
  RunUntil(harness, processes, 1, kIdleBatches);

  int64_t expected = 0;
  for (const auto& batch : sums.batches()) {
    expected += kPartitions;
    ASSERT_EQ(batch.size(), 1u);
    EXPECT_EQ(batch[0].second, expected);
  }
}

}  // namespace
}  // namespace millrace
