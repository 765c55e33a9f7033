// The programs that simulations run, each with a plain model of what it must put out.
#ifndef MILLRACE_TESTS_SIM_PROGRAMS_H_
#define MILLRACE_TESTS_SIM_PROGRAMS_H_

#include <millrace/millrace.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "tests/sim/records.h"

namespace millrace::sim {

// What a program is declared with, as far as it does not matter for its results.
struct Shape {
  uint64_t seed = 0;  // Of its inputs.
  std::chrono::milliseconds batch_interval{1000};
  int map_partitions = 2;
  int reduce_partitions = 2;
  int checkpoint_batches = 10;  // How often states are saved.

  std::chrono::milliseconds checkpoint_interval() const {
    return checkpoint_batches * batch_interval;
  }
  Input InputOf(int number) const {
    return {.seed = seed + static_cast<uint64_t>(number), .partitions = map_partitions};
  }
};

using Lines = std::vector<std::string>;

// Tasks count records in it, each once however often they run.
using Counter = LongAccumulator;

struct Program {
  std::string name;
  // Adds up what all batches had. Whether the records of a batch that was given up are in it is not
  // said, so nothing that comes after one is compared.
  bool accumulates = false;
  bool keeps_state = false;
  // Counts all records of input 0.
  bool counts = false;
  std::function<DStream<std::string>(StreamingContext&, const Shape&, const Counter&)> declare =
      nullptr;
  // What the last of these batches, which are all since the first one, must put out, in any order.
  std::function<Lines(const Shape&, const std::vector<Time>& batches)> expected = nullptr;
  // Whether the user's code fails in the batch, so that the batch must fail; null: never.
  std::function<bool(const Shape&, Time)> fails = nullptr;
};

const std::vector<Program>& Programs();

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_PROGRAMS_H_
