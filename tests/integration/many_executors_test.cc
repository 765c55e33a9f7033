// As many executors as a small cluster has, on one machine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <sstream>
#include <string>

#include "tests/integration/test_cluster.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

constexpr int kExecutors = 50;

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(ManyExecutorsTest, WorkOnOneJob) {
  const auto start = std::chrono::steady_clock::now();
  TestCluster cluster;
  const Daemon* first = nullptr;
  for (int i = 0; i < kExecutors; ++i) {
    const Daemon& executor = cluster.AddExecutor(
        "executor" + std::to_string(i), 1, {"--memory_mb=" + std::to_string(256 * kMemoryFactor)});
    if (i == 0) first = &executor;
  }
  std::printf("%d executors after %.1f s\n", kExecutors, SecondsSince(start));
  EXPECT_THAT(cluster.Submit({"--list"}).out, HasSubstr("executors: 50\n"));
  const TestCluster::Finished finished =
      cluster.Submit({"--executor-memory", std::to_string(128 * kMemoryFactor) + "m",
                      std::string(MILLRACE_TEST_PROGRAMS) + "/numbers_by_key"});
  std::printf("the program ended after %.1f s\n", SecondsSince(start));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  std::map<int64_t, int64_t> expected;
  for (int64_t number = 0; number < 1'000'000; ++number) expected[number % 100] += 2 * number;
  std::map<int64_t, int64_t> sums;
  std::istringstream out(finished.out);
  int64_t key = 0;
  int64_t sum = 0;
  while (out >> key >> sum) sums[key] += sum;
  EXPECT_EQ(sums, expected);
  EXPECT_THAT(finished.out, HasSubstr("processes: 50\n"));
  std::printf("resident: the driver daemon %lld MiB, an executor daemon %lld MiB\n",
              static_cast<long long>(ResidentMb(cluster.driver().process->pid())),
              static_cast<long long>(ResidentMb(first->process->pid())));
}

}  // namespace
}  // namespace millrace
