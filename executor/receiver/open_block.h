// The block that a receiver fills at this moment.
#ifndef MILLRACE_EXECUTOR_RECEIVER_OPEN_BLOCK_H_
#define MILLRACE_EXECUTOR_RECEIVER_OPEN_BLOCK_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "common/memory/buffer.h"

namespace millrace::internal {

// What a cut yields: whole records only, in the order in which they were published.
struct BlockContent {
  std::vector<Buffer> pieces;
  int64_t record_count = 0;
  size_t size_bytes = 0;
};

// A slab that the writer reads bytes into while the parts before are already cut off and on their
// way through a batch:
//
//      cut earlier      open block          pending        room
//   |----------------|...............|~~~~~~~~~~~~~~~|              |
//   0              begin            end            filled        capacity
//                    the lock's                  the writer's
//
// The writer publishes pending bytes once they are whole records; only those can be cut. Where it
// skips some, or the slab ends, the block goes on in a new piece. A piece never ends within a
// record.
//
// Threads: Cut and size_bytes from any, the rest from one writer at a time. The lock is held for
// nanoseconds: a cut never waits for a read, nor a read for a cut.
class OpenBlock {
 public:
  static constexpr size_t kSlabBytes = size_t{256} << 10;

  explicit OpenBlock(size_t slab_bytes = kSlabBytes) : slab_bytes_(slab_bytes) {}
  OpenBlock(const OpenBlock&) = delete;
  OpenBlock& operator=(const OpenBlock&) = delete;

  // Where to put the next bytes: at least `bytes_min`. May move the pending bytes.
  absl::Span<char> Room(size_t bytes_min);
  // The first `bytes` of the room were written; they are pending now.
  void Fill(size_t bytes) { filled_ += bytes; }
  std::string_view pending() const;

  // The first `bytes` pending ones hold `records` whole records. Returns size_bytes().
  size_t Publish(size_t bytes, int64_t records);
  // The first `bytes` pending ones belong to no block. With 0, what comes next starts a new piece.
  void Skip(size_t bytes);

  BlockContent Cut();
  // Of the open block.
  size_t size_bytes() const;

 private:
  void ClosePiece() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MoveToNewSlab(size_t bytes_min);
  // Reuses the slab from its front where no bytes of it are in use any more.
  bool StartedOver(size_t bytes_min);

  const size_t slab_bytes_;

  // The writer's own.
  char* data_ = nullptr;  // Of the slab, as is its capacity.
  size_t capacity_ = 0;
  size_t filled_ = 0;
  size_t published_ = 0;  // Equals end_ between two calls.

  mutable absl::Mutex mutex_;
  Slab slab_ ABSL_GUARDED_BY(mutex_);
  size_t begin_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t end_ ABSL_GUARDED_BY(mutex_) = 0;
  BlockContent open_ ABSL_GUARDED_BY(mutex_);  // Its last piece, [begin_, end_), still grows.
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_RECEIVER_OPEN_BLOCK_H_
