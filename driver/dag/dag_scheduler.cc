#include "driver/dag/dag_scheduler.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/base/mistake.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

template <class List, class Item>
void EraseFrom(List& list, const Item& item) {
  list.erase(std::remove(list.begin(), list.end(), item), list.end());
}

template <class List, class Item>
bool Contains(const List& list, const Item& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

absl::Status CheckSpec(const JobSpec& spec) {
  for (const int partition : spec.partitions) {
    if (partition >= 0 && partition < spec.rdd->num_partitions) continue;
    return absl::InvalidArgumentError(absl::StrCat(spec.description, ": partition ", partition,
                                                   " is asked for of ", spec.rdd->op->label,
                                                   ", which has ", spec.rdd->num_partitions));
  }
  return absl::OkStatus();
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// Jobs.

int64_t DagScheduler::Submit(JobSpec spec, JobDone done) {
  const int64_t id = ++last_job_id_;
  const absl::Status valid = CheckSpec(spec);
  if (!valid.ok()) {
    done(valid);
    return id;
  }
  auto job = std::make_unique<Job>();
  job->id = id;
  job->result.results.resize(spec.partitions.size());
  job->has_result.resize(spec.partitions.size());
  job->spec = std::move(spec);
  job->done = std::move(done);
  Job& added = *jobs_.emplace(id, std::move(job)).first->second;
  if (workers_.count() == 0) {
    waiting_jobs_.push_back(id);
  } else {
    Start(added);
  }
  return id;
}

void DagScheduler::Start(Job& job) {
  if (job.repaired_state != Job::kNoState) return StartRepairStep(job);
  std::vector<int> partitions;
  std::vector<int> result_index;
  for (size_t i = 0; i < job.spec.partitions.size(); ++i) {
    if (job.has_result[i]) continue;
    partitions.push_back(job.spec.partitions[i]);
    result_index.push_back(static_cast<int>(i));
  }
  if (partitions.empty() && job.owed_maps.empty()) return Finish(job);
  const StageRef stage = NewStage(StageKind::kResult, job.spec.rdd, std::move(partitions), job);
  stage->result_index = std::move(result_index);
  stage->jobs.push_back(&job);
  job.stages.push_back(stage.get());
  Open(stage);
}

// The callbacks may submit again, so a job leaves the books first.
void DagScheduler::Finish(Job& job) {
  const std::unique_ptr<Job> finished = std::move(jobs_.extract(job.id).mapped());
  finished->done(std::move(finished->result));
}

void DagScheduler::Fail(Job& job, const absl::Status& reason) {
  const std::unique_ptr<Job> failed = std::move(jobs_.extract(job.id).mapped());
  Detach(*failed);
  failed->done(reason);
}

void DagScheduler::Detach(Job& job) {
  std::vector<StageRef> unneeded;
  for (Stage* const stage : std::exchange(job.stages, {})) {
    EraseFrom(stage->jobs, &job);
    if (stage->jobs.empty()) unneeded.push_back(stage->Ref());
  }
  for (const StageRef& stage : unneeded) Abandon(stage);
}

void DagScheduler::Cancel(absl::FunctionRef<bool(const JobSpec&)> which,
                          const absl::Status& reason) {
  std::vector<int64_t> ids;
  for (const auto& [id, job] : jobs_) {
    if (which(job->spec)) ids.push_back(id);
  }
  for (const int64_t id : ids) {
    const auto job = jobs_.find(id);
    if (job != jobs_.end()) Fail(*job->second, reason);
  }
}

// ---------------------------------------------------------------------------------------------
// Making and planning stages.

DagScheduler::StageRef DagScheduler::NewStage(StageKind kind, RddRef rdd,
                                              std::vector<int> partitions, const Job& job) {
  auto stage =
      std::make_shared<Stage>(*this, kind, ++last_stage_id_, std::move(rdd), std::move(partitions));
  stage->job_id = job.id;
  stage->batch_time_ms = job.spec.batch_time_ms;
  const bool writes_files =
      kind == StageKind::kResult && job.spec.root->binding == BindingKind::kOutput;
  stage->SetTasks(job.spec.pool, kind == StageKind::kState || writes_files);
  stages_.emplace(stage->id, stage);
  return stage;
}

// Null: its outputs exist.
DagScheduler::StageRef DagScheduler::MapStageOf(const Dependency& dependency, const Job& job) {
  const ShuffleSpec& shuffle = *dependency.shuffle;
  if (data_.shuffles.IsComplete(shuffle.shuffle_id)) return nullptr;
  const auto known = map_stages_.find(shuffle.shuffle_id);
  if (known != map_stages_.end()) return known->second->Ref();
  data_.shuffles.Register(shuffle.shuffle_id, dependency.parent->num_partitions,
                          shuffle.num_reduce);
  // With a choice PlaceAll makes it. Without one the readers are not asked, and may be launched
  // before a map task is: what they wait for must not gather on a worker that joins meanwhile.
  if (workers_.count() == 1) PlaceReducePartitions(shuffle.shuffle_id);
  StageRef stage = NewStage(StageKind::kShuffleMap, dependency.parent,
                            data_.shuffles.MissingMaps(shuffle.shuffle_id), job);
  stage->shuffle = dependency.shuffle;
  stage->is_repair = shuffle.shuffle_id < 0;
  map_stages_.emplace(shuffle.shuffle_id, stage.get());
  return stage;
}

StageRoot DagScheduler::RootOf(const Stage& stage) const {
  switch (stage.kind) {
    case StageKind::kResult:
      return {.op = stage.jobs[0]->spec.root,
              .shuffle_id = 0,
              .reduce_count = 0,
              .output_path = stage.jobs[0]->spec.output_path};
    case StageKind::kShuffleMap:
      return {.op = stage.shuffle->write,
              .shuffle_id = stage.shuffle->shuffle_id,
              .reduce_count = stage.shuffle->num_reduce,
              .output_path = ""};
    case StageKind::kState:
      break;
  }
  return {};
}

std::unique_ptr<StageVariant> DagScheduler::MakeVariant(const Stage& stage) {
  auto variant = std::make_unique<StageVariant>(
      StageVariant{StageTree(stage.rdd, RootOf(stage), data_.cached), nullptr, {}});
  variant->plan = plans_.PlanOf(variant->tree);
  variant->sums.resize(variant->plan->labels.size());
  return variant;
}

void DagScheduler::FindInputs(Stage& stage, const StageTree& tree, bool may_go_ahead) {
  Job& job = *stage.jobs[0];
  stage.inputs.clear();
  const auto add_map_stage = [&](const Dependency& dependency) {
    StageRef input = MapStageOf(dependency, job);
    if (input == nullptr) return;
    WaitFor(stage, *input, /*is_shuffle=*/may_go_ahead);
    stage.inputs.push_back(std::move(input));
  };
  for (const Dependency* const dependency : tree.shuffles()) add_map_stage(*dependency);
  if (stage.kind == StageKind::kResult) {
    for (const Dependency& owed : std::exchange(job.owed_maps, {})) add_map_stage(owed);
  }
  for (const RddRef& state : tree.state_inputs()) {
    StageRef input = StateStageOf(state, job);
    if (input == nullptr) continue;
    WaitFor(stage, *input, /*is_shuffle=*/false);
    stage.inputs.push_back(std::move(input));
  }
}

void DagScheduler::Plan(Stage& stage) {
  stage.UseForAll(MakeVariant(stage));
  FindInputs(stage, stage.latest().tree, /*may_go_ahead=*/true);
  stage.phase = Stage::Phase::kWaiting;
}

// False: `to` had all of them.
bool DagScheduler::AttachJobs(const Stage& from, Stage& to) {
  bool changed = false;
  for (Job* const job : from.jobs) {
    if (Contains(to.jobs, job)) continue;
    to.jobs.push_back(job);
    job->stages.push_back(&to);
    changed = true;
  }
  return changed;
}

// Plans a stage and, before it, whatever it needs that is not there yet; then sets them going,
// inputs first. The walk keeps its own stack: a lineage may hold any number of shuffles.
void DagScheduler::Open(const StageRef& top) {
  struct Frame {
    StageRef stage;
    size_t next_input;
    bool is_opened;
  };
  std::vector<StageRef> opened;
  std::vector<Frame> stack;
  const auto enter = [&](const StageRef& stage) {
    const bool is_new = stage->phase == Stage::Phase::kNew;
    if (is_new) Plan(*stage);
    stack.push_back({stage, 0, is_new});
  };
  enter(top);
  while (!stack.empty()) {
    Frame& frame = stack.back();
    if (frame.next_input == frame.stage->inputs.size()) {
      if (frame.is_opened) opened.push_back(std::move(frame.stage));
      stack.pop_back();
      continue;
    }
    const StageRef input = frame.stage->inputs[frame.next_input++];
    if (input->phase == Stage::Phase::kEnded) continue;
    if (AttachJobs(*frame.stage, *input) || input->phase == Stage::Phase::kNew) enter(input);
  }
  PlaceAll(opened);
  for (const StageRef& stage : opened) Activate(*stage);
}

// Before anything is launched it must stand where each reduce partition gathers, and it is the
// readers of a shuffle that decide: they come after the map stages here.
void DagScheduler::PlaceAll(const std::vector<StageRef>& opened) {
  if (workers_.count() <= 1) return;
  for (auto stage = opened.rbegin(); stage != opened.rend(); ++stage) {
    const StageTree& tree = (*stage)->latest().tree;
    for (const int partition : (*stage)->partitions) placer_.Place(tree, partition);
  }
}

TaskPlacement DagScheduler::PlaceTask(const Stage& stage, int index) {
  const size_t i = static_cast<size_t>(index);
  const size_t variant = static_cast<size_t>(stage.variant_of[i]);
  return placer_.Place(stage.variants[variant]->tree, stage.partitions[i]);
}

void DagScheduler::NameHolders(int64_t worker_id, proto::TaskRequest& request) {
  if (workers_.count() > 1) placer_.NameHolders(worker_id, request);
}

// Those that have no place yet.
void DagScheduler::PlaceReducePartitions(int64_t shuffle_id) {
  const std::vector<int64_t>& places = data_.shuffles.ReduceWorkers(shuffle_id);
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i] != MapOutputTracker::kUnplaced) continue;
    const int partition = static_cast<int>(i);
    data_.shuffles.PlaceReduce(shuffle_id, partition, workers_.HomeOf(partition));
  }
}

// Partitions that no stage in flight reads get a place too: a later job may read them, and then the
// map outputs count as made.
void DagScheduler::NameReduceWorkers(const Stage& stage, proto::OutputBinding& output) {
  const int64_t shuffle_id = stage.shuffle->shuffle_id;
  PlaceReducePartitions(shuffle_id);
  const std::vector<int64_t>& places = data_.shuffles.ReduceWorkers(shuffle_id);
  // A single worker has no other to send to.
  if (workers_.count() > 1) output.mutable_reduce_workers()->Add(places.begin(), places.end());
}

// ---------------------------------------------------------------------------------------------
// From planned to complete.

void DagScheduler::Activate(Stage& stage) {
  if (stage.phase != Stage::Phase::kWaiting) return;
  if (Stage* const claimer = ClaimerOf(stage, stage.latest().tree); claimer != nullptr) {
    stage.replan_after_wait = true;
    WaitFor(stage, *claimer, /*is_shuffle=*/false);
    return;
  }
  Claim(stage, stage.latest().tree);
  if (stage.hard_waits.empty()) Launch(stage.Ref());
}

// Another stage in flight that will keep what this one would have to compute.
Stage* DagScheduler::ClaimerOf(const Stage& stage, const StageTree& tree) const {
  for (const RddNode* const rdd : tree.written()) {
    const auto claim = claims_.find(rdd->rdd_id);
    if (claim == claims_.end() || claim->second == &stage) continue;
    if (!Reaches(*claim->second, stage)) return claim->second;
  }
  return nullptr;
}

void DagScheduler::Claim(Stage& stage, const StageTree& tree) {
  for (const RddNode* const rdd : tree.written()) {
    data_.cached.Track(rdd->rdd_id);
    claims_.try_emplace(rdd->rdd_id, &stage);
  }
}

// Whether `from` waits for `to`, directly or through others.
bool DagScheduler::Reaches(const Stage& from, const Stage& to) const {
  std::vector<const Stage*> pending{&from};
  absl::flat_hash_set<const Stage*> seen{&from};
  while (!pending.empty()) {
    const Stage* const stage = pending.back();
    pending.pop_back();
    if (stage == &to) return true;
    const auto visit = [&](const Stage* next) {
      if (seen.insert(next).second) pending.push_back(next);
    };
    for (const Stage* const next : stage->shuffle_waits) visit(next);
    for (const Stage* const next : stage->hard_waits) visit(next);
    if (stage->kind != StageKind::kState || stage->is_repair) continue;
    const auto repair = repairs_.find(stage->rdd->state->state_id);
    if (repair == repairs_.end()) continue;
    for (const Stage* const next : repair->second->stages) visit(next);
  }
  return false;
}

void DagScheduler::WaitFor(Stage& stage, Stage& other, bool is_shuffle) {
  if (Contains(stage.hard_waits, &other)) return;
  const bool waited_for_outputs = Contains(stage.shuffle_waits, &other);
  if (waited_for_outputs && is_shuffle) return;
  if (is_shuffle) {
    stage.shuffle_waits.push_back(&other);
  } else {
    EraseFrom(stage.shuffle_waits, &other);
    stage.hard_waits.push_back(&other);
  }
  if (!waited_for_outputs) other.dependents.push_back(&stage);
}

void DagScheduler::WaitsAreOver(Stage& stage) {
  const StageRef keep = stage.Ref();
  if (stage.replan_after_wait) {
    stage.replan_after_wait = false;
    if (stage.phase == Stage::Phase::kWaiting) {
      stage.phase = Stage::Phase::kNew;
      Open(keep);
      return BreakCircles(stage);
    }
  }
  if (stage.phase == Stage::Phase::kWaiting) return Launch(keep);
  for (const int index : std::exchange(stage.lost_tasks, {})) RecomputeLost(stage, index);
}

void DagScheduler::Launch(const StageRef& stage) {
  if (stage->kind == StageKind::kState && !MayUpdateState(stage)) return;
  stage->phase = Stage::Phase::kSubmitted;
  if (stage->partitions.empty()) return Complete(stage);
  tasks_.Submit(*stage, stage->shuffle_waits.empty());
}

void DagScheduler::OnTaskSucceeded(Stage& stage, int index, const TaskAttempt& attempt,
                                   proto::TaskStatus status) {
  if (IsMade(Mistake::kSecondAttemptsCounted) && stage.unfinished_count == 0) return;
  stage.Count(index, status);
  TakeSuccess(stage, index, attempt, status);
  if (--stage.unfinished_count == 0) Complete(stage.Ref());
}

void DagScheduler::TakeSuccess(Stage& stage, int index, const TaskAttempt& attempt,
                               proto::TaskStatus& status) {
  const size_t i = static_cast<size_t>(index);
  switch (stage.kind) {
    case StageKind::kResult: {
      Job& job = *stage.jobs[0];
      const size_t result = static_cast<size_t>(stage.result_index[i]);
      job.result.results[result] = std::move(*status.mutable_result());
      job.has_result[result] = true;
      if (job.spec.root->binding == BindingKind::kOutput) tasks_.Judge(attempt, /*commit=*/true);
      return accumulators_.Merge(status.accumulators(), stage.batch_time_ms);
    }
    case StageKind::kShuffleMap:
      // A recomputed output counts no second time.
      if (data_.shuffles.MapDone(stage.shuffle->shuffle_id, stage.partitions[i])
              ? !stage.is_repair
              : IsMade(Mistake::kRecomputedOutputsCounted)) {
        accumulators_.Merge(status.accumulators(), stage.batch_time_ms);
      }
      return;
    case StageKind::kState:
      stage.accepted.push_back({attempt, index, std::move(*status.mutable_accumulators())});
      return;
  }
}

void DagScheduler::Complete(const StageRef& stage) {
  if (stage->state_begun) CommitState(*stage);
  stage->phase = Stage::Phase::kEnded;
  metrics_.Add(*stage);
  Unlink(*stage);
  // By ids, for what a job's callback does may end other jobs.
  std::vector<int64_t> finished;
  const auto jobs = std::move(stage->jobs);
  stage->jobs.clear();
  for (Job* const job : jobs) {
    EraseFrom(job->stages, stage.get());
    if (job->stages.empty()) finished.push_back(job->id);
  }
  for (const int64_t id : finished) {
    const auto job = jobs_.find(id);
    if (job == jobs_.end()) continue;
    if (job->second->repaired_state == Job::kNoState) {
      Finish(*job->second);
    } else {
      job->second->restarts = 0;
      StartRepairStep(*job->second);
    }
  }
  EndWaits(*stage);
  if (stage->kind == StageKind::kState) RetryStateUpdates();
}

// No job needs it any more.
void DagScheduler::Abandon(const StageRef& stage) {
  if (stage->phase == Stage::Phase::kEnded) return;
  const bool was_submitted = stage->phase == Stage::Phase::kSubmitted;
  stage->phase = Stage::Phase::kEnded;
  Unlink(*stage);
  for (const Stage::Accepted& accepted : stage->accepted) {
    tasks_.Judge(accepted.attempt, /*commit=*/false);
  }
  stage->accepted.clear();
  if (was_submitted) {
    tasks_.Cancel(*stage);
  } else {
    OnStageDrained(*stage);
  }
  EndWaits(*stage);
}

// Takes the stage out of the books and of the lists of those it waits for.
void DagScheduler::Unlink(Stage& stage) {
  for (Stage* const other : stage.shuffle_waits) EraseFrom(other->dependents, &stage);
  for (Stage* const other : stage.hard_waits) EraseFrom(other->dependents, &stage);
  stage.shuffle_waits.clear();
  stage.hard_waits.clear();
  stage.inputs.clear();
  if (stage.kind == StageKind::kShuffleMap) map_stages_.erase(stage.shuffle->shuffle_id);
  if (stage.kind == StageKind::kState && !stage.is_repair) state_stages_.erase(stage.rdd->rdd_id);
  for (const auto& variant : stage.variants) {
    for (const RddNode* const rdd : variant->tree.written()) {
      const auto claim = claims_.find(rdd->rdd_id);
      if (claim != claims_.end() && claim->second == &stage) claims_.erase(claim);
    }
  }
  stages_.erase(stage.id);
}

void DagScheduler::EndWaits(Stage& stage) {
  for (Stage* const dependent : std::exchange(stage.dependents, {})) {
    if (dependent->jobs.empty()) continue;  // About to be given up, too.
    const StageRef keep = dependent->Ref();
    const bool waited_hard = Contains(dependent->hard_waits, &stage);
    EraseFrom(dependent->shuffle_waits, &stage);
    EraseFrom(dependent->hard_waits, &stage);
    if (dependent->phase == Stage::Phase::kSubmitted && dependent->shuffle_waits.empty()) {
      tasks_.InputsReady(*dependent);
    }
    if (waited_hard && dependent->hard_waits.empty()) WaitsAreOver(*dependent);
  }
}

}  // namespace millrace::internal
