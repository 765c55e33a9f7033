// What the DAG scheduler does about state: updates in their turn, and lost partitions made again.
//
// A lost partition is made again by the steps that made it: what was saved of it, and the updates
// since, on whichever worker is its home now. It is done when something next needs the state, by a
// job of the driver's own; whatever needs it waits.
#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "driver/dag/dag_scheduler.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

bool IsUpdateOf(const Stage& stage, int64_t state_id) {
  return stage.rdd->state->state_id == state_id;
}

// The update once more, without what workers keep for it.
std::shared_ptr<RddNode> CopyUpdate(const RddNode& rdd) {
  auto copy = std::make_shared<RddNode>();
  copy->rdd_id = rdd.rdd_id;
  copy->op = rdd.op;
  copy->type = rdd.type;
  copy->dependencies = rdd.dependencies;
  for (Dependency& dependency : copy->dependencies) {
    if (dependency.shuffle == nullptr) continue;
    auto shuffle = std::make_shared<ShuffleSpec>(*dependency.shuffle);
    shuffle->lease = nullptr;
    dependency.shuffle = std::move(shuffle);
  }
  copy->num_partitions = rdd.num_partitions;
  copy->state = rdd.state;
  copy->batch_time_ms = rdd.batch_time_ms;
  copy->storage_level = rdd.storage_level.load();
  return copy;
}

// From where it started in fact, and saved nowhere.
RddRef StepOf(const Stage& stage) {
  auto update = std::make_shared<StateUpdate>(*stage.rdd->state);
  update->previous_time_ms = stage.state_previous_ms;
  update->snapshot = {};
  std::shared_ptr<RddNode> step = CopyUpdate(*stage.rdd);
  step->state = std::move(update);
  return step;
}

}  // namespace

// Attempts that were given up may have left all partitions of the output between them: it counts
// for nothing as long as the state is as it was before the update.
bool DagScheduler::IsMadeAndKept(const RddNode& rdd) const {
  return rdd.state->is_committed->load() && data_.cached.IsComplete(rdd.rdd_id, rdd.num_partitions);
}

// Null: the update was made and its output is kept.
DagScheduler::StageRef DagScheduler::StateStageOf(const RddRef& rdd, const Job& job) {
  const auto known = state_stages_.find(rdd->rdd_id);
  if (known != state_stages_.end()) return known->second->Ref();
  if (IsMadeAndKept(*rdd)) return nullptr;
  std::vector<int> all(static_cast<size_t>(rdd->num_partitions));
  std::iota(all.begin(), all.end(), 0);
  StageRef stage = NewStage(StageKind::kState, rdd, std::move(all), job);
  data_.cached.Track(rdd->rdd_id);
  state_stages_.emplace(rdd->rdd_id, stage.get());
  return stage;
}

// Otherwise the stage has failed, is complete, or goes on when its turn has come.
bool DagScheduler::MayUpdateState(const StageRef& stage) {
  absl::StatusOr<Turn> turn = TurnOf(*stage);
  if (turn.ok() && *turn == Turn::kMayBegin) {
    const absl::Status begun = BeginStateUpdate(*stage);
    if (begun.ok()) return true;
    turn = begun;
  }
  if (!turn.ok()) {
    OnStageFailed(*stage, turn.status());
  } else if (*turn == Turn::kWasMade) {
    Complete(stage);
  } else {
    const int64_t state_id = stage->rdd->state->state_id;
    state_waits_.push_back(stage);
    if (!stage->is_repair && data_.states.IsLost(state_id)) BeginRepair(state_id);
  }
  return false;
}

absl::StatusOr<DagScheduler::Turn> DagScheduler::TurnOf(const Stage& stage) const {
  const StateUpdate& update = *stage.rdd->state;
  if (stage.is_repair) {
    if (!data_.states.IsKnown(update.state_id)) return Turn::kWasMade;  // Nobody needs it now.
    return data_.states.IsBusy(update.state_id) ? Turn::kMustWait : Turn::kMayBegin;
  }
  if (data_.states.IsLost(update.state_id)) {
    if (options_.repairs_states) return Turn::kMustWait;
    return absl::DataLossError(
        absl::StrCat(stage.rdd->op->label, ": a worker was lost with partitions of its state"));
  }
  const int64_t committed = data_.states.LastCommitted(update.state_id);
  if (committed >= update.batch_time_ms) {
    if (IsMadeAndKept(*stage.rdd)) return Turn::kWasMade;
    return absl::DataLossError(
        absl::StrCat(stage.rdd->op->label, ": what the update of batch ", update.batch_time_ms,
                     " ms put out is no longer kept, and the update cannot be made twice"));
  }
  const bool earlier_may_come = update.previous_time_ms > committed && is_unfinished_ != nullptr &&
                                is_unfinished_(update.previous_time_ms);
  const bool must_wait = data_.states.IsBusy(update.state_id) || earlier_may_come;
  return must_wait ? Turn::kMustWait : Turn::kMayBegin;
}

// An update starts from the last one that was committed. That is the one before it, unless that one
// failed: then its batch has reported the error, and the state goes on without it if it can.
absl::Status DagScheduler::BeginStateUpdate(Stage& stage) {
  const StateUpdate& update = *stage.rdd->state;
  stage.state_previous_ms = update.previous_time_ms;
  const int64_t committed = data_.states.LastCommitted(update.state_id);
  const bool is_first = update.previous_time_ms < 0;
  if (!stage.is_repair && !is_first && committed != update.previous_time_ms) {
    if (update.needs_previous) {
      const absl::Status why = data_.states.FirstFailure(update.state_id);
      return absl::FailedPreconditionError(absl::StrCat(
          stage.rdd->op->label, ": the update of batch ", update.previous_time_ms,
          " ms is missing, and that of ", update.batch_time_ms, " ms cannot do without it",
          why.ok() ? "" : "; what failed first: ", why.message()));
    }
    LOG(WARNING) << stage.rdd->op->label << ": the update of batch " << update.previous_time_ms
                 << " ms is missing; that of " << update.batch_time_ms << " ms starts from "
                 << committed << " ms";
    stage.state_previous_ms = committed;
  }
  stage.state_begun = true;
  data_.states.Begin(update.state_id);
  return absl::OkStatus();
}

// In the order of batch times, so that of two waiting updates the earlier one goes first.
void DagScheduler::RetryStateUpdates() {
  if (state_waits_.empty()) return;
  std::vector<StageRef> waiting = std::exchange(state_waits_, {});
  std::stable_sort(waiting.begin(), waiting.end(), [](const StageRef& a, const StageRef& b) {
    return a->rdd->state->batch_time_ms < b->rdd->state->batch_time_ms;
  });
  for (const StageRef& stage : waiting) {
    if (stage->phase == Stage::Phase::kWaiting) Launch(stage);
  }
}

void DagScheduler::CommitState(Stage& stage) {
  const StateUpdate& update = *stage.rdd->state;
  // Nobody will drop what workers keep of a state that was dropped.
  const bool is_known = data_.states.IsBusy(update.state_id);
  for (const Stage::Accepted& accepted : stage.accepted) {
    tasks_.Judge(accepted.attempt, /*commit=*/is_known);
    data_.states.Updated(update.state_id, stage.partitions[static_cast<size_t>(accepted.index)],
                         accepted.attempt.worker_id, update.batch_time_ms);
    if (!stage.is_repair) accumulators_.Merge(accepted.accumulators, stage.batch_time_ms);
  }
  data_.states.End(update.state_id, /*committed=*/!stage.is_repair, update.batch_time_ms);
  update.is_committed->store(true);
  stage.state_begun = false;
  if (options_.repairs_states && !stage.is_repair) {
    data_.states.Remember(update.state_id, StepOf(stage));
  }
}

// An update that was given up ends only here: while an attempt of it may still hold the state,
// another one could not get it.
void DagScheduler::OnStageDrained(Stage& stage) {
  if (stage.kind != StageKind::kState) return;
  const bool was_made = stage.is_repair || stage.rdd->state->is_committed->load();
  if (!was_made && !state_stages_.contains(stage.rdd->rdd_id)) {
    data_.DropRdd(stage.rdd->rdd_id);
  }
  if (!std::exchange(stage.state_begun, false)) return;
  data_.states.End(stage.rdd->state->state_id, /*committed=*/false, 0);
  RetryStateUpdates();
}

// ---------------------------------------------------------------------------------------------
// Lost partitions.

void DagScheduler::BeginRepair(int64_t state_id) {
  if (repairs_.contains(state_id)) return;
  auto job = std::make_unique<Job>();
  job->id = ++last_job_id_;
  job->repaired_state = state_id;
  job->spec.description = absl::StrCat("the repair of state ", state_id);
  job->done = [this, state_id](const absl::StatusOr<JobResult>& result) {
    EndRepair(state_id, result.status());
  };
  Job& added = *jobs_.emplace(job->id, std::move(job)).first->second;
  repairs_.emplace(state_id, &added);
  StartRepairStep(added);
}

// Again after each step, and after the loss of a worker.
void DagScheduler::StartRepairStep(Job& job) {
  auto next = data_.states.NextRepair(job.repaired_state);
  if (!next.ok()) return Fail(job, next.status());
  if (!next->has_value()) return Finish(job);
  StateTracker::Repair& repair = **next;
  const StageRef stage =
      NewStage(StageKind::kState, WithOwnShuffles(*repair.step), std::move(repair.partitions), job);
  stage->is_repair = true;
  stage->jobs.push_back(&job);
  job.stages.push_back(stage.get());
  Open(stage);
}

// With shuffles of its own: those of the update itself have lost what the partitions need, and may
// be in use for others.
RddRef DagScheduler::WithOwnShuffles(const RddNode& step) {
  std::shared_ptr<RddNode> copy = CopyUpdate(step);
  for (Dependency& dependency : copy->dependencies) {
    if (dependency.shuffle == nullptr) continue;
    auto shuffle = std::make_shared<ShuffleSpec>(*dependency.shuffle);
    shuffle->shuffle_id = --last_repair_shuffle_id_;
    shuffle->lease =
        Lease(shuffle_owner_.get(), [owner = std::weak_ptr<WorkerData*>(shuffle_owner_),
                                     id = shuffle->shuffle_id](void* /*owner*/) {
          if (const auto data = owner.lock()) (*data)->DropShuffle(id);
        });
    dependency.shuffle = std::move(shuffle);
  }
  return copy;
}

// A step that failed is an error of whatever waits for the state. What comes later tries again.
void DagScheduler::EndRepair(int64_t state_id, const absl::Status& status) {
  repairs_.erase(state_id);
  if (status.ok()) return RetryStateUpdates();
  std::vector<StageRef> waiting;
  for (const StageRef& stage : state_waits_) {
    if (IsUpdateOf(*stage, state_id)) waiting.push_back(stage);
  }
  std::erase_if(state_waits_,
                [state_id](const StageRef& stage) { return IsUpdateOf(*stage, state_id); });
  for (const StageRef& stage : waiting) {
    if (stage->phase != Stage::Phase::kWaiting) continue;
    OnStageFailed(*stage, absl::DataLossError(absl::StrCat(
                              stage->rdd->op->label, ": a worker was lost with partitions of its ",
                              "state, which cannot be made again: ", status.message())));
  }
}

}  // namespace millrace::internal
