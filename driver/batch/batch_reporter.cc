#include "driver/batch/batch_reporter.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

namespace millrace::internal {
namespace {

constexpr int64_t kMicrosPerMilli = 1000;

std::map<int, StreamInputInfo> ReceiverInputs(const BatchBlocks& blocks) {
  std::map<int, StreamInputInfo> inputs;
  for (const auto& [stream_id, stream_blocks] : blocks) {
    StreamInputInfo& input = inputs[static_cast<int>(stream_id)];
    input.stream_id = static_cast<int>(stream_id);
    for (const ReceivedBlock& block : stream_blocks) {
      input.num_records += std::max<int64_t>(0, block.record_count);
    }
  }
  return inputs;
}

OutputOperationInfo& OutputOf(RunningBatch& batch, size_t job) {
  return batch.info.output_operation_infos[batch.generated.jobs[job].output_op_id];
}

}  // namespace

Time BatchReporter::Now() const { return Time(env_.NowMicros() / kMicrosPerMilli); }

void BatchReporter::Due(RunningBatch& batch) const {
  batch.is_due = true;
  batch.info.submission_time = Now();
  batch.submitted_micros = env_.MonotonicMicros();
}

void BatchReporter::Submitted(RunningBatch& batch) {
  BatchInfo& info = batch.info;
  info.stream_id_to_input_info = ReceiverInputs(batch.blocks);
  info.stream_id_to_input_info.merge(batch.generated.input_infos);
  if (!batch.is_due) Due(batch);
  for (const BatchJob& job : batch.generated.jobs) {
    OutputOperationInfo& output = info.output_operation_infos[job.output_op_id];
    output.batch_time = info.batch_time;
    output.id = job.output_op_id;
    output.name = job.name;
    output.description = job.description;
  }
  if (!bus_.has_listeners()) return;
  bus_.Post([info](StreamingListener& listener) { listener.OnBatchSubmitted(info); });
}

void BatchReporter::Begun(RunningBatch& batch) {
  batch.info.processing_start_time = Now();
  batch.started_micros = env_.MonotonicMicros();
  batch.info.precise_scheduling_delay =
      std::chrono::microseconds(batch.started_micros - batch.submitted_micros);
  if (!bus_.has_listeners()) return;
  bus_.Post([info = batch.info](StreamingListener& listener) { listener.OnBatchStarted(info); });
}

void BatchReporter::JobStarted(RunningBatch& batch, size_t job) {
  OutputOperationInfo& output = OutputOf(batch, job);
  output.start_time = Now();
  if (!bus_.has_listeners()) return;
  bus_.Post([output](StreamingListener& listener) { listener.OnOutputOperationStarted(output); });
}

void BatchReporter::JobDone(RunningBatch& batch, size_t job, bool was_cut_short) {
  OutputOperationInfo& output = OutputOf(batch, job);
  output.end_time = Now();
  const bool failed = !batch.outcomes[job].ok();
  if (failed) output.failure_reason = batch.outcomes[job].ToString();
  const bool is_trouble = failed && !was_cut_short;
  if (!is_trouble && !bus_.has_listeners()) return;
  auto event = [output](StreamingListener& listener) {
    listener.OnOutputOperationCompleted(output);
  };
  is_trouble ? bus_.PostTrouble(std::move(event)) : bus_.Post(std::move(event));
}

void BatchReporter::Completed(RunningBatch& batch) {
  batch.info.processing_end_time = Now();
  batch.info.precise_processing_delay =
      std::chrono::microseconds(env_.MonotonicMicros() - batch.started_micros);
  if (!bus_.has_listeners()) return;
  bus_.Post([info = batch.info](StreamingListener& listener) { listener.OnBatchCompleted(info); });
}

}  // namespace millrace::internal
