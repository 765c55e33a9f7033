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
    HandInMapOutput(root.binding()->output());
  }
  for (const auto& [id, slot] : accumulators()) {
    proto::AccumulatorUpdate& update = *launched_.status.add_accumulators();
    update.set_accumulator_id(id);
    update.set_value(slot.encode());
  }
}

void TaskRun::HandInMapOutput(const proto::OutputBinding& output) {
  MapOutput handed_in;
  handed_in.shuffle_id = output.shuffle_id();
  handed_in.map_partition = output.map_partition();
  buckets_.resize(output.reduce_count());
  handed_in.buckets.reserve(buckets_.size());
  size_t bytes = 0;
  for (uint32_t reduce = 0; reduce < buckets_.size(); ++reduce) {
    bytes += buckets_[reduce].size();
    handed_in.buckets.emplace_back(reduce, std::move(buckets_[reduce]));
  }
  launched_.status.set_shuffle_bytes_written(static_cast<int64_t>(bytes));
  handed_in.workers.assign(output.reduce_workers().begin(), output.reduce_workers().end());
  const absl::Status status = services_.map_outputs.Put(std::move(handed_in));
  if (status.ok()) return;
  has_missed_peer_ = absl::IsUnavailable(status);
  Fail(status);
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

absl::Status TaskRun::AddBucket(const proto::OutputBinding& output, int reduce_partition,
                                Buffer bucket) {
  if (reduce_partition < 0 || static_cast<uint32_t>(reduce_partition) >= output.reduce_count()) {
    return absl::InvalidArgumentError(absl::StrCat("wrote to reduce partition ", reduce_partition,
                                                   " of ", output.reduce_count()));
  }
  buckets_.resize(output.reduce_count());
  Buffer& place = buckets_[static_cast<size_t>(reduce_partition)];
  if (!place.empty()) {
    return absl::InternalError(
        absl::StrCat("wrote reduce partition ", reduce_partition, " more than once"));
  }
  place = std::move(bucket);
  return absl::OkStatus();
}

std::shared_ptr<const std::string> TaskRun::Broadcast(int64_t broadcast_id) {
  for (const auto& [id, value] : launched_.broadcasts) {
    if (id == broadcast_id) return value;
  }
  return {};
}

}  // namespace millrace::internal
