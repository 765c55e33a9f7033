#include "executor/task/task_node.h"

#include <algorithm>
#include <exception>

#include "absl/strings/str_cat.h"
#include "common/base/annotate_status.h"
#include "executor/task/ticks.h"

namespace millrace::internal {

namespace {

thread_local TaskContext* current_task = nullptr;

}  // namespace

OperatorScope::OperatorScope(TaskNode& node, size_t records)
    : node_(node), outer_(node.task_->running_) {
  TaskContext& task = *node.task_;
  const int64_t now = ReadTicks();
  if (outer_ != nullptr) {
    outer_->counters_.ticks += now - task.ticks_at_switch_;
    // A source takes nothing in; what it puts out is its count.
    if (outer_->inputs_.empty()) outer_->counters_.records += static_cast<int64_t>(records);
  }
  node.counters_.records += static_cast<int64_t>(records);
  task.running_ = &node;
  task.ticks_at_switch_ = now;
}

OperatorScope::~OperatorScope() {
  TaskContext& task = *node_.task_;
  const int64_t now = ReadTicks();
  node_.counters_.ticks += now - task.ticks_at_switch_;
  task.ticks_at_switch_ = now;
  // While an exception passes, the innermost operator stays to blame.
  if (std::uncaught_exceptions() == 0) task.running_ = outer_;
}

TaskContext* TaskContext::Current() { return current_task; }

void TaskContext::SetCurrent(TaskContext* context) { current_task = context; }

std::string_view TaskContext::running_label() const {
  return running_ == nullptr ? std::string_view() : running_->label();
}

bool TaskContext::Fail(absl::Status status) {
  if (failed()) return false;
  if (status.ok()) status = absl::InternalError("failed without saying why");
  status_ = running_ == nullptr ? std::move(status) : AnnotateStatus(status, running_->label());
  return false;
}

TaskContext::AccumulatorSlot& TaskContext::accumulator(int64_t accumulator_id) {
  const auto found =
      std::find_if(accumulators_.begin(), accumulators_.end(),
                   [accumulator_id](const auto& slot) { return slot.first == accumulator_id; });
  if (found != accumulators_.end()) return found->second;
  return accumulators_.emplace_back(accumulator_id, AccumulatorSlot{}).second;
}

bool TaskNode::RunInput(int i, AnySink& sink) {
  if (i < 0 || i >= input_count()) {
    return task_->Fail(absl::InternalError(
        absl::StrCat("reads its input ", i, ", but the plan gives it ", input_count())));
  }
  TaskNode& input = *inputs_[static_cast<size_t>(i)];
  const OperatorScope scope(input, 0);
  return input.operator_->Compute(input, &sink);
}

}  // namespace millrace::internal
