// Where the receivers of each driver log, one after the other in one checkpoint directory.
#ifndef MILLRACE_CLIENT_DSTREAM_LOGGING_RUNS_H_
#define MILLRACE_CLIENT_DSTREAM_LOGGING_RUNS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/fs/file_system.h"

namespace millrace::internal {

// The drivers that have logged in a checkpoint directory, each in a directory of its own:
//   receivedData/run-RUN/STREAM/START/log-...
struct LoggingRuns {
  std::string root;              // "<checkpoint directory>/receivedData"
  std::vector<int64_t> earlier;  // Of other drivers.
  int64_t own = 0;               // 0: this driver logs nothing.

  std::string DirectoryOf(int64_t run) const;
  std::string SealOf(int64_t run) const;
};

// `logs`: this driver will log, under a number that no other has had.
absl::StatusOr<LoggingRuns> BeginLogging(FileSystem& fs, const std::string& checkpoint_directory,
                                         bool logs);

// Nobody logs what earlier drivers log any more from here on. Only a driver that will go on in
// their place may do that: one of them may live.
absl::Status SealEarlier(FileSystem& fs, const LoggingRuns& runs);

// The directories in `directory` whose names are `prefix` and the number of a run or of a start,
// rising. Empty where there is none.
absl::StatusOr<std::vector<int64_t>> ListNumbered(FileSystem& fs, const std::string& directory,
                                                  absl::string_view prefix);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_DSTREAM_LOGGING_RUNS_H_
