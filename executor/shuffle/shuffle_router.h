// Sends each worker the buckets of the reduce partitions that gather on it.
#ifndef MILLRACE_EXECUTOR_SHUFFLE_SHUFFLE_ROUTER_H_
#define MILLRACE_EXECUTOR_SHUFFLE_SHUFFLE_ROUTER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "common/env/peer_transport.h"
#include "executor/shuffle/shuffle_store.h"

namespace millrace::internal {

// Buckets for this worker go to its store; the others go out, several in a message, and Put returns
// when their workers have acknowledged them all. What is on its way at once is bounded for each
// Put, so all of them together by the number of tasks that run.
//
// Threads: any.
class ShuffleRouter final : public MapOutputSink {
 public:
  static constexpr size_t kMessageBytes = size_t{1} << 20;  // Or one bucket that is larger.
  static constexpr size_t kUnderWayBytesMax = size_t{16} << 20;

  struct Options {
    int64_t worker_id = 0;
    // Without an answer of any peer for so long a Put gives up.
    std::chrono::milliseconds timeout{120'000};
  };

  // Both outlive the router, and the calls that it makes.
  ShuffleRouter(const Options& options, ShuffleStore& store, PeerTransport& peers)
      : options_(options), store_(store), peers_(peers) {}

  // Unavailable: a worker could not be reached; some buckets may have arrived.
  absl::Status Put(MapOutput output) override;

 private:
  const Options options_;
  ShuffleStore& store_;
  PeerTransport& peers_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_SHUFFLE_SHUFFLE_ROUTER_H_
