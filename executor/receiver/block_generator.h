// From what a receiver takes in to blocks in the store.
#ifndef MILLRACE_EXECUTOR_RECEIVER_BLOCK_GENERATOR_H_
#define MILLRACE_EXECUTOR_RECEIVER_BLOCK_GENERATOR_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/log/segment_format.h"
#include "common/log/write_ahead_log.h"
#include "common/memory/buffer.h"
#include "common/record/storage_level.h"
#include "executor/block/block_store.h"
#include "executor/receiver/block_replicator.h"
#include "executor/receiver/open_block.h"
#include "executor/receiver/rate_limiter.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

// One stream's blocks on this worker: the open one, those that wait to be stored, and the reports
// of those that are.
//
//   writer --publish--> open block --cut--> pending --store--> reports --take--> driver
//
// A cut gives the block its sequence number; blocks are stored and reported in that order. Storing
// is done by whoever comes along: the event loop where it need not wait, else the supervisor's
// thread, or a writer that finds too much pending. So a full store slows the receiver, and nothing
// else.
//
// Where there is a log, a block is written to it while it is put into the store, several blocks at
// once where several are pending, and counts as stored when both have it. Then the event loop
// stores nothing itself.
//
// Threads: as each method says. "Writers" are the receiver's own threads.
// Invariants: what is published is in exactly one block; sequence numbers rise by one; a report
// names only what is stored, and one with a batch time comes after all that was cut before it.
class BlockGenerator {
 public:
  static constexpr size_t kBlockBytesMax = size_t{32} << 20;
  // With more pending, writers store before they go on.
  static constexpr size_t kPendingBlocksMax = 10;

  struct Options {
    int64_t stream_id = 0;
    int64_t first_sequence = 0;
    StorageLevel storage_level = StorageLevel::kMemoryAndDisk;
    size_t slab_bytes = OpenBlock::kSlabBytes;
    // An open block that is larger is cut by its writer.
    size_t block_bytes_max = kBlockBytesMax;
    // For levels with a second copy; null: there are no other workers. Outlives the generator.
    BlockReplicator* replicator = nullptr;
    // Null: there is none. Outlives the generator.
    WriteAheadLog* log = nullptr;
    // How long a StoreBlock may take.
    int64_t store_call_nanos_max = 30'000'000'000;
    // A store that is full slows the receiver, which is in order; after so long it is told.
    int64_t full_store_nanos_max = 5'000'000'000;
  };
  // Called from any thread; must not wait.
  struct Callbacks {
    std::function<void()> on_reports;       // TakeReports has something.
    std::function<void()> on_store_needed;  // Some thread that may wait should call StorePending.
    std::function<void(const std::string& message)> on_error;
  };

  BlockGenerator(const Options& options, BlockStore& store, Callbacks callbacks)
      : options_(options),
        store_(store),
        callbacks_(std::move(callbacks)),
        open_(options.slab_bytes),
        next_sequence_(options.first_sequence) {}
  BlockGenerator(const BlockGenerator&) = delete;
  BlockGenerator& operator=(const BlockGenerator&) = delete;

  // -------------------------------------------------------------------------------------------
  // Writers.

  // Appends one encoded record; waits for the limits and for a full store. Any number of threads.
  void AddRecord(std::string_view encoded);
  // Makes a block of its own and returns once it is stored; waits for the rate limit like so many
  // records (-1: nobody knows how many, and its bytes have a rate limit), and for the limit of
  // unprocessed bytes. Any number of threads.
  //   DeadlineExceeded, or the disk's error: it was not stored. Cancelled: ReleaseWriters.
  absl::Status StoreBlock(Buffer encoded, int64_t record_count, std::string_view metadata);

  // For the only writer of a stream of bytes: it fills `open_block` itself, and publishes through
  // PublishRecords, at most `records_at_once` at a time.
  OpenBlock& open_block() { return open_; }
  int64_t records_at_once() const;
  void PublishRecords(size_t bytes, int64_t records);

  // While released, writers wait for nothing. Any thread.
  void ReleaseWriters(bool released);

  // -------------------------------------------------------------------------------------------
  // Event loop.

  // All hold writers; 0: no limit.
  struct Limits {
    double records_per_second = 0;
    double bytes_per_second = 0;  // Of blocks with unknown record counts.
    // What was taken in and is not processed: more is taken while that is less, so each thread may
    // pass it by a record or a block.
    int64_t unprocessed_bytes_max = 0;
  };
  void SetLimits(const Limits& limits);
  // Of all that was stored so far. Never less than before.
  void SetProcessed(int64_t bytes);
  // Ends the open block. Never waits.
  void Cut(int64_t now_ms);
  // The same at the end of a batch: a report with its time will follow.
  void CutBatch(int64_t now_ms, int64_t batch_time_ms);
  // Stores what it can without waiting, and asks for a thread that may wait for the rest.
  void TryStorePending();
  std::vector<proto::BlockReport> TakeReports(int64_t now_ms);

  // -------------------------------------------------------------------------------------------
  // Supervisor's thread.

  // Stores until nothing is pending. A block that cannot be stored is tried again and again, and
  // told about.
  void StorePending();
  // No writer is left. Stores the rest for at most `timeout_nanos`, gives up what remains and tells
  // how much that was. Batch reports are still given.
  void Finish(int64_t timeout_nanos);

 private:
  struct StoreCall;  // A waiting StoreBlock.
  struct Pending {
    int64_t batch_time_ms = 0;  // > 0: a batch ends here; the rest is not set.
    int64_t sequence = 0;
    StoreData data;  // Taken by the store.
    int64_t record_count = 0;
    size_t size_bytes = 0;
    int64_t cut_time_ms = 0;  // 0: not known yet.
    std::string metadata;
    StoreCall* call = nullptr;
    int64_t replica = 0;         // The worker that has a second copy.
    std::vector<Buffer> to_log;  // Of the data, where there is a log.
    std::optional<SegmentPlace> place;
  };
  using Group = std::vector<Pending*>;

  void Admit(int64_t records, size_t bytes);
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WaitWhileTooMuchIsPending();
  void CutLocked(int64_t now_ms) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Append(Pending pending) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Stores the first pending block. False: there is none, or someone else is at it, or it must stay
  // pending.
  bool StoreNext(bool may_wait);
  bool StoreOne(bool may_wait);
  // The same for the first blocks that may be logged together.
  bool StoreLogged();
  Group TakeGroup() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What came of each. nullopt: they must stay pending.
  std::optional<std::vector<absl::Status>> StoreGroup(const Group& group);
  // The same for the log alone, on the way to which they are.
  std::optional<absl::Status> AwaitLogged(const Group& group, std::vector<LogPayload> records,
                                          WriteAheadLog::Written written);
  bool MustReplicate() const;
  // Once it is in the store. An error: it does not count as stored.
  absl::Status Replicate(Pending& pending, const StoreData& data);
  proto::StoredBlock Describe(const Pending& pending) const;
  // nullopt: it must stay pending. An error: it is given up.
  std::optional<absl::Status> StoreWaiting(Pending& pending);
  bool GivesUp(const Pending& pending, int64_t waited_nanos) const;
  bool IsBeingStored(const StoreCall& call) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A StoreBlock that waits no longer: its caller is told that it was cancelled, whoever stores.
  bool IsReleasedCall(const Pending& pending) const;
  bool MustStay(const Pending& pending) const;
  // Moves what is done from the front of `pending_` into the reports.
  void FinishNext(const absl::Status& stored) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PassBatchEnds() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasReports() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  BlockStore& store_;
  const Callbacks callbacks_;

  OpenBlock open_;            // Has its own lock.
  absl::Mutex writer_mutex_;  // Makes writers of records one; taken before `mutex_`.

  // Copies for those who need no exact answer.
  std::atomic<bool> limited_{false};
  std::atomic<size_t> pending_count_{0};

  mutable absl::Mutex mutex_;
  absl::CondVar changed_;
  RateLimiter limiter_ ABSL_GUARDED_BY(mutex_);
  RateLimiter byte_limiter_ ABSL_GUARDED_BY(mutex_);
  int64_t unprocessed_bytes_max_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: no limit.
  // Of all blocks that were ever cut; which the driver said are processed; that were not stored.
  int64_t cut_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t processed_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t given_up_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool released_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t finish_deadline_nanos_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: not finishing.
  int64_t next_sequence_ ABSL_GUARDED_BY(mutex_);
  // The first `storing_count_` belong to the thread that stores them.
  std::list<Pending> pending_ ABSL_GUARDED_BY(mutex_);
  size_t storing_count_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<proto::BlockReport> reports_ ABSL_GUARDED_BY(mutex_);  // With a batch time.
  proto::BlockReport report_ ABSL_GUARDED_BY(mutex_);                // Without, so far.
  bool is_copying_told_ ABSL_GUARDED_BY(mutex_) = false;  // That blocks get no second copy.
  bool told_ ABSL_GUARDED_BY(mutex_) = false;  // on_reports was called since the last TakeReports.
  int64_t lost_blocks_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t lost_records_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_RECEIVER_BLOCK_GENERATOR_H_
