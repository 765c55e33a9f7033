// One stage of a running job: tasks that run without waiting for one another.
#ifndef MILLRACE_DRIVER_DAG_STAGE_H_
#define MILLRACE_DRIVER_DAG_STAGE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "driver/dag/plan_cache.h"
#include "driver/dag/stage_tree.h"
#include "driver/lineage/rdd_node.h"
#include "driver/task/task_set.h"

namespace millrace::internal {

struct Job;
class Stage;

enum class StageKind : uint8_t { kResult, kShuffleMap, kState };

// Who decides about stages.
class StageOwner {
 public:
  virtual ~StageOwner() = default;
  virtual TaskPlacement PlaceTask(const Stage& stage, int index) = 0;
  // Says in the bindings of a task for this worker where to get what lies elsewhere.
  virtual void NameHolders(int64_t worker_id, proto::TaskRequest& request) = 0;
  // Says where each reduce partition gathers that a map stage writes for.
  virtual void NameReduceWorkers(const Stage& stage, proto::OutputBinding& output) = 0;
  virtual void OnTaskSucceeded(Stage& stage, int index, const TaskAttempt& attempt,
                               proto::TaskStatus status) = 0;
  virtual void OnInputsLost(Stage& stage, int index, const TaskAttempt& attempt,
                            const proto::TaskStatus& status) = 0;
  virtual void OnStageFailed(Stage& stage, absl::Status reason) = 0;
  virtual void OnStageDrained(Stage& stage) = 0;
};

struct OperatorSum {
  int64_t records = 0;
  int64_t nanos = 0;
};

// One way to compute the stage's partitions. A stage gets another one when a persisted data set
// that it reads turns out to be lost.
struct StageVariant {
  StageTree tree;
  PlanRef plan;
  std::vector<OperatorSum> sums;  // Over its tasks, by plan node.
};

// The scheduler's view of a stage, and what the DAG scheduler notes about it.
//
// Lifetime: until its last attempt has reported, cancelled or not, so that the leases which its
// lineage holds end after whatever could still write for them.
class Stage final : public TaskSet {
 public:
  enum class Phase : uint8_t {
    kNew,
    kWaiting,  // Planned; for other stages, or for its turn to update a state.
    kSubmitted,
    kEnded,  // Complete, or given up.
  };

  Stage(StageOwner& owner, StageKind kind, int64_t id, RddRef rdd, std::vector<int> partitions)
      : owner(owner),
        kind(kind),
        id(id),
        rdd(std::move(rdd)),
        partitions(std::move(partitions)),
        unfinished_count(static_cast<int>(this->partitions.size())) {}

  // Constant.
  StageOwner& owner;
  const StageKind kind;
  const int64_t id;
  const RddRef rdd;
  const std::vector<int> partitions;           // By task index.
  std::shared_ptr<const ShuffleSpec> shuffle;  // kShuffleMap
  std::vector<int> result_index;               // kResult: in JobSpec::partitions, by task index.
  int64_t job_id = 0;                          // The first job that needed it.
  int64_t batch_time_ms = -1;

  Phase phase = Phase::kNew;
  int unfinished_count;               // Tasks.
  absl::InlinedVector<Job*, 1> jobs;  // That need it; a result stage has one.

  // The graph of stages in flight. What stands in a wait list has this stage in `dependents`.
  std::vector<std::shared_ptr<Stage>> inputs;  // Of the latest variant, not complete when planned.
  absl::InlinedVector<Stage*, 2> shuffle_waits;  // Map stages: tasks may be sent ahead of them.
  std::vector<Stage*> hard_waits;                // Nothing is launched before they have ended.
  std::vector<Stage*> dependents;
  bool replan_after_wait = false;
  std::vector<int> lost_tasks;  // To launch again after the waits.
  int loss_count = 0;

  // Variants, and which of them each task runs.
  std::vector<std::unique_ptr<StageVariant>> variants;
  std::vector<int32_t> variant_of;

  // What it does was done before, and counted.
  bool is_repair = false;

  // kState: its update is under way, from which earlier one it starts, and the attempts that count
  // once all tasks have one.
  bool state_begun = false;
  int64_t state_previous_ms = -1;
  struct Accepted {
    TaskAttempt attempt;
    int index;
    google::protobuf::RepeatedPtrField<proto::AccumulatorUpdate> accumulators;
  };
  std::vector<Accepted> accepted;

  // Sums over tasks that succeeded.
  int64_t run_micros = 0;
  int64_t wait_micros = 0;
  int64_t shuffle_bytes_written = 0;

  std::shared_ptr<Stage> Ref() { return std::static_pointer_cast<Stage>(shared_from_this()); }
  const StageVariant& latest() const { return *variants.back(); }
  // The operator that people know the stage by.
  const std::string& label() const;
  void Count(int index, const proto::TaskStatus& status);

  void SetTasks(std::string pool, bool is_judged) {
    InitTasks(static_cast<int>(partitions.size()), job_id, id, std::move(pool), is_judged);
  }
  // Before the stage is submitted: all tasks run this variant and no other.
  void UseForAll(std::unique_ptr<StageVariant> variant);
  // Afterwards, for one task that is not running.
  void UseForTask(std::unique_ptr<StageVariant> variant, int index);

  // TaskSet
  const Plan& FillRequest(int index, int64_t worker_id, proto::TaskRequest& request) override;
  TaskPlacement PlacementOf(int index) override { return owner.PlaceTask(*this, index); }
  std::string DescribeTask(int index) const override;
  void TaskSucceeded(int index, const TaskAttempt& attempt, proto::TaskStatus status) override {
    owner.OnTaskSucceeded(*this, index, attempt, std::move(status));
  }
  void InputsLost(int index, const TaskAttempt& attempt, const proto::TaskStatus& status) override {
    owner.OnInputsLost(*this, index, attempt, status);
  }
  void TaskFailedForGood(int /*index*/, absl::Status reason) override {
    owner.OnStageFailed(*this, std::move(reason));
  }
  void Drained() override { owner.OnStageDrained(*this); }
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_DAG_STAGE_H_
