// What the DAG scheduler does about failed stages and about data that is gone.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/mistake.h"
#include "driver/dag/dag_scheduler.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

// Every loss of a persisted partition takes a holder out of the books, so this many for one stage
// mean that a worker reports what it never had.
int LossesMax(const Stage& stage) { return 16 + 4 * static_cast<int>(stage.partitions.size()); }

BlockRef RefOf(const proto::BlockId& id) { return {id.stream_id(), id.sequence()}; }

// Who was asked for what a task has missed.
template <class Lost>
int64_t HolderOf(const Lost& lost, const TaskAttempt& attempt) {
  return lost.holder() != 0 ? lost.holder() : attempt.worker_id;
}

}  // namespace

// By ids, for what a job's callback does may end other jobs.
void DagScheduler::OnStageFailed(Stage& stage, absl::Status reason) {
  std::vector<int64_t> ids;
  for (const Job* const job : stage.jobs) ids.push_back(job->id);
  for (const int64_t id : ids) {
    const auto job = jobs_.find(id);
    if (job == jobs_.end()) continue;
    for (const Stage* const failed : job->second->stages) {
      if (failed->kind == StageKind::kState) {
        data_.states.Failed(failed->rdd->state->state_id, reason);
      }
    }
    Fail(*job->second, reason);
  }
}

void DagScheduler::OnInputsLost(Stage& stage, int index, const TaskAttempt& attempt,
                                const proto::TaskStatus& status) {
  if (++stage.loss_count > LossesMax(stage)) {
    return OnStageFailed(
        stage, absl::DataLossError(absl::StrCat(stage.DescribeTask(index),
                                                " lost its inputs again and again, the last time "
                                                "on worker ",
                                                attempt.worker_id, ": ", status.error_message())));
  }
  if (status.outcome() == proto::TaskStatus::BLOCK_MISS) {
    return BlocksLost(stage, index, attempt, status);
  }
  for (const proto::CachedBinding& lost : status.lost_cached()) {
    data_.cached.Remove(lost.rdd_id(), static_cast<int>(lost.partition()), HolderOf(lost, attempt));
  }
  RecomputeLost(stage, index);
}

void DagScheduler::BlocksLost(Stage& stage, int index, const TaskAttempt& attempt,
                              const proto::TaskStatus& status) {
  for (const proto::BlockId& id : status.lost_blocks()) {
    const BlockRef block = RefOf(id);
    data_.blocks.Remove(block, HolderOf(id, attempt));
    if (!data_.blocks.HoldersOf(block).empty()) continue;
    return OnStageFailed(
        stage, absl::DataLossError(absl::StrCat(
                   ToString(block), " is lost: worker ", HolderOf(id, attempt),
                   ", the last to hold it, has it no more (", stage.DescribeTask(index), ")")));
  }
  tasks_.Requeue(stage, index);
}

// The task gets a variant of its stage that computes what is kept no longer. Whatever that needs
// in turn comes first, and the task holds no slot meanwhile.
void DagScheduler::RecomputeLost(Stage& stage, int index) {
  std::unique_ptr<StageVariant> variant = MakeVariant(stage);
  FindInputs(stage, variant->tree, /*may_go_ahead=*/false);
  if (Stage* const claimer = ClaimerOf(stage, variant->tree); claimer != nullptr) {
    WaitFor(stage, *claimer, /*is_shuffle=*/false);
  }
  if (stage.hard_waits.empty()) {
    Claim(stage, variant->tree);
    stage.UseForTask(std::move(variant), index);
    tasks_.Requeue(stage, index);
    return;
  }
  stage.lost_tasks.push_back(index);
  BreakCircles(stage);
  const std::vector<StageRef> inputs = stage.inputs;
  for (const StageRef& input : inputs) {
    AttachJobs(stage, *input);
    Open(input);
  }
}

// The stage has been planned anew. What is lost by now may have made it wait for one that waits for
// it.
void DagScheduler::BreakCircles(const Stage& stage) {
  const bool is_circle =
      std::any_of(stage.inputs.begin(), stage.inputs.end(),
                  [this, &stage](const StageRef& input) { return Reaches(*input, stage); });
  if (is_circle) StopSharing();
}

// Stages that wait for another one to keep a data set compute it themselves.
void DagScheduler::StopSharing() {
  std::vector<StageRef> sharing;
  for (const auto& [id, stage] : stages_) {
    if (stage->replan_after_wait) sharing.push_back(stage);
  }
  for (const StageRef& stage : sharing) {
    stage->replan_after_wait = false;
    std::erase_if(stage->hard_waits, [&](Stage* other) {
      if (other->kind == StageKind::kState) return false;
      std::erase(other->dependents, stage.get());
      return true;
    });
    Claim(*stage, stage->latest().tree);
    if (stage->hard_waits.empty() && stage->phase == Stage::Phase::kWaiting) Launch(stage);
  }
}

void DagScheduler::WorkerAdded() {
  if (workers_.count() == 2) {
    // Tasks that had no choice have one now, or must not.
    for (const auto& [id, stage] : stages_) {
      if (stage->phase == Stage::Phase::kSubmitted) tasks_.PlaceAgain(*stage);
    }
  }
  RestartJobs();
}

void DagScheduler::WorkerLost(int64_t worker_id, const std::string& reason) {
  if (!IsMade(Mistake::kLostCachedTrusted)) data_.cached.ForgetWorker(worker_id);
  const int64_t lost_blocks = data_.blocks.ForgetWorker(worker_id);
  if (lost_blocks > 0) {
    LOG(WARNING) << lost_blocks << " received blocks were on worker " << worker_id
                 << " alone and are lost with it: batches that read them fail";
  }
  data_.states.ForgetWorker(worker_id);
  const std::vector<int64_t> lost_shuffles = data_.shuffles.ForgetWorker(worker_id);

  absl::btree_map<int64_t, bool> affected;  // Job -> it ran there.
  for (const auto& [id, job] : jobs_) {
    if (job->repaired_state != Job::kNoState) affected[id] = false;  // It may have more to do.
  }
  for (const auto& [id, stage] : stages_) {
    const bool ran_there = tasks_.RunsOn(*stage, worker_id);
    const bool accepted_there =
        std::any_of(stage->accepted.begin(), stage->accepted.end(),
                    [&](const auto& accepted) { return accepted.attempt.worker_id == worker_id; });
    const bool waits = tasks_.WaitsFor(*stage, worker_id);
    const bool is_affected = ran_there || accepted_there || waits || UpdatesLost(*stage) ||
                             ReadsLost(*stage, lost_shuffles);
    if (!is_affected) continue;
    for (const Job* const job : stage->jobs) affected[job->id] |= ran_there;
  }
  for (const auto& [id, ran_there] : affected) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) continue;  // What another one's callback did has ended it.
    Job& job = *found->second;
    if (ran_there && ++job.restarts >= options_.max_failures) {
      Fail(job, absl::UnavailableError(absl::StrCat(
                    job.spec.description, ": ", job.restarts,
                    " workers were lost while they ran its tasks, the last one worker ", worker_id,
                    ": ", reason)));
      continue;
    }
    if (IsMade(Mistake::kJobsOfLostWorkerForgotten)) continue;
    for (const Stage* const stage : job.stages) {
      // A repair counts nothing.
      if (stage->kind != StageKind::kShuffleMap || job.repaired_state != Job::kNoState) continue;
      job.owed_maps.push_back({DependencyKind::kShuffle, stage->rdd, stage->shuffle, {}});
    }
    Detach(job);
    waiting_jobs_.push_back(id);
  }
}

// It began while the state was whole. What was lost of it since is made again before it begins once
// more, be it that its own tasks still waited for what they read.
bool DagScheduler::UpdatesLost(const Stage& stage) const {
  return stage.kind == StageKind::kState && stage.state_begun && !stage.is_repair &&
         data_.states.IsLost(stage.rdd->state->state_id);
}

bool DagScheduler::ReadsLost(const Stage& stage, const std::vector<int64_t>& lost_shuffles) const {
  const auto is_lost = [&](const ShuffleSpec& shuffle) {
    return std::binary_search(lost_shuffles.begin(), lost_shuffles.end(), shuffle.shuffle_id);
  };
  if (stage.shuffle != nullptr && is_lost(*stage.shuffle)) return true;
  for (const auto& variant : stage.variants) {
    for (const StageNode& node : variant->tree.nodes()) {
      if (node.kind == StageNode::Kind::kShuffleRead && is_lost(*node.shuffle->shuffle)) {
        return true;
      }
      if (node.kind == StageNode::Kind::kCachedRead && node.rdd->state == nullptr &&
          !data_.cached.IsComplete(node.rdd->rdd_id, node.rdd->num_partitions)) {
        return true;
      }
    }
  }
  return false;
}

void DagScheduler::RestartJobs() {
  if (workers_.count() == 0) return;
  for (const int64_t id : std::exchange(waiting_jobs_, {})) {
    const auto job = jobs_.find(id);
    if (job != jobs_.end()) Start(*job->second);
  }
}

}  // namespace millrace::internal
