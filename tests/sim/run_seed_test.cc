#include "tests/sim/run_seed.h"

#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace::sim {
namespace {

using ::testing::IsEmpty;

TEST(RunSeedTest, EveryProgramIsRightUnderEveryScenario) {
  uint64_t seed = 1'000'000;
  for (const std::string& scenario : ScenarioNames()) {
    for (const std::string& program : ProgramNames()) {
      const RunResult result = RunSeed({.seed = ++seed, .scenario = scenario, .program = program});
      EXPECT_THAT(result.failures, IsEmpty()) << "seed " << seed << ", " << result.summary;
    }
  }
}

TEST(RunSeedTest, ASeedIsOneRun) {
  std::set<uint64_t> digests;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const uint64_t digest = RunSeed({.seed = seed}).digest;
    EXPECT_EQ(RunSeed({.seed = seed}).digest, digest) << seed;
    digests.insert(digest);
  }
  EXPECT_EQ(digests.size(), 5u);
}

}  // namespace
}  // namespace millrace::sim
