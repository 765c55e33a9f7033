// Streams that carry keyed state from batch to batch.
#ifndef MILLRACE_CLIENT_DSTREAM_STATE_NODE_H_
#define MILLRACE_CLIENT_DSTREAM_STATE_NODE_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
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
            std::chrono::milliseconds slide);

  std::optional<std::chrono::milliseconds> default_checkpoint_interval() const override;
  // The records of a batch that was left out would be missing for ever.
  bool must_run() const override { return true; }
  // What a state stage puts out is kept by the workers anyway.
  void PersistForReuse() override {}

 protected:
  // The update that leads to `time`, and its result. `update` builds on last_time().
  virtual absl::StatusOr<RddRef> Update(Time time, const StateUpdateRef& update) = 0;
  bool has_state() const { return last_update_ != nullptr; }
  Time last_time() const { return Time(last_update_->batch_time_ms); }
  // The state is as of `update` from here on.
  void MarkUpdated(const StateUpdateRef& update) { last_update_ = update; }
  // The next update starts from nothing.
  void StartAnew() { last_update_ = nullptr; }
  // The last update's batch is over, and the update was not committed.
  bool IsLastUpdateLost(Time batch_time) const;
  // Whether an update of this stream is wrong without the one before it.
  virtual bool needs_previous() const { return false; }

 private:
  absl::StatusOr<RddRef> Compute(Time time) final;
  StateUpdateRef NextUpdate(Time time);

  int64_t state_id_ = -1;
  Lease lease_;
  StateUpdateRef last_update_;   // That was made; null before the first one.
  std::optional<Time> reached_;  // Up to where updates were asked for.
};

// State that is updated by the records of each batch.
class RecordStateNode final : public StateNode {
 public:
  RecordStateNode(StreamGraph& graph, const Operation& operation, DStreamNode& parent,
                  StateWithoutRecords without_records, RddRef initial, UpdateState update);

  void ForgetAll() override;
  void ForgetBefore(Time batch_time) override;

 private:
  // As long as it is open whether the initial state was taken in.
  bool needs_previous() const override { return initial_taker_ != nullptr; }
  absl::StatusOr<RddRef> Update(Time time, const StateUpdateRef& update) override;

  const StateWithoutRecords without_records_;
  const UpdateState update_;
  RddRef initial_;                // Until an update that took it is known to be committed.
  StateUpdateRef initial_taker_;  // The update that took it, until its batch is over.
};

// The combined values of a window, kept up to date by what leaves it and what comes. What failed to
// come must not leave, so after an update that failed the window is combined anew.
class WindowStateNode final : public StateNode {
 public:
  WindowStateNode(StreamGraph& graph, const Operation& operation, DStreamNode& parent,
                  std::chrono::milliseconds length, std::chrono::milliseconds slide,
                  UpdateWindow update);

  std::chrono::milliseconds look_back() const override { return length_ + slide(); }
  void ForgetBefore(Time batch_time) override;

 private:
  bool needs_previous() const override { return true; }
  absl::StatusOr<RddRef> Update(Time time, const StateUpdateRef& update) override;
  // The parent's data sets in (after, until] that are in the window, and those that are not yet.
  absl::StatusOr<std::vector<RddRef>> Leaving(Time after, Time until);
  absl::StatusOr<std::vector<RddRef>> Coming(Time after, Time until);

  const std::chrono::milliseconds length_;
  const UpdateWindow update_;
  // Data sets within the window that could not be made in time: they do not leave it either.
  std::set<Time> never_came_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_DSTREAM_STATE_NODE_H_
