// A golden case: streams, what goes in, what must come out.
#ifndef MILLRACE_TESTS_GOLDEN_CASE_H_
#define MILLRACE_TESTS_GOLDEN_CASE_H_

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/time/time.h"
#include "tests/golden/value.h"

namespace millrace::golden {

// `line`s are those of the case's file.

// One record of text a step: "Window 2s 1s" -> {"Window", "2s", "1s"}.
using Step = std::vector<std::string>;

// a | Map double | Union b
struct Chain {
  std::string source;
  std::vector<Step> steps;
  int line = 0;
};

// A stream that the test feeds.
struct InputStream {
  std::string name;
  std::string type;
  int partitions = 2;
  // nullopt: no data set at that time. Times that are not named have an empty one.
  std::map<Time, std::optional<std::vector<Value>>> batches;
  int line = 0;
};

struct DataSet {
  std::string name;
  std::string type;
  std::vector<Value> records;
  int line = 0;
};

struct QueueStream {
  std::string name;
  std::string type;
  bool one_at_a_time = true;
  std::string when_empty;  // The name of a data set, or "".
  std::vector<std::vector<Value>> data_sets;
  int line = 0;
};

struct NamedStream {
  std::string name;
  Chain chain;
};

// What a stream must have.
struct Expectation {
  Chain chain;
  bool any_order = false;
  std::optional<std::vector<int>> partitions;  // One for all batches, or one a batch.
  std::map<Time, std::vector<Value>> batches;  // There is no data set at any other time.
};

struct ExpectedFailure {
  absl::StatusCode code = absl::StatusCode::kOk;
  std::vector<std::string> texts;  // All of them stand in the message.
  int line = 0;
};

// What DStream::Slice must give.
struct ExpectedSlice {
  std::string stream;
  Time from;
  Time to;
  // Asked for when the batch of that time has run, Time(0) being the start; else behind the last
  // one.
  std::optional<Time> after;
  bool any_order = false;
  std::vector<std::vector<Value>> data_sets;
  std::optional<ExpectedFailure> fails;
  int line = 0;
};

struct Case {
  std::string file;  // Below the folder of the cases.
  std::string name;
  int line = 0;

  std::chrono::milliseconds interval{1000};
  bool has_checkpoint_directory = false;
  std::optional<std::chrono::milliseconds> remember;
  Time last{0};  // The last time that the case names: batches run until then.

  std::vector<InputStream> inputs;
  std::vector<DataSet> data_sets;
  std::vector<QueueStream> queues;
  std::vector<NamedStream> streams;
  std::vector<Expectation> expectations;
  std::vector<ExpectedSlice> slices;
  std::vector<Chain> outputs;  // Their last step is an output operation.
  std::optional<std::string> printed;
  std::map<std::string, std::string> files;  // Path below the case's directory -> content.
  std::optional<ExpectedFailure> start_fails;
  std::optional<ExpectedFailure> batches_fail;
};

}  // namespace millrace::golden

#endif  // MILLRACE_TESTS_GOLDEN_CASE_H_
