// Keeps an application's receivers running somewhere.
#ifndef MILLRACE_DRIVER_RECEIVER_RECEIVER_TRACKER_H_
#define MILLRACE_DRIVER_RECEIVER_RECEIVER_TRACKER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/env/env.h"
#include "driver/batch/streaming_handle.h"
#include "driver/block/block_locations.h"
#include "driver/cluster/worker_registry.h"
#include "driver/event/listener_bus.h"
#include "driver/receiver/rate_controller.h"
#include "driver/receiver/received_before.h"
#include "driver/receiver/received_block_tracker.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

// Places receivers, starts them again elsewhere when their worker is lost or they end by
// themselves, takes their blocks, and asks them to cut at batch boundaries.
//
// Threads: the driver core's event loop.
// Invariants: a stream's blocks are numbered without a number ever being given twice, also by a
// receiver that was thought lost; no receiver starts after Stop.
class ReceiverTracker {
 public:
  struct Beginning {
    StreamLimits limits;
    int64_t first_sequence = 0;  // Every stream numbers its blocks from here on.
  };
  // The references outlive the tracker.
  ReceiverTracker(Env& env, WorkerRegistry& workers, BlockLocations& locations, ListenerBus& bus,
                  const StreamingSpec& spec, const Beginning& beginning);
  ~ReceiverTracker();
  ReceiverTracker(const ReceiverTracker&) = delete;
  ReceiverTracker& operator=(const ReceiverTracker&) = delete;

  // Receivers of an earlier driver that workers have go on where they are the same.
  void Start(const ReceivedBefore& before);
  // Receivers store what they have and end; `done` runs when all have, or their workers are lost.
  void Stop(Closure done);

  // All running receivers cut; `done` runs when what they received before this is reported, or at
  // the deadline, after which it goes to the next batch.
  void CutForBatch(Time batch_time, int64_t deadline_micros, Closure done);

  // For the receiver of one stream.
  void SetLimits(int64_t stream_id, const StreamLimits& limits);
  // The batch with these blocks has ended: receivers whose unprocessed bytes are limited may take
  // in as much again.
  void BlocksProcessed(const BatchBlocks& blocks);

  void HandleBlockReport(int64_t worker_id, const proto::BlockReport& report);
  void HandleReceiverEvent(int64_t worker_id, const proto::ReceiverEvent& event);
  void WorkerAdded();
  // After the worker has left the registry.
  void WorkerLost(int64_t worker_id);

  // A receiver runs there or was told to.
  bool IsOn(int64_t worker_id) const;

  ReceivedBlockTracker& blocks() { return blocks_; }
  // What an earlier driver has left, before all others: the batches that it had made, and what goes
  // to the next one that is allocated. What workers have beside that is dropped.
  void RestoreBatches(const std::vector<Time>& made);
  void AddRecovered(const ReceivedBefore& before);
  // Starts of receivers with logs of which all blocks are known by now; each is told once.
  ReceiverStarts TakeEndedStarts() { return std::exchange(ended_starts_, {}); }
  // Nothing runs and nothing will, and what a lost worker has logged is known.
  bool all_stopped() const;

 private:
  struct Receiver {
    ReceiverSpec spec;
    ReceiverInfo info;
    std::optional<int64_t> worker_id;  // Where it runs or was told to.
    std::optional<int64_t> failed_worker;
    int64_t next_sequence = 0;
    int64_t first_sequence = 0;  // What is below was received under an earlier driver.
    std::set<int64_t> leaving;   // Workers on which one of an earlier driver's is to end first.
    StreamLimits limits;
    // Of the blocks of its present placement, which are numbered from there on.
    int64_t placement_sequence = 0;
    int64_t processed_bytes = 0;
    int64_t reported_segment = 0;  // Of its log, the latest that a block was reported of.
    TimerId restart_timer = kNoTimer;
  };
  // The worker numbers blocks from here when a receiver is placed again: what a lost one may still
  // have cut stays below.
  static constexpr int64_t kSequencesPerPlacement = int64_t{1} << ReceivedBlockTracker::kStartBits;

  // One start's log, whose worker is lost: what it had logged and not reported is to be found, and
  // nothing more may be logged.
  struct LostLog {
    int64_t stream_id = 0;
    int64_t start = 0;
    std::string directory;
    int64_t first_segment = 0;
    absl::StatusOr<std::vector<proto::StoredBlock>> found = std::vector<proto::StoredBlock>();
  };

  void TakeOver(const ReceivedBefore& before);
  void Adopt(const ReceivedBefore::Running& running);
  bool TakeBlock(const ReceivedBlock& block);
  bool MayComeLate(const ReceivedBlock& block) const;
  bool IsTakenOver(int64_t stream_id) const;
  int64_t UnprocessedBytes(const Receiver& receiver) const;
  void NoteReported(const ReceivedBlock& block);
  void StartEnded(const Receiver& receiver, bool is_lost);
  void ReadLostLog(const std::shared_ptr<LostLog>& log);
  void OnLostLogRead(const std::shared_ptr<LostLog>& log);
  void Drop(const std::vector<BlockRef>& blocks, int64_t worker_id);
  void Place(Receiver& receiver);
  void PlaceLater(Receiver& receiver);
  void SendLimits(const Receiver& receiver);
  void FinishCut();
  void FinishStopWhenDone();
  Receiver* Find(int64_t stream_id);

  Env& env_;
  WorkerRegistry& workers_;
  BlockLocations& locations_;
  ListenerBus& bus_;
  const StreamingSpec& spec_;
  ReceivedBlockTracker blocks_;
  std::map<int64_t, Receiver> receivers_;  // By stream.
  ReceiverStarts ended_starts_;
  int lost_logs_ = 0;  // That are being read.
  // What jobs and timers that are not cancelled look at.
  const std::shared_ptr<char> alive_ = std::make_shared<char>();

  // The cut under way.
  int64_t cut_time_ms_ = 0;
  std::vector<int64_t> cut_waits_for_;  // Streams that have not answered.
  TimerId cut_timer_ = kNoTimer;
  Closure when_cut_;

  bool is_stopping_ = false;
  Closure when_stopped_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_RECEIVER_RECEIVER_TRACKER_H_
