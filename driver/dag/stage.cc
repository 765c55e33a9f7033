#include "driver/dag/stage.h"

#include <limits>

#include "absl/strings/str_cat.h"

namespace millrace::internal {
namespace {

// A worker's word: no number of it is below 0, and a sum ends at the largest.
void AddReported(int64_t& sum, int64_t reported) {
  if (reported > 0 && __builtin_add_overflow(sum, reported, &sum)) {
    sum = std::numeric_limits<int64_t>::max();
  }
}

}  // namespace

const std::string& Stage::label() const {
  if (variants.empty()) return rdd->op->label;
  return variants.back()->plan->labels.back();
}

void Stage::Count(int index, const proto::TaskStatus& status) {
  AddReported(run_micros, status.run_micros());
  AddReported(wait_micros, status.wait_micros());
  AddReported(shuffle_bytes_written, status.shuffle_bytes_written());
  std::vector<OperatorSum>& sums =
      variants[static_cast<size_t>(variant_of[static_cast<size_t>(index)])]->sums;
  for (const proto::OperatorMetrics& metrics : status.operators()) {
    if (metrics.node() >= sums.size()) continue;  // The worker's word, so it is checked.
    AddReported(sums[metrics.node()].records, metrics.records());
    AddReported(sums[metrics.node()].nanos, metrics.nanos());
  }
}

void Stage::UseForAll(std::unique_ptr<StageVariant> variant) {
  variants.clear();
  variants.push_back(std::move(variant));
  variant_of.assign(partitions.size(), 0);
}

void Stage::UseForTask(std::unique_ptr<StageVariant> variant, int index) {
  if (latest().tree.digest() != variant->tree.digest()) variants.push_back(std::move(variant));
  variant_of[static_cast<size_t>(index)] = static_cast<int32_t>(variants.size()) - 1;
}

const Plan& Stage::FillRequest(int index, int64_t worker_id, proto::TaskRequest& request) {
  const StageVariant& variant =
      *variants[static_cast<size_t>(variant_of[static_cast<size_t>(index)])];
  const int partition = partitions[static_cast<size_t>(index)];
  request.set_partition(static_cast<uint32_t>(partition));
  request.set_job_id(job_id);
  request.set_stage_id(id);
  request.set_batch_time_ms(batch_time_ms);
  variant.tree.AppendBindings(partition, request.mutable_bindings());
  if (kind == StageKind::kState) {
    request.mutable_bindings(0)->mutable_state()->set_previous_time_ms(state_previous_ms);
  }
  owner.NameHolders(worker_id, request);
  if (kind == StageKind::kShuffleMap) {
    owner.NameReduceWorkers(*this, *request.mutable_bindings(0)->mutable_output());
  }
  for (const int64_t broadcast : variant.tree.broadcast_ids()) {
    request.add_broadcast_ids(broadcast);
  }
  return *variant.plan;
}

std::string Stage::DescribeTask(int index) const {
  return absl::StrCat("task ", index + 1, " of ", partitions.size(), " of ", label());
}

}  // namespace millrace::internal
