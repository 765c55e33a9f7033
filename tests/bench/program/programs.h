// The programs of the table: whole jobs, each against the plain loop of the same job.
#ifndef MILLRACE_TESTS_BENCH_PROGRAM_PROGRAMS_H_
#define MILLRACE_TESTS_BENCH_PROGRAM_PROGRAMS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/bench/report/figure.h"

namespace millrace::bench {

// A text file: one figure for each of local[1] and local[2].
absl::StatusOr<std::vector<Figure>> FileWordCount(const BenchOptions& options);
absl::StatusOr<std::vector<Figure>> FileGrep(const BenchOptions& options);
// Text from a server on loopback that sends as fast as it can.
absl::StatusOr<std::vector<Figure>> NetworkWordCount(const BenchOptions& options);
// The same with the receiver's log, against without.
absl::StatusOr<std::vector<Figure>> LoggedWordCount(const BenchOptions& options);
// MapWithState over a million keys: a batch that updates them all, and one that updates 1,000.
absl::StatusOr<std::vector<Figure>> RunningCount(const BenchOptions& options);
// UpdateStateByKey over a million keys, all of them updated, against a loop that visits every key.
absl::StatusOr<std::vector<Figure>> UpdatedState(const BenchOptions& options);
// What is written of a million keys of which 10,000 change, against the bytes of those.
absl::StatusOr<std::vector<Figure>> SavedState(const BenchOptions& options);
// What writing down each batch adds to its time.
absl::StatusOr<std::vector<Figure>> CheckpointCost(const BenchOptions& options);
// ReduceByKeyAndWindow with its inverse, against the same without a window.
absl::StatusOr<std::vector<Figure>> InverseWindow(const BenchOptions& options);
// ReduceByKeyAndWindow without an inverse, a window of 100 batches against one of 10.
absl::StatusOr<std::vector<Figure>> WindowLength(const BenchOptions& options);
absl::StatusOr<std::vector<Figure>> TopWords(const BenchOptions& options);
absl::StatusOr<std::vector<Figure>> StreamJoin(const BenchOptions& options);
absl::StatusOr<std::vector<Figure>> PairSort(const BenchOptions& options);
absl::StatusOr<std::vector<Figure>> CampaignCount(const BenchOptions& options);
absl::StatusOr<std::vector<Figure>> EmptyBatch(const BenchOptions& options);
// A record's way from the socket to the output, at batches of a millisecond.
absl::StatusOr<std::vector<Figure>> RecordLatency(const BenchOptions& options);
// What a user's first program costs: its memory while it runs, and its compilation.
absl::StatusOr<std::vector<Figure>> ResidentMemory(const BenchOptions& options);
absl::StatusOr<std::vector<Figure>> CompileTime(const BenchOptions& options);

// The same jobs by two worker processes: empty batches, and the text from a server.
absl::StatusOr<std::vector<Figure>> ClusterEmptyBatch(const BenchOptions& options);
absl::StatusOr<std::vector<Figure>> ClusterWordCount(const BenchOptions& options);
absl::StatusOr<std::vector<Figure>> WorkerShuffle(const BenchOptions& options);
// The longest time without output after a worker was killed: one that receives, and one of two that
// have a million keys of state.
absl::StatusOr<std::vector<Figure>> WorkerKill(const BenchOptions& options);
absl::StatusOr<std::vector<Figure>> StateKill(const BenchOptions& options);
// The same of a driver in the cluster, from its next start on: until its first new output.
absl::StatusOr<std::vector<Figure>> DriverKill(const BenchOptions& options);
// With a driver daemon and an executor daemon.
absl::StatusOr<std::vector<Figure>> SubmitTime(const BenchOptions& options);
absl::StatusOr<std::vector<Figure>> IdleDaemons(const BenchOptions& options);
absl::StatusOr<std::vector<Figure>> DriverLaunches(const BenchOptions& options);

// The generated text of so many bytes as a file, written once.
absl::StatusOr<std::string> BenchText(int64_t bytes);

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_PROGRAM_PROGRAMS_H_
