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
  bool has_state() const { return last_time_.has_value(); }
  Time last_time() const { return *last_time_; }
  // The state is as of `time` from here on.
  void MarkUpdated(Time time) { last_time_ = time; }

 private:
  absl::StatusOr<RddRef> Compute(Time time) final;
  StateUpdateRef NextUpdate(Time time);

  int64_t state_id_ = -1;
  Lease lease_;
  std::optional<Time> last_time_;  // Of the last update that was made.
  std::optional<Time> reached_;    // Up to where updates were asked for.
};

// State that is updated by the records of each batch.
class RecordStateNode final : public StateNode {
 public:
  RecordStateNode(StreamGraph& graph, const Operation& operation, DStreamNode& parent,
                  StateWithoutRecords without_records, RddRef initial, UpdateState update);

  void ForgetAll() override;

 private:
  absl::StatusOr<RddRef> Update(Time time, const StateUpdateRef& update) override;

  const StateWithoutRecords without_records_;
  const UpdateState update_;
  RddRef initial_;  // Until a batch was given it.
};

// The combined values of a window, kept up to date by what leaves it and what comes.
class WindowStateNode final : public StateNode {
 public:
  WindowStateNode(StreamGraph& graph, const Operation& operation, DStreamNode& parent,
                  std::chrono::milliseconds length, std::chrono::milliseconds slide,
                  UpdateWindow update);

  std::chrono::milliseconds look_back() const override { return length_ + slide(); }

 private:
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
