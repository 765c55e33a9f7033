// What a run of a case gave, and how that is compared with what the case expects.
#ifndef MILLRACE_TESTS_GOLDEN_OUTCOME_H_
#define MILLRACE_TESTS_GOLDEN_OUTCOME_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/time/time.h"
#include "tests/golden/case.h"
#include "tests/golden/value.h"

namespace millrace::golden {

// One entry for each batch in which the stream had a data set.
struct SeenStream {
  std::vector<Time> times;
  std::vector<std::vector<Value>> batches;
  std::vector<int> partition_counts;
};

// The records of each data set, or why there are none.
using SeenSlice = absl::StatusOr<std::vector<std::vector<Value>>>;

struct Outcome {
  absl::Status start;
  absl::Status batches;           // The first error of them.
  std::vector<SeenStream> seen;   // For each expectation of the case.
  std::vector<SeenSlice> slices;  // For each of the case's.
  std::string printed;
  std::map<std::string, std::string> files;  // Those that the case names and that are there.
};

// How `outcome` differs from what is expected, a line each with the place in the case's file; empty
// when the case holds.
std::string Differences(const Case& golden, const Outcome& outcome);

}  // namespace millrace::golden

#endif  // MILLRACE_TESTS_GOLDEN_OUTCOME_H_
