// Where the stream graph (client/) and the driver meet: the graph says what a batch's jobs are, the
// driver says when, runs them and keeps the books.
#ifndef MILLRACE_DRIVER_BATCH_STREAMING_HANDLE_H_
#define MILLRACE_DRIVER_BATCH_STREAMING_HANDLE_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/record/storage_level.h"
#include "common/time/time.h"
#include "driver/batch/start_ranges.h"
#include "driver/cluster/scaling_policy.h"
#include "driver/event/streaming_listener.h"
#include "driver/lineage/offset_range.h"
#include "driver/lineage/rdd_node.h"

namespace millrace::internal {

// The write-ahead logs of a receiver: one for each of its starts, in a directory of its own.
struct ReceiverLogSpec {
  std::string directory;  // The starts' directories lie in it, named by their numbers.
  std::string run_seal;   // Once this file is there, what the run's receivers log counts no more.
  std::chrono::milliseconds rolling_interval{60'000};
  int attempts_max = 3;
  bool close_after_write = false;
};

// A receiver that the driver places on a worker and keeps running there.
struct ReceiverSpec {
  int64_t stream_id = 0;
  std::string operator_name;  // Of the registered receiver factory.
  std::string params;         // Its encoded arguments.
  StorageLevel storage_level = StorageLevel::kMemoryAndDisk2;
  std::string preferred_host;
  std::string name;   // "SocketTextReceiver-0"
  std::string label;  // "SocketTextStream at wc.cc:12"
  std::optional<ReceiverLogSpec> log;
  // Its blocks are numbered from here on at least, so as not to meet those of earlier drivers.
  int64_t first_sequence = 0;
};

// How fast the driver allows a stream to go. Set by the event loop, read where batches are made.
class RateLimit {
 public:
  // Records a second; 0: no limit.
  double rate() const { return rate_.load(std::memory_order_relaxed); }
  void Set(double rate) { rate_.store(rate, std::memory_order_relaxed); }

 private:
  std::atomic<double> rate_{0};
};

// A stream that reads ranges of offsets, which its batches fix when they are made.
struct DirectStreamSpec {
  int64_t stream_id = 0;
  std::shared_ptr<RateLimit> rate_limit;
};

// A received block that a batch was given.
struct ReceivedBlock {
  BlockRef id;
  int64_t record_count = -1;
  int64_t size_bytes = 0;
  int64_t worker_id = 0;
  std::string metadata;
  std::optional<BlockLogPlace> log_place;
};

// The blocks of one batch by stream id; every receiver stream has an entry, maybe an empty one.
using BatchBlocks = std::map<int64_t, std::vector<ReceivedBlock>>;

// What workers have that were there under an earlier driver.
struct EarlierBlocks {
  BatchBlocks blocks;  // In the order of their sequences.
  // No start of a stream's receiver has had this number or a higher one.
  std::map<int64_t, int64_t> end_start;
};

// What is known of a stream's blocks on workers, whose receiver earlier drivers had started. Of
// starts that are in neither no block counts any more.
struct TakenOverStarts {
  std::map<int64_t, int64_t> assigned;  // Up to which block batches have had those of a start.
  StartRanges unheard;                  // No batch has had any of their blocks.
};

// What an earlier driver has left, in the logs of receivers or on workers.
struct RecoveredBlocks {
  // With what they had: that have not ended, and others that states may have to be made again of.
  std::map<Time, BatchBlocks> batches;
  // In no batch; the first one that comes due from here on has them.
  BatchBlocks unallocated;
  // By stream, of those whose blocks and receivers on workers go on under this driver.
  std::map<int64_t, TakenOverStarts> taken_over;
};

// Starts of receivers, by stream: a start's number is its blocks' sequence >> 32.
using ReceiverStarts = std::map<int64_t, std::vector<int64_t>>;

// One output operation's work in one batch.
struct BatchJob {
  int output_op_id = 0;
  std::string name;
  std::string description;
  // Runs on a job thread, may block in DriverHandle::RunJob. A thrown exception or an error fails
  // the batch's output, not the application.
  std::function<absl::Status()> run;
};

struct GeneratedBatch {
  std::vector<BatchJob> jobs;                  // In declaration order.
  std::map<int, StreamInputInfo> input_infos;  // Of streams without a receiver.
  // Of streams that read offsets, by stream id: with them the batch can be made again.
  std::map<int, OffsetRangesRef> offset_ranges;
};

// The graph of streams. Calls come from job threads: GenerateJobs one at a time, but ClearCompleted
// also while another batch is generated or cleared.
class BatchGraph {
 public:
  virtual ~BatchGraph() = default;
  // Once, before all others, on the event loop: the first batch ends one interval behind this time,
  // but where the run resumes.
  virtual void BeginAfter(Time zero_time) = 0;
  // Makes the batch's data sets. Batch times come in rising order; each is asked for once.
  virtual absl::StatusOr<GeneratedBatch> GenerateJobs(Time batch_time,
                                                      const BatchBlocks& blocks) = 0;
  // The batch ended (whatever its outcome): drop what no later batch needs. Returns the time up to
  // which (inclusive) received blocks may be dropped. `cut_short`: the run was stopped before the
  // batch's jobs were through, so they are still to be done.
  virtual Time ClearCompleted(Time batch_time, bool cut_short) = 0;

  // Of batches that came due while no driver was there, and are many: the first of them from `next`
  // on that must be made, and `end` if there is none before that. On a job thread, behind
  // GenerateJobs of the one before.
  virtual Time NextMissed(Time next, Time /*end*/) { return next; }

  // Of streams with receiver logs: no batch after the next one gets blocks of these starts. On a
  // job thread, before that batch's GenerateJobs.
  virtual void StartsEnded(const ReceiverStarts& /*starts*/) {}
};

// Where an earlier driver of the application was.
struct ResumePoint {
  Time completed_time;  // Every batch up to it has ended.
  Time last_time;       // Of the latest batch that was made.
};

struct StreamingSpec {
  std::chrono::milliseconds batch_interval{1000};
  // The batches behind it run first, each once: those that were made and had not ended, and those
  // that came due since (of very many the first, and then those that the graph needs).
  std::optional<ResumePoint> resume;
  RecoveredBlocks recovered;
  // Batches begin later than their times by this share, from 0 to below 1, of the jitter (of the
  // interval at most).
  std::chrono::milliseconds batch_jitter{0};
  double batch_jitter_share = 0;
  std::vector<ReceiverSpec> receivers;
  std::vector<DirectStreamSpec> direct_streams;
  std::shared_ptr<BatchGraph> graph;
  int concurrent_jobs = 1;
  std::chrono::milliseconds block_interval{200};
  std::chrono::milliseconds receiver_restart_delay{2000};
  std::chrono::milliseconds block_store_timeout{30'000};
  uint32_t max_line_bytes = 16u << 20;
  std::chrono::milliseconds graceful_stop_timeout{0};  // 0: ten batch intervals.
  // millrace.streaming.backpressure.* and receiver.maxRate; 0 where unset.
  bool backpressure_enabled = false;
  double pid_proportional = 1.0;
  double pid_integral = 0.2;
  double pid_derived = 0.0;
  double pid_min_rate = 100;
  double initial_rate = 0;
  double max_rate = 0;
  // None: the application keeps the workers that it began with.
  std::optional<ScalingOptions> scaling;
};

struct StreamingResult {
  absl::Status status;  // The latest reported error (failed job or generation), else OK.
  bool stopped = false;
};

// Thread-safe. One streaming run of an application.
class StreamingHandle {
 public:
  virtual ~StreamingHandle() = default;

  // Receivers are asked to start, then the batch ticker. Returns when both are under way.
  virtual absl::Status Start(StreamingSpec spec) = 0;
  // Graceful: stop receivers, process everything received, run the last batch. Callable from any
  // thread, a job included; returns at once (see AwaitStopped).
  virtual void Stop(bool graceful) = 0;
  // Blocks until stopped, or until an error is reported, or for `timeout` (negative: for ever).
  virtual StreamingResult Await(std::chrono::milliseconds timeout) = 0;
  // The same, but errors do not end the wait. True: stopped.
  virtual bool AwaitStopped(std::chrono::milliseconds timeout) = 0;
  // `name` is for the log.
  virtual void AddListener(std::shared_ptr<StreamingListener> listener, std::string name,
                           ListensTo to) = 0;
  // Blocks until the batch of that time has completed with all its bookkeeping; its first error.
  // For the test harness, which moves the clock itself.
  virtual absl::Status AwaitBatch(Time batch_time, std::chrono::milliseconds timeout) = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_BATCH_STREAMING_HANDLE_H_
