// How a case is run.
#ifndef MILLRACE_TESTS_GOLDEN_CASE_RUNNER_H_
#define MILLRACE_TESTS_GOLDEN_CASE_RUNNER_H_

#include <string>

#include "absl/status/statusor.h"
#include "tests/golden/case.h"
#include "tests/golden/outcome.h"

namespace millrace::golden {

// One implementation for each place where tasks may run; the cases are the same for all.
class CaseRunner {
 public:
  virtual ~CaseRunner() = default;

  // InvalidArgument when the case names what there is not.
  virtual absl::StatusOr<Outcome> Run(const Case& golden) const = 0;
};

}  // namespace millrace::golden

#endif  // MILLRACE_TESTS_GOLDEN_CASE_RUNNER_H_
