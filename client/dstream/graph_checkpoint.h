// What a stream graph leaves behind for the driver after this one, and when.
#ifndef MILLRACE_CLIENT_DSTREAM_GRAPH_CHECKPOINT_H_
#define MILLRACE_CLIENT_DSTREAM_GRAPH_CHECKPOINT_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/dstream/received_log_cleaner.h"
#include "client/dstream/receiver_books.h"
#include "client/dstream/stream_ref.h"
#include "common/concurrent/waiting_lock.h"
#include "common/fs/atomic_output.h"
#include "driver/checkpoint/checkpoint_store.h"
#include "proto/checkpoint.pb.h"

namespace millrace::internal {

class DStreamNode;
class StateNode;
class StreamGraph;

// A state that a batch saves, on its way into a checkpoint.
struct StateSnapshot {
  std::string id;
  Time time{0};
  std::unique_ptr<AtomicOutput> output;
  // What it builds on: as of which batch, and in how many parts. -1: it has all keys.
  int64_t since_ms = -1;
  int base_partitions = 0;
  int num_partitions = 0;
  StateUpdateRef update;
  int64_t bytes = 0;  // Of its parts, once it is published.
  // There is no state yet, and so nothing in a directory.
  bool is_nothing() const { return num_partitions == 0 && update == nullptr; }
};

// Metadata is written when a batch is made that an input has made a choice for, before the batch is
// acted on, and when batches have ended, for those at most every 100 ms: a batch that ended since
// is made again by the next driver, with the same records. States are saved when their checkpoint
// interval is over, by the tasks that update them; all that are due in a batch count or none does,
// so that a state that is made of another one is never older than that.
//
// A state is saved whole once, and after that what changed since it was saved last, so that the
// cost follows the number of keys that change; whole again when what changed has grown larger than
// the whole was, so that over time less is written for the whole than for the changes; when there
// are kDeltasMax directories; and when a driver has gone on from a checkpoint.
//
// A later batch may look back at data sets that were made of a state, as windows do. The next
// driver makes those once more, and this one does where a worker is lost with them. So what either
// goes on from is not what was saved of a state last, but what was saved before the oldest of them.
//
// A checkpoint that cannot be written is logged. A batch that it was to be written for is left out;
// else the batches go on.
//
// Threads: methods under the graph's lock, but for those that say otherwise, which may wait for the
// disk.
class GraphCheckpoint {
 public:
  // `graph` owns this and outlives it.
  GraphCheckpoint(StreamGraph& graph, FileSystem& fs, const std::string& directory);
  ~GraphCheckpoint();

  // Once, when the graph starts and before Recover. The ids are those of the graph's streams.
  absl::Status Open(const std::map<const DStreamNode*, std::string>& ids);
  // The newest checkpoint that is there; none where there is none.
  absl::StatusOr<std::optional<proto::Checkpoint>> ReadLatest() { return store_.ReadLatest(); }
  // Once the states of the latest one are seen to fit: from here on no earlier driver can write
  // any. The newest there is, for one that lives may have written another one meanwhile. Errors as
  // of Recover.
  absl::StatusOr<proto::Checkpoint> TakeOver(const proto::Checkpoint& read, bool may_lose_state);
  // Inputs, accumulators and states are as the checkpoint says, those that it does not know begin
  // behind it. FailedPrecondition: it has states or accumulators that do not match those of the
  // program, and `may_lose_state` does not allow that; nothing has changed then.
  absl::Status Recover(const proto::Checkpoint& checkpoint, bool may_lose_state);
  // Nothing to recover: all states begin behind the zero time.
  void BeginAfter(Time zero_time);

  // The update of `state` at `time` is being made: how to save it.
  StateSnapshotSpec SnapshotAt(const StateNode& state, Time time);
  // It is made, with that many partitions; 0 and null: there was nothing to make.
  void UpdateMade(const StateNode& state, Time time, int num_partitions,
                  const StateUpdateRef& update);

  using Snapshots = std::vector<StateSnapshot>;
  // Those of a batch that has ended.
  Snapshots TakeSnapshots(Time batch_time);
  // Of all states that have changed since they were saved, when no batch is under way: runs what
  // saves them.
  Snapshots SaveAll();
  // Without the lock: gives them their names. False: they do not count.
  bool Publish(Snapshots& snapshots);
  // They are the states to go on from.
  void Saved(const Snapshots& snapshots);
  // The oldest batch that a state is gone on from: those behind it may have to be made again.
  Time oldest_saved() const;

  // Lost partitions of states are made of what was saved and of batches behind this one.
  Time RepairableFrom(Time batch_time) const;

  struct Built {
    int64_t number = 0;  // Rising.
    proto::Checkpoint checkpoint;
    std::vector<NeededLog> logs;  // That its batches read, and those to come.
    // States that are in their places since the one before, below the checkpoint directory.
    std::vector<std::string> published;
  };
  // As of now. Behind it states may be gone on from later.
  Built Build();
  // Without the lock. One that was built before what is written already is left out. An error is
  // logged.
  absl::Status Write(const Built& built);
  // Before the first Write: the logs of receivers that earlier drivers have left.
  void KnowEarlierLogs(const std::set<std::string>& directories);
  // Without the lock: the last one was written long enough ago for one that nothing depends on.
  bool IsDueSoon() const;
  // Of the last one that was written or gone on from: a driver to come makes the batches behind it
  // again.
  Time written_completed_time() const { return Time(written_completed_ms_.load()); }

 private:
  // A state as of the update of `time`.
  struct SavedAt {
    Time time{0};      // The zero time: nothing was saved yet.
    SavedChain chain;  // Paths are below the checkpoint directory.
  };
  struct SavedState {
    StateNode* node = nullptr;
    std::chrono::milliseconds interval{0};
    std::set<std::string> ancestors;  // Ids of states that it is made of.
    // Rising, and the same where no batch looks back: what to go on from, what to go on from then,
    // and what was saved last.
    SavedAt base;
    SavedAt next;
    SavedAt last;
    bool is_of_earlier_driver = false;  // The last chain is.
    bool is_replayable = true;          // By the next driver.
  };
  // Saved states by their ids.
  using Chains = std::map<std::string, SavedChain>;

  // Goes on from what was saved last before all that a batch to come looks back at.
  void MoveBases();
  void MoveBase(SavedState& state, Time behind);
  static void SetSaved(SavedState& state, SavedAt saved);
  static void Name(const SavedState& state, proto::StateCheckpoint& to);
  bool IsDue(const SavedState& state, Time time) const;
  bool MustBeWhole(const std::string& id, const SavedState& state) const;
  bool IsComplete(StateSnapshot& snapshot);
  std::optional<StateSnapshot> Begin(const std::string& id, const SavedState& state, Time time);
  static StateSnapshotSpec SpecOf(const StateSnapshot& snapshot);
  // With the paths of files.
  SavedChain Located(SavedChain chain) const;
  // As a checkpoint names it. NotFound: a part of it is not there.
  absl::StatusOr<SavedChain> ChainOf(const proto::StateCheckpoint& saved);
  // Those that this program can go on with. An error that names the others, if there are any.
  absl::Status FindStates(const proto::Checkpoint& checkpoint, Chains& found);
  void RestoreStates(const proto::Checkpoint& checkpoint, const Chains& found);
  absl::Status RestoreInputs(const proto::Checkpoint& checkpoint);
  // One that was overtaken by a later state before it came into a checkpoint never will.
  void DropOvertaken(const Built& written);

  StreamGraph& graph_;
  FileSystem& fs_;
  std::map<const DStreamNode*, std::string> ids_;
  std::map<std::string, SavedState> states_;  // By id.
  std::map<Time, Snapshots> pending_;
  int64_t built_ = 0;                   // Checkpoints so far.
  std::vector<std::string> published_;  // States, since the last of these.

  WaitingLock write_mutex_;  // Guards what is below.
  CheckpointStore store_;
  ReceivedLogCleaner log_cleaner_;
  int64_t written_ = 0;  // Number of the newest that was.
  // States that no checkpoint has named yet, with the number of the first that may.
  std::map<std::string, int64_t> unnamed_;
  std::atomic<int64_t> written_nanos_{0};
  std::atomic<int64_t> written_completed_ms_{0};
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_DSTREAM_GRAPH_CHECKPOINT_H_
