// What a simulated program has put out.
#ifndef MILLRACE_TESTS_SIM_COLLECTED_H_
#define MILLRACE_TESTS_SIM_COLLECTED_H_

#include <millrace/millrace.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/sim/programs.h"

namespace millrace::sim {

// The batches of an output, each with its lines in order or with why it has none.
struct Collected {
  std::map<Time, std::vector<Lines>> lines;  // Once for each time that the batch ran.
  std::map<Time, absl::Status> errors;       // The last of each batch.

  // The latest batch that has ended; 0: none has.
  Time last() const;
};

// Into `collected`, until the program's process has ended.
void Collect(const DStream<std::string>& stream, const std::shared_ptr<Collected>& collected,
             const HasEnded& has_ended);

// What is wrong with it: batches that were left out, unless some `may_miss`, came twice though none
// `may_repeat`, differ from what the program must put out, or failed with an error that `may_fail`
// does not excuse.
std::vector<std::string> Compare(const Collected& collected, const Program& program,
                                 const Shape& shape, bool may_repeat, bool may_miss,
                                 const std::function<bool(const absl::Status&)>& may_fail);

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_COLLECTED_H_
