// What the inputs of simulated programs have.
#ifndef MILLRACE_TESTS_SIM_RECORDS_H_
#define MILLRACE_TESTS_SIM_RECORDS_H_

#include <millrace/millrace.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace millrace::sim {

using Record = std::pair<std::string, int64_t>;

// An input whose batches can be made again: the records of a batch follow from its time.
struct Input {
  uint64_t seed = 0;
  int partitions = 2;

  std::vector<Record> At(Time batch_time) const;
  // The stream of them. Every program gives each of its inputs another seed.
  DStream<Record> In(StreamingContext& ssc) const;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_RECORDS_H_
