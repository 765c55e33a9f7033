// Runs cases with the StreamHarness that users have.
#ifndef MILLRACE_TESTS_GOLDEN_HARNESS_RUNNER_H_
#define MILLRACE_TESTS_GOLDEN_HARNESS_RUNNER_H_

#include <string>
#include <utility>

#include "tests/golden/case_runner.h"

namespace millrace::golden {

class HarnessRunner : public CaseRunner {
 public:
  // `master`: as in StreamHarness::Options.
  explicit HarnessRunner(std::string master) : master_(std::move(master)) {}

  absl::StatusOr<Outcome> Run(const Case& golden) const override;

 private:
  const std::string master_;
};

}  // namespace millrace::golden

#endif  // MILLRACE_TESTS_GOLDEN_HARNESS_RUNNER_H_
