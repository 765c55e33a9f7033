#include "executor/task/task_run.h"

#include <exception>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/status_macros.h"
#include "executor/task/task_tree.h"

namespace millrace::internal {

TaskRun::TaskRun(const TaskServices& services, LaunchedTask& launched)
    : services_(services), launched_(launched) {
  task_id_ = launched.request.task_id();
  partition_ = static_cast<int>(launched.request.partition());
  attempt_ = static_cast<int>(launched.request.attempt());
  batch_time_ms_ = launched.request.batch_time_ms();
}

TaskRun::~TaskRun() = default;

void TaskRun::Run() {
  const absl::Status built = BuildTaskTree(*this, launched_, nodes_);
  if (!built.ok()) {
    Fail(built);
    return;
  }
  SetCurrent(this);
  const absl::Cleanup reset = [] { SetCurrent(nullptr); };
  // The one place where exceptions of user code end. The scopes that they left have kept the
  // operator to blame, which Fail names.
  try {
    RunRoot(nodes_.front());
  } catch (const std::exception& e) {
    Fail(absl::UnknownError(e.what()));
  } catch (...) {
    Fail(absl::UnknownError("threw something that is not a std::exception"));
  }
}

void TaskRun::RunRoot(RunNode& root) {
  const OperatorScope scope(root, 0);
  const bool computed = root.Compute(nullptr);
  if (failed() || cancelled()) return;
  if (!computed) {
    Fail(absl::InternalError("stopped without saying why"));
    return;
  }
  if (root.binding() != nullptr && root.binding()->has_output() &&
      root.binding()->output().reduce_count() > 0) {
    FinishMapOutput(root.binding()->output());
  }
  for (const auto& [id, slot] : accumulators()) {
    proto::AccumulatorUpdate& update = *launched_.status.add_accumulators();
    update.set_accumulator_id(id);
    update.set_value(slot.encode());
  }
}

MapOutputWriter& TaskRun::WriterOf(const proto::OutputBinding& output) {
  if (map_output_ == nullptr) {
    MapOutputWriter::Output named{.shuffle_id = output.shuffle_id(),
                                  .map_partition = output.map_partition(),
                                  .task_id = task_id(),
                                  .reduce_count = output.reduce_count()};
    named.reduce_workers.assign(output.reduce_workers().begin(), output.reduce_workers().end());
    map_output_ = std::make_unique<MapOutputWriter>(services_.map_outputs, std::move(named));
  }
  return *map_output_;
}

absl::Status TaskRun::AddToMapOutput(const proto::OutputBinding& output, int reduce_partition,
                                     Buffer records) {
  absl::Status added = WriterOf(output).Add(reduce_partition, std::move(records));
  has_missed_peer_ |= absl::IsUnavailable(added);
  return added;
}

void TaskRun::FinishMapOutput(const proto::OutputBinding& output) {
  MapOutputWriter& writer = WriterOf(output);
  launched_.status.set_shuffle_bytes_written(static_cast<int64_t>(writer.bytes()));
  const absl::Status finished = writer.Finish();
  if (finished.ok()) return;
  has_missed_peer_ |= absl::IsUnavailable(finished);
  Fail(finished);
}

std::unique_ptr<MapOutputWriter> TaskRun::TakeUnacknowledged() {
  const bool is_done = map_output_ == nullptr || map_output_->is_acknowledged();
  return is_done ? nullptr : std::move(map_output_);
}

absl::StatusOr<std::vector<Buffer>> TaskRun::Fetch(int64_t holder, proto::PeerRequest request) {
  if (services_.remote == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("the task reads from worker ", holder, ", but this one knows no other"));
  }
  absl::StatusOr<std::vector<Buffer>> buffers = services_.remote->Fetch(holder, std::move(request));
  has_missed_peer_ |= absl::IsUnavailable(buffers.status());
  return buffers;
}

std::shared_ptr<const std::string> TaskRun::Broadcast(int64_t broadcast_id) {
  for (const auto& [id, value] : launched_.broadcasts) {
    if (id == broadcast_id) return value;
  }
  return {};
}

}  // namespace millrace::internal
