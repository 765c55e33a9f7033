// Streams that carry keyed state from batch to batch.
#ifndef MILLRACE_CLIENT_DSTREAM_STATE_NODE_H_
#define MILLRACE_CLIENT_DSTREAM_STATE_NODE_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/dstream/dstream_node.h"
#include "client/dstream/stream_ref.h"

namespace millrace::internal {

// Makes one update of a state for each batch, each building on the one before it.
//
// Invariant: updates are made in rising batch time, none twice and none left out once there is a
// first one.
class StateNode : public DStreamNode {
 public:
  StateNode(StreamGraph& graph, const Operation& operation, DStreamNode& parent,
            std::chrono::milliseconds slide, StateFormat format);

  std::optional<std::chrono::milliseconds> default_checkpoint_interval() const override;
  // The records of a batch that was left out would be missing for ever.
  bool must_run() const override { return true; }
  // What a state stage puts out is kept by the workers anyway.
  void PersistForReuse() override {}

  const StateFormat& format() const { return format_; }
  // The state begins with what was saved of the update of `time`, by an earlier driver.
  virtual void Restore(Time time, const SavedChain& saved) = 0;
  // The state begins with nothing, behind the batch of `time`.
  void BeginAfter(Time time) { reached_ = begins_after_ = time; }
  bool HasReached(Time time) const { return reached_ && time <= *reached_; }
  // Batches before `time` for which nobody has asked are never made.
  void SkipUntil(Time time);
  bool has_state() const { return last_update_ != nullptr; }
  // Of the last update that was made; there is one.
  Time last_time() const { return Time(last_update_->batch_time_ms); }
  // That update, which is committed, and then saves: to be run behind all batches. Null: it is not
  // committed.
  RddRef Save(StateSnapshotSpec snapshot);
  int num_partitions() const { return num_partitions_; }
  // What the update of `time` left is saved, for this driver and those to come.
  void Saved(Time time, const SavedChain& saved);
  void ForgetAll() override;
  void Restart() override;

 protected:
  // What the program gave to begin with is not needed again.
  virtual void OnSaved() {}
  // Whether the next update, that of `time`, builds on the last one is settled behind this.
  virtual void BeforeUpdate(Time /*time*/) {}
  // The update that leads to `time`, and its result. `update` builds on last_time().
  virtual absl::StatusOr<RddRef> Update(Time time, const StateUpdateRef& update) = 0;
  // The state is as of `update` from here on.
  void MarkUpdated(const StateUpdateRef& update) { last_update_ = update; }
  // The next update starts from nothing.
  void StartAnew() { last_update_ = nullptr; }
  // One that is not may yet be, as long as its batch is not over.
  bool is_last_update_committed() const { return last_update_->is_committed->load(); }
  // The last update's batch is over, and the update was not committed.
  bool IsLastUpdateLost(Time batch_time) const;
  // Whether an update of this stream is wrong without the one before it.
  virtual bool needs_previous() const { return false; }
  // Whether the next update takes a saved state in as its input 1.
  virtual bool restores() const { return false; }
  // Of a saved state.
  RddRef Read(const SavedChain& saved) const;
  void AddToSchema(const std::string& text) { format_.schema += text; }

 private:
  absl::StatusOr<RddRef> Compute(Time time) final;
  std::shared_ptr<StateUpdate> NextUpdate(Time time);

  StateFormat format_;
  int64_t state_id_ = -1;
  Lease lease_;
  StateUpdateRef last_update_;        // That was made; null before the first one.
  std::optional<Time> reached_;       // Up to where updates were asked for.
  std::optional<Time> begins_after_;  // Nothing that was made before is there.
  bool has_told_of_gap_ = false;      // That something looks back at that.
  int num_partitions_ = 0;            // Of the last update.
};

// State that is updated by the records of each batch.
class RecordStateNode final : public StateNode {
 public:
  RecordStateNode(StreamGraph& graph, const Operation& operation, DStreamNode& parent,
                  StateWithoutRecords without_records, RddRef initial, UpdateState update,
                  StateFormat format);

  void ForgetAll() override;
  void ForgetBefore(Time batch_time) override;
  void Restore(Time time, const SavedChain& saved) override;
  void Restart() override;

 private:
  void OnSaved() override { program_initial_ = nullptr; }
  // As long as it is open whether the initial state was taken in.
  bool needs_previous() const override { return initial_taker_ != nullptr; }
  bool restores() const override { return is_restored_ && may_take_initial(); }
  bool may_take_initial() const { return initial_ != nullptr && initial_taker_ == nullptr; }
  absl::StatusOr<RddRef> Update(Time time, const StateUpdateRef& update) override;

  const StateWithoutRecords without_records_;
  const UpdateState update_;
  RddRef program_initial_;        // As the program gave it, until a checkpoint has more.
  RddRef initial_;                // Until an update that took it is known to be committed.
  bool is_restored_ = false;      // It is a saved state.
  StateUpdateRef initial_taker_;  // The update that took it, until its batch is over.
};

// The combined values of a window, kept up to date by what leaves it and what comes. What failed to
// come must not leave, so after an update that failed the window is combined anew; and so it is
// where what leaves it is not there any more.
class WindowStateNode final : public StateNode {
 public:
  WindowStateNode(StreamGraph& graph, const Operation& operation, DStreamNode& parent,
                  std::chrono::milliseconds length, std::chrono::milliseconds slide,
                  UpdateWindow update, StateFormat format);

  std::chrono::milliseconds look_back() const override { return length_ + slide(); }
  void ForgetAll() override;
  void ForgetBefore(Time batch_time) override;
  void Restore(Time time, const SavedChain& saved) override;
  void Restart() override;

 private:
  bool needs_previous() const override { return true; }
  void BeforeUpdate(Time time) override;
  absl::StatusOr<RddRef> Update(Time time, const StateUpdateRef& update) override;
  void CombineAnew();
  // The parent's data sets in (after, until] that are in the window, and those that are not yet.
  absl::StatusOr<std::vector<RddRef>> Leaving(Time after, Time until) const;
  absl::StatusOr<std::vector<RddRef>> Coming(Time after, Time until);

  const std::chrono::milliseconds length_;
  const UpdateWindow update_;
  absl::StatusOr<std::vector<RddRef>> leaving_{std::vector<RddRef>()};  // With the next update.
  // Data sets within the window that could not be made in time: they do not leave it either.
  std::set<Time> never_came_;
  RddRef saved_;  // The window of `saved_time_`, until it is the state again.
  Time saved_time_{0};
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_DSTREAM_STATE_NODE_H_
