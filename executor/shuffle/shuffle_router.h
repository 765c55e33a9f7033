// What map tasks need to bring their outputs to where they gather.
#ifndef MILLRACE_EXECUTOR_SHUFFLE_SHUFFLE_ROUTER_H_
#define MILLRACE_EXECUTOR_SHUFFLE_SHUFFLE_ROUTER_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/env/peer_transport.h"
#include "executor/shuffle/shuffle_store.h"

namespace millrace::internal {

// One for a worker, used by the MapOutputWriters of its tasks. Immutable.
class ShuffleRouter {
 public:
  struct Options {
    int64_t worker_id = 0;
    // What goes out together.
    size_t message_bytes = size_t{1} << 20;
    // Without an answer of any peer for so long a task gives up.
    std::chrono::milliseconds timeout{120'000};
  };

  // Without peers every shuffle gathers here.
  explicit ShuffleRouter(ShuffleStore& store) : store_(store) {}
  // Both outlive the router, and the calls that are made.
  ShuffleRouter(const Options& options, ShuffleStore& store, PeerTransport& peers)
      : options_(options), store_(store), peers_(&peers) {}

  // What a task may have sent that was not acknowledged, in messages' worth.
  static constexpr size_t kUnderWayMessagesMax = 16;

  const Options& options() const { return options_; }
  ShuffleStore& store() const { return store_; }
  PeerTransport* peers() const { return peers_; }

  // How much of a bucket a task gathers before it hands that over, so that its buckets together
  // stay within some messages, however many they are.
  size_t piece_bytes(size_t reduce_count) const {
    constexpr size_t kMessagesOfAllBuckets = 32;
    constexpr size_t kPiecesOfAMessage = 64;
    return std::clamp(
        options_.message_bytes * kMessagesOfAllBuckets / std::max<size_t>(reduce_count, 1),
        options_.message_bytes / kPiecesOfAMessage, options_.message_bytes);
  }

 private:
  const Options options_;
  ShuffleStore& store_;
  PeerTransport* const peers_ = nullptr;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_SHUFFLE_SHUFFLE_ROUTER_H_
