#include "driver/batch/streaming_run.h"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace millrace::internal {
namespace {

constexpr int64_t kMicrosPerMilli = 1000;
// A receiver that does not answer at a batch's end holds the batch up no longer than this.
constexpr int64_t kCutDeadlineMicrosMax = 50'000;
// And at an immediate stop.
constexpr int64_t kReceiverStopMicrosMax = 10'000'000;
constexpr int64_t kDefaultStopIntervals = 10;

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

// What a user's function threw, as an error.
template <class F>
absl::Status Guarded(const std::string& what, F f) {
  try {
    return f();
  } catch (const std::exception& error) {
    return absl::UnknownError(absl::StrCat(what, ": ", error.what()));
  } catch (...) {
    return absl::UnknownError(absl::StrCat(what, ": threw something that is no std::exception"));
  }
}

}  // namespace

StreamingRun::StreamingRun(Parts parts, StreamingSpec spec, Observer observer)
    : env_(parts.env),
      data_(parts.data),
      batch_ended_(std::move(parts.batch_ended)),
      cancel_jobs_(std::move(parts.cancel_jobs)),
      spec_(std::move(spec)),
      observer_(std::move(observer)),
      bus_(env_),
      receivers_(env_, parts.workers, data_.blocks, bus_, spec_,
                 RateController::InitialRate(spec_)),
      ticker_(env_, spec_.batch_interval, [this](Time batch_time) { OnTick(batch_time); }),
      free_lanes_(std::max(1, spec_.concurrent_jobs)) {}

absl::Status StreamingRun::Start() {
  if (spec_.backpressure_enabled) {
    for (const ReceiverSpec& receiver : spec_.receivers) {
      absl::StatusOr<RateController> controller = RateController::Create(spec_);
      if (!controller.ok()) return controller.status();
      rate_controllers_.emplace(receiver.stream_id, *std::move(controller));
    }
  }
  is_started_ = true;
  bus_.Post([time = Now()](StreamingListener& listener) { listener.OnStreamingStarted(time); });
  receivers_.Start();
  ticker_.Start();
  return absl::OkStatus();
}

Time StreamingRun::Now() const { return Time(env_.NowMicros() / kMicrosPerMilli); }

// ---------------------------------------------------------------------------------------------
// Generation.

void StreamingRun::OnTick(Time batch_time) {
  ticks_.push_back(batch_time);
  GenerateNext();
}

void StreamingRun::GenerateNext() {
  if (is_generating_ || ticks_.empty()) return;
  is_generating_ = true;
  auto batch = std::make_shared<RunningBatch>(ticks_.front());
  ticks_.pop_front();
  unfinished_.emplace(batch->time(), batch);
  const int64_t deadline_micros =
      std::min<int64_t>(spec_.batch_interval.count() * kMicrosPerMilli / 2, kCutDeadlineMicrosMax);
  receivers_.CutForBatch(batch->time(), deadline_micros, [this, batch] { Allocate(batch); });
}

void StreamingRun::Allocate(const BatchRef& batch) {
  batch->blocks = receivers_.blocks().AllocateBlocksToBatch(batch->time());
  Generate(batch);
}

void StreamingRun::Generate(const BatchRef& batch) {
  const bool runs_on = spec_.concurrent_jobs <= 1 && queue_.empty() && free_lanes_ > 0;
  if (runs_on) --free_lanes_;
  env_.RunJob(
      [this, batch, runs_on] {
        GenerateOn(*spec_.graph, *batch);
        const size_t jobs = batch->generated.jobs.size();
        if (jobs == 0) batch->droppable_blocks = spec_.graph->ClearCompleted(batch->time());
        if (!runs_on) return;
        // The next batch may be generated while this one's jobs run.
        env_.Post([this, batch] { OnGenerated(batch, /*runs_already=*/true); });
        if (jobs > 0) RunJobs(batch, 0, jobs);
      },
      [this, batch, runs_on] {
        if (!runs_on) return OnGenerated(batch, /*runs_already=*/false);
        ++free_lanes_;
        if (!batch->generated.jobs.empty()) OnJobsDone(batch);
        FillLanes();
      });
}

// On a job thread.
void StreamingRun::GenerateOn(BatchGraph& graph, RunningBatch& batch) {
  batch.generation_status =
      Guarded(absl::StrCat("making the jobs of batch ", batch.time().ms(), " ms"), [&] {
        absl::StatusOr<GeneratedBatch> generated = graph.GenerateJobs(batch.time(), batch.blocks);
        if (!generated.ok()) return generated.status();
        batch.generated = *std::move(generated);
        return absl::OkStatus();
      });
  batch.outcomes.resize(batch.generated.jobs.size());
}

void StreamingRun::OnGenerated(const BatchRef& batch, bool runs_already) {
  is_generating_ = false;
  if (batch->generated.jobs.empty()) {
    Complete(batch);
  } else {
    Submit(batch);
    if (runs_already) {
      BeginBatch(*batch);
      OnJobStarted(*batch, 0);
      batch->next_job = batch->generated.jobs.size();
    } else if (is_stopping_at_once_) {
      Complete(batch);
    } else {
      queue_.push_back(batch);
      FillLanes();
    }
  }
  GenerateNext();
}

// ---------------------------------------------------------------------------------------------
// Running.

void StreamingRun::Submit(const BatchRef& batch) {
  BatchInfo& info = batch->info;
  info.stream_id_to_input_info = ReceiverInputs(batch->blocks);
  info.stream_id_to_input_info.merge(batch->generated.input_infos);
  info.submission_time = Now();
  batch->submitted_micros = env_.MonotonicMicros();
  for (const BatchJob& job : batch->generated.jobs) {
    OutputOperationInfo& output = info.output_operation_infos[job.output_op_id];
    output.batch_time = info.batch_time;
    output.id = job.output_op_id;
    output.name = job.name;
    output.description = job.description;
  }
  bus_.Post([info](StreamingListener& listener) { listener.OnBatchSubmitted(info); });
}

void StreamingRun::FillLanes() {
  while (free_lanes_ > 0 && !queue_.empty()) {
    const BatchRef batch = queue_.front();
    const size_t jobs = batch->generated.jobs.size();
    const size_t first = batch->next_job;
    const size_t end = spec_.concurrent_jobs <= 1 ? jobs : first + 1;
    batch->next_job = end;
    if (end == jobs) queue_.pop_front();
    --free_lanes_;
    if (first == 0) BeginBatch(*batch);
    OnJobStarted(*batch, first);
    env_.RunJob([this, batch, first, end] { RunJobs(batch, first, end); },
                [this, batch, end] {
                  ++free_lanes_;
                  if (spec_.concurrent_jobs <= 1) {
                    OnJobsDone(batch);
                  } else {
                    OnJobDone(*batch, end - 1);
                    if (batch->jobs_done == batch->generated.jobs.size()) OnJobsDone(batch);
                  }
                  FillLanes();
                });
  }
}

// On a job thread. The loop hears of the last job's end by the closure's own.
void StreamingRun::RunJobs(const BatchRef& batch, size_t first, size_t end) {
  for (size_t i = first; i < end; ++i) {
    const BatchJob& job = batch->generated.jobs[i];
    batch->outcomes[i] = Guarded(job.description, job.run);
    if (i + 1 == end) break;
    env_.Post([this, batch, i] {
      OnJobDone(*batch, i);
      OnJobStarted(*batch, i + 1);
    });
  }
  // With several lanes nobody knows here who is last.
  if (spec_.concurrent_jobs <= 1) batch->droppable_blocks = spec_.graph->ClearCompleted(batch->time());
}

void StreamingRun::BeginBatch(RunningBatch& batch) {
  batch.info.processing_start_time = Now();
  batch.started_micros = env_.MonotonicMicros();
  batch.info.precise_scheduling_delay =
      std::chrono::microseconds(batch.started_micros - batch.submitted_micros);
  bus_.Post([info = batch.info](StreamingListener& listener) { listener.OnBatchStarted(info); });
}

void StreamingRun::OnJobStarted(RunningBatch& batch, size_t job) {
  OutputOperationInfo& output =
      batch.info.output_operation_infos[batch.generated.jobs[job].output_op_id];
  output.start_time = Now();
  bus_.Post([output](StreamingListener& listener) { listener.OnOutputOperationStarted(output); });
}

void StreamingRun::OnJobDone(RunningBatch& batch, size_t job) {
  OutputOperationInfo& output =
      batch.info.output_operation_infos[batch.generated.jobs[job].output_op_id];
  output.end_time = Now();
  if (!batch.outcomes[job].ok()) output.failure_reason = batch.outcomes[job].ToString();
  ++batch.jobs_done;
  bus_.Post([output](StreamingListener& listener) { listener.OnOutputOperationCompleted(output); });
}

void StreamingRun::OnJobsDone(const BatchRef& batch) {
  const size_t jobs = batch->generated.jobs.size();
  if (batch->jobs_done < jobs) OnJobDone(*batch, jobs - 1);
  batch->info.processing_end_time = Now();
  batch->info.precise_processing_delay =
      std::chrono::microseconds(env_.MonotonicMicros() - batch->started_micros);
  bus_.Post([info = batch->info](StreamingListener& listener) { listener.OnBatchCompleted(info); });
  UpdateRates(*batch);
  if (spec_.concurrent_jobs <= 1) return Complete(batch);
  env_.RunJob(
      [this, batch] {
        batch->droppable_blocks = spec_.graph->ClearCompleted(batch->time());
      },
      [this, batch] { Complete(batch); });
}

void StreamingRun::Complete(const BatchRef& batch) {
  unfinished_.erase(batch->time());
  data_.DropBlocks(receivers_.blocks().ForgetBatches(batch->droppable_blocks));
  batch_ended_();
  const absl::Status status = batch->status();
  if (!status.ok()) observer_.error(status);
  observer_.batch_completed(batch->time(), status);
  ContinueStop();
}

void StreamingRun::UpdateRates(const RunningBatch& batch) {
  for (auto& [stream_id, controller] : rate_controllers_) {
    const auto input = batch.info.stream_id_to_input_info.find(static_cast<int>(stream_id));
    if (input == batch.info.stream_id_to_input_info.end()) continue;
    const std::optional<double> rate = controller.BatchCompleted(
        batch.info.processing_end_time->ms(), input->second.num_records,
        static_cast<double>(batch.info.precise_processing_delay.count()) / kMicrosPerMilli,
        static_cast<double>(batch.info.precise_scheduling_delay.count()) / kMicrosPerMilli);
    if (rate.has_value()) receivers_.SetRate(stream_id, *rate);
  }
}

// ---------------------------------------------------------------------------------------------
// Stopping: refuse (receivers end), finish (what was received is processed), release.

void StreamingRun::Stop(bool graceful) {
  if (!graceful) return StopAtOnce();
  if (is_stopping_) return;
  is_stopping_ = true;
  const int64_t timeout_ms = spec_.graceful_stop_timeout.count() > 0
                                 ? spec_.graceful_stop_timeout.count()
                                 : kDefaultStopIntervals * spec_.batch_interval.count();
  stop_timer_ = env_.After(timeout_ms * kMicrosPerMilli, [this] {
    stop_timer_ = kNoTimer;
    StopAtOnce();
  });
  receivers_.Stop([this] {
    receivers_stopped_ = true;
    ticker_.Stop();
    // The last batch need not wait for its tick: nothing more can come for it.
    if (is_started_ && receivers_.blocks().has_unallocated_blocks()) OnTick(ticker_.next_time());
    ContinueStop();
  });
}

void StreamingRun::StopAtOnce() {
  if (is_stopping_at_once_ || is_stopped_) return;
  const bool was_stopping = is_stopping_;
  is_stopping_ = is_stopping_at_once_ = true;
  ticker_.Stop();
  ticks_.clear();
  env_.Cancel(std::exchange(stop_timer_, kNoTimer));
  stop_timer_ = env_.After(kReceiverStopMicrosMax, [this] {
    stop_timer_ = kNoTimer;
    receivers_stopped_ = true;
    ContinueStop();
  });
  cancel_jobs_(absl::CancelledError("the streaming context was stopped"));
  // Batches that no lane has begun end here; those that have end with their lanes.
  for (const BatchRef& batch : std::exchange(queue_, {})) {
    if (batch->next_job == 0) Complete(batch);
  }
  if (!was_stopping) {
    receivers_.Stop([this] {
      receivers_stopped_ = true;
      ContinueStop();
    });
  }
  ContinueStop();
}

void StreamingRun::ContinueStop() {
  if (!is_stopping_ || is_stopped_ || !receivers_stopped_) return;
  if (is_generating_ || !ticks_.empty() || !unfinished_.empty()) return;
  FinishStop();
}

void StreamingRun::FinishStop() {
  is_stopped_ = true;
  env_.Cancel(std::exchange(stop_timer_, kNoTimer));
  data_.DropBlocks(receivers_.blocks().ForgetAll());
  bus_.Stop([this] { observer_.stopped(); });
}

void StreamingRun::HandleBlockReport(int64_t worker_id, const proto::BlockReport& report) {
  receivers_.HandleBlockReport(worker_id, report);
}

void StreamingRun::HandleReceiverEvent(int64_t worker_id, const proto::ReceiverEvent& event) {
  receivers_.HandleReceiverEvent(worker_id, event);
}

void StreamingRun::WorkerAdded() {
  if (is_started_) receivers_.WorkerAdded();
}

void StreamingRun::WorkerLost(int64_t worker_id) { receivers_.WorkerLost(worker_id); }

}  // namespace millrace::internal
