// Turns jobs into stages, and stages into results.
#ifndef MILLRACE_DRIVER_DAG_DAG_SCHEDULER_H_
#define MILLRACE_DRIVER_DAG_DAG_SCHEDULER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "driver/block/worker_data.h"
#include "driver/cluster/worker_registry.h"
#include "driver/dag/accumulators.h"
#include "driver/dag/batch_metrics.h"
#include "driver/dag/job.h"
#include "driver/dag/plan_cache.h"
#include "driver/dag/stage.h"
#include "driver/task/task_placer.h"
#include "driver/task/task_scheduler.h"

namespace millrace::internal {

// A job is cut at shuffles and at state updates. Map stages and the stages that read them go to
// the task scheduler together; what reads the output of a state update waits for its commit. What
// exists already (a complete shuffle, a state's output, a persisted data set) is not made again,
// and what another job is just making is waited for.
//
// Calls note what is to be launched; the caller ends with TaskScheduler::Dispatch.
//
// Threads: the driver core's event loop.
// Invariants:
//  (1) a stage in flight has a job that needs it; a shuffle, a state update and a kept data set
//      have one stage in flight at most, unless waiting for that one would close a circle;
//  (2) a job is done when its results and all stages that it needed are: so accumulators are
//      complete when an action returns;
//  (3) an update of state counts on all partitions or on none; what makes lost partitions again
//      counts nothing a second time.
class DagScheduler final : public StageOwner {
 public:
  struct Parts {
    WorkerRegistry& workers;
    WorkerData& data;
    TaskScheduler& tasks;
    Accumulators& accumulators;
    BatchMetrics& metrics;
  };

  struct Options {
    int max_failures = 4;
    // Lost partitions of states are made again. Otherwise what reads them fails.
    bool repairs_states = false;
    // Shuffles of repairs are numbered down from its negative; other ids are positive.
    int64_t first_id = 0;
  };

  DagScheduler(const Parts& parts, const Options& options)
      : workers_(parts.workers),
        data_(parts.data),
        tasks_(parts.tasks),
        accumulators_(parts.accumulators),
        metrics_(parts.metrics),
        placer_(parts.workers, parts.data),
        options_(options),
        last_repair_shuffle_id_(-options.first_id),
        shuffle_owner_(std::make_shared<WorkerData*>(&data_)) {}

  // Waits for a worker while there is none.
  int64_t Submit(JobSpec spec, JobDone done);
  void Cancel(absl::FunctionRef<bool(const JobSpec&)> which, const absl::Status& reason);

  // Says whether jobs of a batch may still come: a later update of a state then waits for them.
  void SetBatchFilter(std::function<bool(int64_t)> is_unfinished) {
    is_unfinished_ = std::move(is_unfinished);
  }
  // A batch has ended: updates of state that waited for it go on.
  void BatchEnded() { RetryStateUpdates(); }

  void WorkerAdded();
  // Between the worker's leaving the registry and TaskScheduler::WorkerLost: jobs that used it
  // begin again with what is left.
  void WorkerLost(int64_t worker_id, const std::string& reason);
  // After that.
  void RestartJobs();

  // A state was saved; see StateTracker::Saved.
  void StateSaved(int64_t state_id, RddRef load) { data_.states.Saved(state_id, std::move(load)); }

  bool idle() const { return jobs_.empty() && stages_.empty(); }

  // StageOwner
  TaskPlacement PlaceTask(const Stage& stage, int index) override;
  void NameHolders(int64_t worker_id, proto::TaskRequest& request) override;
  void NameReduceWorkers(const Stage& stage, proto::OutputBinding& output) override;
  void OnTaskSucceeded(Stage& stage, int index, const TaskAttempt& attempt,
                       proto::TaskStatus status) override;
  void OnInputsLost(Stage& stage, int index, const TaskAttempt& attempt,
                    const proto::TaskStatus& status) override;
  void OnStageFailed(Stage& stage, absl::Status reason) override;
  void OnStageDrained(Stage& stage) override;

 private:
  using StageRef = std::shared_ptr<Stage>;

  // Jobs.
  void Start(Job& job);
  void Finish(Job& job);
  void Fail(Job& job, const absl::Status& reason);
  void Detach(Job& job);

  // Making and planning stages.
  StageRef NewStage(StageKind kind, RddRef rdd, std::vector<int> partitions, const Job& job);
  StageRef MapStageOf(const Dependency& dependency, const Job& job);
  StageRoot RootOf(const Stage& stage) const;
  std::unique_ptr<StageVariant> MakeVariant(const Stage& stage);
  // `may_go_ahead`: tasks may be launched before the shuffles that they read are complete.
  void FindInputs(Stage& stage, const StageTree& tree, bool may_go_ahead);
  void Plan(Stage& stage);
  bool AttachJobs(const Stage& from, Stage& to);
  void Open(const StageRef& top);
  void PlaceAll(const std::vector<StageRef>& opened);
  void PlaceReducePartitions(int64_t shuffle_id);

  // From planned to complete.
  void Activate(Stage& stage);
  Stage* ClaimerOf(const Stage& stage, const StageTree& tree) const;
  void Claim(Stage& stage, const StageTree& tree);
  bool Reaches(const Stage& from, const Stage& to) const;
  static void WaitFor(Stage& stage, Stage& other, bool is_shuffle);
  void WaitsAreOver(Stage& stage);
  void Launch(const StageRef& stage);
  void TakeSuccess(Stage& stage, int index, const TaskAttempt& attempt, proto::TaskStatus& status);
  void Complete(const StageRef& stage);
  void Abandon(const StageRef& stage);
  void Unlink(Stage& stage);
  void EndWaits(Stage& stage);

  // State (dag_scheduler_state.cc).
  enum class Turn : uint8_t { kMayBegin, kMustWait, kWasMade };
  bool IsMadeAndKept(const RddNode& rdd) const;
  StageRef StateStageOf(const RddRef& rdd, const Job& job);
  bool MayUpdateState(const StageRef& stage);
  absl::StatusOr<Turn> TurnOf(const Stage& stage) const;
  absl::Status BeginStateUpdate(Stage& stage);
  void RetryStateUpdates();
  void CommitState(Stage& stage);
  void BeginRepair(int64_t state_id);
  void StartRepairStep(Job& job);
  void EndRepair(int64_t state_id, const absl::Status& status);
  RddRef WithOwnShuffles(const RddNode& step);

  // Losses (dag_scheduler_losses.cc).
  void BlocksLost(Stage& stage, int index, const TaskAttempt& attempt,
                  const proto::TaskStatus& status);
  void RecomputeLost(Stage& stage, int index);
  void BreakCircles(const Stage& stage);
  void StopSharing();
  bool UpdatesLost(const Stage& stage) const;
  bool ReadsLost(const Stage& stage, const std::vector<int64_t>& lost_shuffles) const;

  WorkerRegistry& workers_;
  WorkerData& data_;
  TaskScheduler& tasks_;
  Accumulators& accumulators_;
  BatchMetrics& metrics_;
  TaskPlacer placer_;
  PlanCache plans_;
  const Options options_;
  std::function<bool(int64_t)> is_unfinished_;

  int64_t last_job_id_ = 0;
  int64_t last_stage_id_ = 0;
  absl::btree_map<int64_t, std::unique_ptr<Job>> jobs_;
  std::vector<int64_t> waiting_jobs_;                  // For a worker, or to begin again.
  absl::btree_map<int64_t, StageRef> stages_;          // In flight, by id.
  absl::flat_hash_map<int64_t, Stage*> map_stages_;    // By shuffle.
  absl::flat_hash_map<int64_t, Stage*> state_stages_;  // By data set.
  absl::flat_hash_map<int64_t, Stage*> claims_;        // By data set that is being kept.
  std::vector<StageRef> state_waits_;                  // For their turn to update a state.
  absl::flat_hash_map<int64_t, const Job*> repairs_;   // Of lost partitions, by state.
  int64_t last_repair_shuffle_id_;
  // Gone before the rest of this, so that what goes later asks for nothing.
  std::shared_ptr<WorkerData*> shuffle_owner_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_DAG_DAG_SCHEDULER_H_
