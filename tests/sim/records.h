// What the inputs of simulated programs have.
#ifndef MILLRACE_TESTS_SIM_RECORDS_H_
#define MILLRACE_TESTS_SIM_RECORDS_H_

#include <millrace/millrace.h>

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/record/storage_level.h"

namespace millrace::sim {

using Record = std::pair<std::string, int64_t>;

Record RandomRecord(std::mt19937_64& random);

// Where the records of an input come from if not from its batches' times, and what came, batch by
// batch, as an output of the program says.
struct Received {
  bool is_log = false;     // Else a ReliableSource, through a receiver.
  bool is_logged = false;  // By the receiver.
  int64_t source = 0;
  StorageLevel storage_level = StorageLevel::kMemoryAndDisk2;

  std::map<Time, std::vector<std::string>> batches = {};  // As their source sent them.
  std::map<Time, absl::Status> errors = {};
  std::set<Time> changed = {};  // Batches that had something else when they came again.
};

// The process that a program runs in has ended: what it still does reaches nobody.
using HasEnded = std::shared_ptr<const bool>;

// An input whose batches can be made again, for the records of a batch follow from its time; or
// one of others' records.
struct Input {
  uint64_t seed = 0;
  int partitions = 2;
  std::shared_ptr<Received> received = nullptr;  // Null: of times.
  HasEnded has_ended = nullptr;

  std::vector<Record> At(Time batch_time) const;
  // The stream of them. Every program gives each of its inputs another seed.
  DStream<Record> In(StreamingContext& ssc) const;

 private:
  DStream<Record> ReceivedIn(StreamingContext& ssc) const;
  internal::StreamRef LinesIn(StreamingContext& ssc) const;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_RECORDS_H_
