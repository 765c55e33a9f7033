#include "tests/sim/daemon_run.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace::sim {
namespace {

using ::testing::IsEmpty;

TEST(DaemonRunTest, ClustersAreWellAfterEveryScenario) {
  uint64_t seed = 2'000'000;
  for (const std::string& scenario : DaemonScenarioNames()) {
    for (int i = 0; i < 10; ++i) {
      const RunResult result = RunDaemonSeed({.seed = ++seed, .scenario = scenario});
      EXPECT_THAT(result.failures, IsEmpty()) << "seed " << seed << ", " << result.summary;
    }
  }
}

TEST(DaemonRunTest, ASeedIsOneRun) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    EXPECT_EQ(RunDaemonSeed({.seed = seed}).digest, RunDaemonSeed({.seed = seed}).digest) << seed;
  }
}

}  // namespace
}  // namespace millrace::sim
