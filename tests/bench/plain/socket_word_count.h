// The hand-written network word counts: read a socket, count its words. Both are run and the faster
// counts.
#ifndef MILLRACE_TESTS_BENCH_PLAIN_SOCKET_WORD_COUNT_H_
#define MILLRACE_TESTS_BENCH_PLAIN_SOCKET_WORD_COUNT_H_

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "tests/bench/plain/word_count.h"

namespace millrace::bench {

// One thread that reads a MiB and counts it.
absl::StatusOr<WordTotals> CountWordsOfSocket(int port, absl::FunctionRef<void()> connected);
// One thread that reads, and one that counts what the first has read.
absl::StatusOr<WordTotals> CountWordsOfSocketOnTwoThreads(int port,
                                                          absl::FunctionRef<void()> connected);

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_PLAIN_SOCKET_WORD_COUNT_H_
