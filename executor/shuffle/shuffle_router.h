// What map tasks need to bring their outputs to where they gather.
#ifndef MILLRACE_EXECUTOR_SHUFFLE_SHUFFLE_ROUTER_H_
#define MILLRACE_EXECUTOR_SHUFFLE_SHUFFLE_ROUTER_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "common/env/peer_transport.h"
#include "common/memory/compression.h"
#include "executor/shuffle/shuffle_store.h"

namespace millrace::internal {

// One for a worker, used by the MapOutputWriters of its tasks.
//
// Threads: any.
class ShuffleRouter {
 public:
  struct Options {
    int64_t worker_id = 0;
    // What goes out together.
    size_t message_bytes = size_t{1} << 20;
    // For what goes to another host.
    CompressionCodec codec = CompressionCodec::kNone;
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

  void AddPeer(int64_t worker_id, bool is_on_this_host) {
    const absl::MutexLock lock(&mutex_);
    if (!is_on_this_host) on_other_hosts_.insert(worker_id);
  }
  void RemovePeer(int64_t worker_id) {
    const absl::MutexLock lock(&mutex_);
    on_other_hosts_.erase(worker_id);
  }
  // How to compress what goes there: within a host copying is faster.
  CompressionCodec CodecFor(int64_t worker_id) const {
    if (options_.codec == CompressionCodec::kNone) return CompressionCodec::kNone;
    const absl::MutexLock lock(&mutex_);
    return on_other_hosts_.contains(worker_id) ? options_.codec : CompressionCodec::kNone;
  }

 private:
  const Options options_;
  ShuffleStore& store_;
  PeerTransport* const peers_ = nullptr;

  mutable absl::Mutex mutex_;
  absl::flat_hash_set<int64_t> on_other_hosts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_SHUFFLE_SHUFFLE_ROUTER_H_
