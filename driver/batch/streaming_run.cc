#include "driver/batch/streaming_run.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/call_guarded.h"
#include "common/base/mistake.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

constexpr int64_t kMicrosPerMilli = 1000;
// A receiver that does not answer at a batch's end holds the batch up no longer than this.
constexpr int64_t kCutDeadlineMicrosMax = 50'000;
// What an immediate stop waits for: receivers to end, and jobs that were cancelled to return.
constexpr int64_t kReceiverStopMicrosMax = 10'000'000;
constexpr int64_t kJobStopMicrosMax = 2'000'000;
constexpr int64_t kDefaultStopIntervals = 10;
// Batches that are made and wait for others to run. Those behind them are a few numbers each.
constexpr size_t kGeneratedAheadMax = 1000;
// Of the batches that came due while no driver was there so many are made whatever they have. Most
// of the others have nothing, and so are left out.
constexpr int kMissedMade = 500;

int64_t BatchDelayMicros(const StreamingSpec& spec) {
  const auto jitter = std::min(spec.batch_jitter, spec.batch_interval);
  return static_cast<int64_t>(spec.batch_jitter_share *
                              static_cast<double>(jitter.count() * kMicrosPerMilli));
}

absl::Status StoppedError() { return absl::CancelledError("the streaming context was stopped"); }

absl::Status OfBatch(Time batch_time, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat("batch ", batch_time.ms(), " ms: ", status.message()));
}

}  // namespace

StreamingRun::StreamingRun(Parts parts, StreamingSpec spec, Observer observer)
    : env_(parts.env),
      data_(parts.data),
      batch_ended_(std::move(parts.batch_ended)),
      cancel_jobs_(std::move(parts.cancel_jobs)),
      received_before_(std::move(parts.received_before)),
      spec_(std::move(spec)),
      observer_(std::move(observer)),
      bus_(std::make_shared<ListenerBus>(env_)),
      reporter_(env_, *bus_),
      receivers_(
          env_, parts.workers, data_.blocks, *bus_, spec_,
          {.limits = RateController::InitialLimits(spec_), .first_sequence = parts.first_sequence}),
      copies_(parts.workers, data_.blocks),
      ticker_(env_, spec_.batch_interval, BatchDelayMicros(spec_),
              [this](Time batch_time) { OnTick(batch_time); }),
      free_lanes_(std::max(1, spec_.concurrent_jobs)) {
  if (!spec_.scaling.has_value()) return;
  if (parts.supply == nullptr) {
    LOG(WARNING) << "millrace.streaming.dynamicAllocation.enabled has no effect in local mode";
    return;
  }
  ScalingOptions scaling = *spec_.scaling;
  const int receivers = static_cast<int>(spec_.receivers.size());
  if (scaling.workers_min == 0) scaling.workers_min = std::max(1, receivers);
  scaler_.emplace(
      WorkerScaler::Parts{env_, parts.workers, data_, *parts.supply,
                          [this](int64_t worker_id) { return receivers_.IsOn(worker_id); }},
      scaling, spec_.batch_interval);
}

absl::Status StreamingRun::Start() {
  if (spec_.backpressure_enabled) {
    for (const ReceiverSpec& receiver : spec_.receivers) {
      absl::StatusOr<RateController> controller = RateController::Create(spec_);
      if (!controller.ok()) return controller.status();
      rate_controllers_.emplace(receiver.stream_id, *std::move(controller));
    }
    for (const DirectStreamSpec& direct : spec_.direct_streams) {
      absl::StatusOr<RateController> controller = RateController::CreateForDirectStream(spec_);
      if (!controller.ok()) return controller.status();
      direct.rate_limit->Set(controller->limits().rate);
      rate_controllers_.emplace(direct.stream_id, *std::move(controller));
    }
  }
  for (const ReceiverSpec& receiver : spec_.receivers) {
    copies_.AddStream(receiver.stream_id, receiver.storage_level);
  }
  is_started_ = true;
  const Time now(env_.NowMicros() / kMicrosPerMilli);
  bus_->Post([now](StreamingListener& listener) { listener.OnStreamingStarted(now); });
  std::vector<Time> made;
  if (spec_.resume) {
    const std::chrono::milliseconds step = spec_.batch_interval;
    made = (spec_.resume->completed_time + step).To(spec_.resume->last_time, step);
  }
  receivers_.RestoreBatches(made);
  receivers_.Start(received_before_);
  if (scaler_) scaler_->Start();
  ticker_.Start(spec_.resume ? spec_.resume->last_time : Time(0));
  spec_.graph->BeginAfter(ticker_.next_time() - spec_.batch_interval);
  if (spec_.resume) CatchUp(*spec_.resume);
  // Behind the batches of the time away: the driver before this one may have made one of them for
  // which there was nothing, which no checkpoint says, and it comes again with what it had.
  receivers_.AddRecovered(std::exchange(received_before_, {}));
  return absl::OkStatus();
}

// Nobody has received for these batches. What there is to read from elsewhere is in the first of
// them, as far as limits allow.
void StreamingRun::CatchUp(const ResumePoint& from) {
  const std::chrono::milliseconds step = spec_.batch_interval;
  const Time end = ticker_.next_time();
  const Time first_missed = from.last_time + step;
  const Time surely_until = std::min(end, first_missed + kMissedMade * step);
  std::vector<Time> times = (from.completed_time + step).To(from.last_time, step);
  if (IsMade(Mistake::kUnfinishedBatchesForgotten)) times.clear();
  for (const Time missed : first_missed.Until(surely_until, step)) times.push_back(missed);
  for (const Time time : times) {
    const auto batch = std::make_shared<RunningBatch>(time);
    if (time + step == surely_until && surely_until < end) batch->missed_until = end;
    unfinished_.emplace(time, batch);
    OnCut(batch);
  }
}

// Ahead of batches that have come due by now, whose blocks are not for it.
void StreamingRun::AddMissedBehind(const RunningBatch& batch) {
  if (!batch.missed_until || batch.next_missed >= *batch.missed_until) return;
  const auto next = std::make_shared<RunningBatch>(batch.next_missed);
  next->missed_until = batch.missed_until;
  for (const auto& [stream_id, blocks] : batch.blocks) next->blocks[stream_id];
  unfinished_.emplace(next->time(), next);
  allocated_.push_front(next);
}

// ---------------------------------------------------------------------------------------------
// Blocks. They are cut and allocated at the tick, however far behind the generation is: so a batch
// holds what was received in its interval.

void StreamingRun::OnTick(Time batch_time) {
  ticks_.push_back(batch_time);
  CutNext();
}

void StreamingRun::CutNext() {
  if (is_cutting_ || ticks_.empty()) return;
  is_cutting_ = true;
  const auto batch = std::make_shared<RunningBatch>(ticks_.front());
  ticks_.pop_front();
  unfinished_.emplace(batch->time(), batch);
  const int64_t deadline_micros =
      std::min<int64_t>(spec_.batch_interval.count() * kMicrosPerMilli / 2, kCutDeadlineMicrosMax);
  receivers_.CutForBatch(batch->time(), deadline_micros, [this, batch] { OnCut(batch); });
}

void StreamingRun::OnCut(const BatchRef& batch) {
  is_cutting_ = false;
  if (is_stopped_) return;
  if (is_stopping_at_once_) {
    Complete(batch);
  } else {
    batch->blocks = receivers_.blocks().AllocateBlocksToBatch(batch->time());
    batch->ended_starts = receivers_.TakeEndedStarts();
    if (queue_.size() + allocated_.size() >= kGeneratedAheadMax) reporter_.Due(*batch);
    allocated_.push_back(batch);
    GenerateNext();
  }
  CutNext();
  ContinueStop();
}

// ---------------------------------------------------------------------------------------------
// Generation.

void StreamingRun::GenerateNext() {
  if (is_generating_ || allocated_.empty() || HasEnoughAhead()) return;
  is_generating_ = true;
  const BatchRef batch = std::move(allocated_.front());
  allocated_.pop_front();
  Generate(batch);
}

void StreamingRun::Generate(const BatchRef& batch) {
  const bool runs_on = RunsWholeBatches() && queue_.empty() && free_lanes_ > 0;
  if (runs_on) --free_lanes_;
  env_.RunJob(
      [self = shared_from_this(), batch, runs_on] {
        self->GenerateOn(*batch);
        const size_t jobs = batch->generated.jobs.size();
        if (jobs == 0) Clear(*self->spec_.graph, *batch);
        if (!runs_on) return;
        // The next batch may be generated while this one's jobs run.
        self->env_.PostAndRun([self, batch] { self->OnGenerated(batch, /*runs_already=*/true); });
        if (jobs > 0) self->RunJobs(batch, 0, jobs);
      },
      [self = shared_from_this(), batch, runs_on] {
        if (runs_on) {
          self->OnLaneDone(batch);
        } else {
          self->OnGenerated(batch, /*runs_already=*/false);
        }
      });
}

// On a job thread.
void StreamingRun::GenerateOn(RunningBatch& batch) const {
  BatchGraph& graph = *spec_.graph;
  batch.generation_status = CallGuarded("making its jobs", [&] {
    if (!batch.ended_starts.empty()) graph.StartsEnded(batch.ended_starts);
    absl::StatusOr<GeneratedBatch> generated = graph.GenerateJobs(batch.time(), batch.blocks);
    if (!generated.ok()) return generated.status();
    batch.generated = *std::move(generated);
    return absl::OkStatus();
  });
  batch.outcomes.resize(batch.generated.jobs.size());
  if (!batch.missed_until) return;
  batch.next_missed = graph.NextMissed(batch.time() + spec_.batch_interval, *batch.missed_until);
}

void StreamingRun::OnGenerated(const BatchRef& batch, bool runs_already) {
  if (is_stopped_) return;
  is_generating_ = false;
  if (!is_stopping_at_once_) AddMissedBehind(*batch);
  const size_t jobs = batch->generated.jobs.size();
  if (jobs == 0) {
    if (!runs_already) Complete(batch);  // Else when its lane is done.
  } else if (runs_already) {
    reporter_.Submitted(*batch);
    reporter_.Begun(*batch);
    reporter_.JobStarted(*batch, 0);
    batch->next_job = jobs;
  } else if (is_stopping_at_once_) {
    Complete(batch);
  } else {
    reporter_.Submitted(*batch);
    queue_.push_back(batch);
    FillLanes();
  }
  GenerateNext();
  ContinueStop();
}

// ---------------------------------------------------------------------------------------------
// Running. A lane takes a whole batch where batches run one at a time, else one job.

void StreamingRun::FillLanes() {
  while (free_lanes_ > 0 && !queue_.empty()) {
    const BatchRef batch = queue_.front();
    const size_t jobs = batch->generated.jobs.size();
    const size_t first = batch->next_job;
    const size_t end = RunsWholeBatches() ? jobs : first + 1;
    batch->next_job = end;
    if (end == jobs) queue_.pop_front();
    --free_lanes_;
    if (first == 0) reporter_.Begun(*batch);
    reporter_.JobStarted(*batch, first);
    env_.RunJob(
        [self = shared_from_this(), batch, first, end] { self->RunJobs(batch, first, end); },
        [self = shared_from_this(), batch] { self->OnLaneDone(batch); });
  }
}

// On a job thread. What a job has captured is let go of here, too: it is the user's.
void StreamingRun::RunJobs(const BatchRef& batch, size_t first, size_t end) {
  for (size_t i = first; i < end; ++i) {
    BatchJob& job = batch->generated.jobs[i];
    auto run = std::move(job.run);
    batch->outcomes[i] =
        batch->is_cancelled.load() ? StoppedError() : CallGuarded(job.description, run);
    run = nullptr;
    env_.PostAndRun([self = shared_from_this(), batch, i, starts_next = i + 1 < end] {
      self->OnJobDone(batch, i, starts_next);
    });
  }
  // The batch is over for its listeners by now; its clean-up does not count.
  if (first == 0 && end == batch->generated.jobs.size()) Clear(*spec_.graph, *batch);
}

// On a job thread.
void StreamingRun::Clear(BatchGraph& graph, RunningBatch& batch) {
  batch.droppable_blocks = graph.ClearCompleted(batch.time(), batch.is_cancelled.load());
  batch.is_cleared = true;
}

void StreamingRun::OnJobDone(const BatchRef& batch, size_t job, bool starts_next) {
  if (is_stopped_) return;
  reporter_.JobDone(*batch, job, WasCutShort(batch->outcomes[job]));
  if (starts_next) reporter_.JobStarted(*batch, job + 1);
  if (++batch->jobs_done < batch->generated.jobs.size()) return;
  reporter_.Completed(*batch);
  UpdateRates(*batch);
}

void StreamingRun::OnLaneDone(const BatchRef& batch) {
  ++free_lanes_;
  if (is_stopped_) return;
  const bool is_over = batch->jobs_done == batch->generated.jobs.size();
  if (is_over && !std::exchange(batch->is_ending, true)) {
    if (batch->is_cleared) {
      Complete(batch);
    } else {
      env_.RunJob([self = shared_from_this(), batch] { Clear(*self->spec_.graph, *batch); },
                  [self = shared_from_this(), batch] { self->Complete(batch); });
    }
  }
  FillLanes();
  GenerateNext();
}

bool StreamingRun::HasEnoughAhead() const { return queue_.size() >= kGeneratedAheadMax; }

void StreamingRun::Complete(const BatchRef& batch) {
  if (is_stopped_) return;
  unfinished_.erase(batch->time());
  DropBlocks(batch->droppable_blocks);
  receivers_.BlocksProcessed(batch->blocks);
  batch_ended_();
  const absl::Status status = OfBatch(batch->time(), batch->status());
  if (!status.ok() && !WasCutShort(status)) observer_.error(status);
  observer_.batch_completed(batch->time(), status);
  UpdateScale(*batch);
  ContinueStop();
}

// A batch that still runs keeps what it reads, also when a later one ends before it.
void StreamingRun::DropBlocks(Time droppable) {
  droppable_blocks_ = std::max(droppable_blocks_, droppable);
  Time until = droppable_blocks_;
  if (!unfinished_.empty()) {
    until = std::min(until, unfinished_.begin()->first - std::chrono::milliseconds(1));
  }
  if (IsMade(Mistake::kBlocksDroppedEarly)) until = until + 2 * spec_.batch_interval;
  data_.DropBlocks(receivers_.blocks().ForgetBatches(until));
}

void StreamingRun::UpdateRates(const RunningBatch& batch) {
  for (auto& [stream_id, controller] : rate_controllers_) {
    const auto input = batch.info.stream_id_to_input_info.find(static_cast<int>(stream_id));
    if (input == batch.info.stream_id_to_input_info.end()) continue;
    BatchSample sample;
    sample.time_ms = batch.info.processing_end_time->ms();
    sample.records = input->second.num_records;
    const auto blocks = batch.blocks.find(stream_id);
    if (blocks != batch.blocks.end()) {
      for (const ReceivedBlock& block : blocks->second) sample.bytes += block.size_bytes;
    }
    sample.processing_ms =
        static_cast<double>(batch.info.precise_processing_delay.count()) / kMicrosPerMilli;
    sample.scheduling_delay_ms =
        static_cast<double>(batch.info.precise_scheduling_delay.count()) / kMicrosPerMilli;
    controller.BatchCompleted(sample);
    SetLimits(stream_id, controller.limits());
  }
}

void StreamingRun::UpdateScale(const RunningBatch& batch) {
  if (!scaler_) return;
  const bool counts = batch.status().ok() && batch.info.processing_end_time.has_value();
  scaler_->BatchCompleted(counts ? std::optional(batch.info.precise_processing_delay)
                                 : std::nullopt);
}

void StreamingRun::SetLimits(int64_t stream_id, const StreamLimits& limits) {
  for (const DirectStreamSpec& direct : spec_.direct_streams) {
    if (direct.stream_id == stream_id) return direct.rate_limit->Set(limits.rate);
  }
  receivers_.SetLimits(stream_id, limits);
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
  stop_timer_ = env_.After(timeout_ms * kMicrosPerMilli, [this, timeout_ms] {
    stop_timer_ = kNoTimer;
    const absl::Status error = absl::DeadlineExceededError(
        absl::StrCat("the graceful stop took over ", timeout_ms, " ms (", unfinished_.size(),
                     " batches had not ended), so the streaming context was stopped at once; see "
                     "millrace.streaming.gracefulStopTimeout"));
    LOG(ERROR) << error.message();
    observer_.error(error);
    StopAtOnce();
  });
  StopReceivers();
}

void StreamingRun::StopReceivers() {
  if (scaler_) scaler_->Stop();
  receivers_.Stop([this] {
    receivers_stopped_ = true;
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
  job_timer_ = env_.After(kJobStopMicrosMax, [this] {
    job_timer_ = kNoTimer;
    jobs_are_overdue_ = true;
    ContinueStop();
  });
  for (const auto& [batch_time, batch] : unfinished_) batch->is_cancelled.store(true);
  cancel_jobs_(StoppedError());
  // Batches that no lane has begun end here; those that have end with their lanes.
  for (const BatchRef& batch : std::exchange(allocated_, {})) Complete(batch);
  for (const BatchRef& batch : std::exchange(queue_, {})) {
    if (batch->next_job == 0) Complete(batch);
  }
  if (!was_stopping) StopReceivers();
  ContinueStop();
}

// A graceful stop ends with the tick that takes the last blocks: a batch ahead of its time would
// meet its namesake in the next run of the application. Empty batches are not waited for.
void StreamingRun::ContinueStop() {
  if (!is_stopping_ || is_stopped_ || !receivers_stopped_) return;
  const bool needs_tick =
      !is_stopping_at_once_ && is_started_ && receivers_.blocks().has_unallocated_blocks();
  if (needs_tick) return;
  ticker_.Stop();
  const bool is_busy = is_cutting_ || is_generating_ || !ticks_.empty() || !unfinished_.empty();
  if (is_busy && !jobs_are_overdue_) return;
  FinishStop();
}

void StreamingRun::FinishStop() {
  is_stopped_ = true;
  env_.Cancel(std::exchange(stop_timer_, kNoTimer));
  env_.Cancel(std::exchange(job_timer_, kNoTimer));
  unfinished_.clear();
  queue_.clear();
  data_.DropBlocks(receivers_.blocks().ForgetAll());
  batch_ended_();
  bus_->Stop([self = shared_from_this()] { self->observer_.stopped(); });
}

// ---------------------------------------------------------------------------------------------

void StreamingRun::HandleBlockReport(int64_t worker_id, const proto::BlockReport& report) {
  receivers_.HandleBlockReport(worker_id, report);
}

void StreamingRun::HandleReceiverEvent(int64_t worker_id, const proto::ReceiverEvent& event) {
  receivers_.HandleReceiverEvent(worker_id, event);
}

void StreamingRun::HandleBlocksCopied(int64_t worker_id, const proto::BlocksCopied& copied) {
  copies_.HandleCopied(worker_id, copied);
}

void StreamingRun::WorkerAdded() {
  if (is_started_) receivers_.WorkerAdded();
  copies_.WorkerAdded();
}

void StreamingRun::WorkerLost(int64_t worker_id) {
  receivers_.WorkerLost(worker_id);
  copies_.WorkerLost(worker_id);
}

}  // namespace millrace::internal
