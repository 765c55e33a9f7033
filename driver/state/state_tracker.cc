#include "driver/state/state_tracker.h"

#include <algorithm>
#include <utility>

#include "common/base/mistake.h"
#include "glog/logging.h"

namespace millrace::internal {

const StateTracker::State* StateTracker::Find(int64_t state_id) const {
  const auto state = states_.find(state_id);
  return state == states_.end() ? nullptr : &state->second;
}

bool StateTracker::IsBusy(int64_t state_id) const {
  const State* const state = Find(state_id);
  return state != nullptr && state->is_busy;
}

void StateTracker::Begin(int64_t state_id) {
  State& state = states_[state_id];
  CHECK(!state.is_busy) << "state " << state_id << " has an update under way";
  state.is_busy = true;
}

void StateTracker::End(int64_t state_id, bool committed, int64_t batch_time_ms) {
  const auto found = states_.find(state_id);
  if (found == states_.end()) return;  // Dropped meanwhile.
  State& state = found->second;
  state.is_busy = false;
  if (!committed) return;
  CHECK_LT(state.last_committed_ms, batch_time_ms) << "updates of state come in time order";
  state.last_committed_ms = batch_time_ms;
  state.first_failure = absl::OkStatus();
}

void StateTracker::Failed(int64_t state_id, const absl::Status& reason) {
  const auto found = states_.find(state_id);
  if (found != states_.end()) found->second.first_failure.Update(reason);
}

absl::Status StateTracker::FirstFailure(int64_t state_id) const {
  const State* const state = Find(state_id);
  return state == nullptr ? absl::OkStatus() : state->first_failure;
}

int64_t StateTracker::LastCommitted(int64_t state_id) const {
  const State* const state = Find(state_id);
  return state == nullptr ? kNever : state->last_committed_ms;
}

int64_t StateTracker::WorkerOf(int64_t state_id, int partition) const {
  const State* const state = Find(state_id);
  const size_t index = static_cast<size_t>(partition);
  return state == nullptr || index >= state->partitions.size() ? kUnplaced
                                                               : state->partitions[index].worker;
}

StateTracker::Partition& StateTracker::PartitionOf(State& state, int partition) {
  const size_t index = static_cast<size_t>(partition);
  if (state.partitions.size() <= index) state.partitions.resize(index + 1);
  return state.partitions[index];
}

void StateTracker::Place(int64_t state_id, int partition, int64_t worker_id) {
  const auto found = states_.find(state_id);
  if (found != states_.end()) PartitionOf(found->second, partition).worker = worker_id;
}

void StateTracker::Updated(int64_t state_id, int partition, int64_t worker_id,
                           int64_t batch_time_ms) {
  const auto found = states_.find(state_id);
  if (found == states_.end()) return;
  PartitionOf(found->second, partition) = {worker_id, batch_time_ms};
}

// Partitions that were only placed, and never updated, hold nothing that could be lost.
bool StateTracker::IsLost(int64_t state_id) const {
  const State* const state = Find(state_id);
  if (state == nullptr) return false;
  return std::any_of(state->partitions.begin(), state->partitions.end(),
                     [state](const Partition& partition) { return !state->IsCurrent(partition); });
}

void StateTracker::ForgetWorker(int64_t worker_id) {
  for (auto& [id, state] : states_) {
    for (Partition& partition : state.partitions) {
      if (partition.worker != worker_id) continue;
      partition.worker = kUnplaced;
      if (!IsMade(Mistake::kLostStateTakenAsNew)) partition.as_of_ms = kNever;
    }
  }
}

int64_t StateTracker::PartitionsOn(int64_t worker_id) const {
  int64_t count = 0;
  for (const auto& [id, state] : states_) {
    count +=
        std::count_if(state.partitions.begin(), state.partitions.end(),
                      [&](const Partition& partition) { return partition.worker == worker_id; });
  }
  return count;
}

// ---------------------------------------------------------------------------------------------
// What was lost, made again.

void StateTracker::Remember(int64_t state_id, RddRef update) {
  const auto found = states_.find(state_id);
  if (found == states_.end()) return;
  std::deque<RddRef>& steps = found->second.steps;
  if (steps.size() >= kStepsMax) {
    LOG(WARNING) << update->op->label << ": its state was not saved for " << kStepsMax
                 << " batches; until it is, the loss of a worker is the loss of the state";
    steps.clear();
  }
  steps.push_back(std::move(update));
}

void StateTracker::Saved(int64_t state_id, RddRef load) {
  const auto found = states_.find(state_id);
  const int64_t time_ms = load->state->batch_time_ms;
  if (found == states_.end() || time_ms > found->second.last_committed_ms) return;
  std::deque<RddRef>& steps = found->second.steps;
  while (!steps.empty() && steps.front()->state->batch_time_ms <= time_ms) steps.pop_front();
  steps.push_front(std::move(load));
}

absl::StatusOr<std::optional<StateTracker::Repair>> StateTracker::NextRepair(
    int64_t state_id) const {
  const State* const state = Find(state_id);
  if (state == nullptr) return std::nullopt;
  int64_t oldest_ms = state->last_committed_ms;
  for (const Partition& partition : state->partitions) {
    oldest_ms = std::min(oldest_ms, partition.as_of_ms);
  }
  if (oldest_ms == state->last_committed_ms) return std::nullopt;
  const auto step = std::find_if(
      state->steps.begin(), state->steps.end(),
      [oldest_ms](const RddRef& update) { return update->state->batch_time_ms > oldest_ms; });
  if (step == state->steps.end()) {
    return absl::DataLossError("nothing is there to make them of again");
  }
  const StateUpdate& update = *(*step)->state;
  const bool starts_empty = update.previous_time_ms == kNever;
  if (!starts_empty && update.previous_time_ms != oldest_ms) {
    return absl::DataLossError("the state was not saved for too long to make them again");
  }
  Repair repair{*step, {}};
  for (size_t i = 0; i < state->partitions.size(); ++i) {
    const int64_t as_of_ms = state->partitions[i].as_of_ms;
    const bool needs_step =
        starts_empty ? as_of_ms < update.batch_time_ms : as_of_ms == update.previous_time_ms;
    if (needs_step) repair.partitions.push_back(static_cast<int>(i));
  }
  return repair;
}

}  // namespace millrace::internal
