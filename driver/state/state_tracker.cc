#include "driver/state/state_tracker.h"

#include <algorithm>

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
}

int64_t StateTracker::LastCommitted(int64_t state_id) const {
  const State* const state = Find(state_id);
  return state == nullptr ? kNever : state->last_committed_ms;
}

int64_t StateTracker::WorkerOf(int64_t state_id, int partition) const {
  const State* const state = Find(state_id);
  const size_t index = static_cast<size_t>(partition);
  return state == nullptr || index >= state->workers.size() ? kUnplaced : state->workers[index];
}

void StateTracker::Place(int64_t state_id, int partition, int64_t worker_id) {
  std::vector<int64_t>& workers = states_[state_id].workers;
  const size_t index = static_cast<size_t>(partition);
  if (workers.size() <= index) workers.resize(index + 1, kUnplaced);
  workers[index] = worker_id;
}

bool StateTracker::IsLost(int64_t state_id) const {
  const State* const state = Find(state_id);
  return state != nullptr && state->is_lost;
}

void StateTracker::ForgetWorker(int64_t worker_id) {
  for (auto& [id, state] : states_) {
    const auto lost = std::find(state.workers.begin(), state.workers.end(), worker_id);
    if (lost == state.workers.end()) continue;
    std::replace(state.workers.begin(), state.workers.end(), worker_id, kUnplaced);
    // Partitions that were only placed, and never updated, hold nothing that could be lost.
    if (state.last_committed_ms != kNever) state.is_lost = true;
    if (IsMade(Mistake::kLostStateTakenAsNew)) state.is_lost = false;
  }
}

}  // namespace millrace::internal
