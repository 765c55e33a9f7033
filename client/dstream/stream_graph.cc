#include "client/dstream/stream_graph.h"

#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/dstream/graph_checkpoint.h"
#include "client/dstream/input_node.h"
#include "client/dstream/run_for_effect.h"
#include "client/dstream/saved_data_sets.h"
#include "client/dstream/state_node.h"
#include "client/rdd/job_scope.h"
#include "client/rdd/local_properties.h"
#include "common/base/annotate_status.h"
#include "common/base/mistake.h"
#include "common/base/status_macros.h"
#include "common/config/keys.h"
#include "driver/service/driver_handle.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

using std::chrono::milliseconds;

std::string Ms(milliseconds duration) { return absl::StrCat(duration.count(), " ms"); }

}  // namespace

StreamGraph::StreamGraph(ContextRef context, milliseconds batch_interval)
    : context_(std::move(context)), batch_interval_(batch_interval) {}

StreamGraph::~StreamGraph() = default;

void StreamGraph::Take(std::unique_ptr<DStreamNode> node) {
  const std::lock_guard lock(lock_);
  CheckOpen(node->operation());
  nodes_.push_back(std::move(node));
}

int StreamGraph::AddInput(std::unique_ptr<InputNode> input) {
  const std::lock_guard lock(lock_);
  const int input_id = static_cast<int>(inputs_.size());
  input->set_input_id(input_id);
  inputs_.push_back(input.get());
  Take(std::move(input));
  return input_id;
}

void StreamGraph::AddOutput(OutputOperation output) {
  const std::lock_guard lock(lock_);
  if (CheckOpen(output.operation)) {
    outputs_.push_back(std::make_shared<const OutputOperation>(std::move(output)));
  }
}

void StreamGraph::AddError(const Operation& operation, const std::string& message) {
  const std::lock_guard lock(lock_);
  errors_.push_back(absl::StrCat(ToString(operation), ": ", message));
}

bool StreamGraph::CheckOpen(const Operation& operation) {
  const std::lock_guard lock(lock_);
  if (phase_ == Phase::kDeclaring) return true;
  const absl::Status error = absl::FailedPreconditionError(absl::StrCat(
      ToString(operation), ": adding streams and outputs ",
      phase_ == Phase::kStarted ? "after starting a context" : "after stopping a context",
      " has no effect; declare everything before Start()"));
  LOG(ERROR) << error.message();
  if (late_error_.ok()) late_error_ = error;
  return false;
}

void StreamGraph::SetName(const Operation& operation, DStreamNode& node, const std::string& name) {
  const std::lock_guard lock(lock_);
  if (name.empty()) {
    AddError(operation, "a stream's name must not be empty");
    return;
  }
  for (const auto& other : nodes_) {
    if (other.get() == &node || other->name() != name) continue;
    AddError(operation, absl::StrCat("the name \"", name,
                                     "\" belongs to another stream already: ", other->label()));
    return;
  }
  node.set_name(name);
}

void StreamGraph::Remember(const Operation& operation, milliseconds duration) {
  const std::lock_guard lock(lock_);
  if (!CheckOpen(operation)) return;
  if (remember_) {
    AddError(operation,
             absl::StrCat("the duration is ", Ms(*remember_), " already; it can be set only once"));
  } else if (duration <= milliseconds(0)) {
    AddError(operation, absl::StrCat("the duration must be positive, got ", Ms(duration)));
  } else {
    remember_ = duration;
  }
}

std::vector<bool> StreamGraph::ReachableFromOutputs() const {
  std::vector<bool> reachable(nodes_.size(), false);
  std::map<const DStreamNode*, size_t> index;
  for (size_t i = 0; i < nodes_.size(); ++i) index[nodes_[i].get()] = i;
  for (const auto& output : outputs_) reachable[index.at(output->stream)] = true;
  for (size_t i = nodes_.size(); i-- > 0;) {
    if (!reachable[i]) continue;
    for (const DStreamNode* parent : nodes_[i]->parents()) reachable[index.at(parent)] = true;
  }
  return reachable;
}

// Children stand after their parents, so each node's wishes are complete when its turn comes.
void StreamGraph::PlanRemember(const std::vector<bool>& reachable) {
  for (size_t i = nodes_.size(); i-- > 0;) {
    DStreamNode& node = *nodes_[i];
    if (!reachable[i]) continue;
    node.RaiseRemember(node.slide());
    // State is not recomputed from old data sets, so its own interval keeps none.
    if (node.user_set_checkpoint_interval()) node.RaiseRemember(2 * *node.checkpoint_interval());
    if (remember_) node.RaiseRemember(*remember_);
    for (DStreamNode* parent : node.parents()) {
      parent->RaiseRemember(node.remember() + node.look_back());
    }
  }
}

void StreamGraph::CheckCheckpoints(const std::vector<bool>& reachable) {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const DStreamNode& node = *nodes_[i];
    const auto interval = node.checkpoint_interval();
    if (!reachable[i] || !interval) continue;
    const std::string label = node.label();
    if (checkpoint_directory_.empty()) {
      errors_.push_back(absl::StrCat(
          label, ": the checkpoint directory has not been set, and this stream must be ",
          "checkpointed; call StreamingContext::Checkpoint(directory) before Start()"));
    }
    if (*interval < node.slide() || (*interval % node.slide()).count() != 0) {
      errors_.push_back(absl::StrCat(label, ": the checkpoint interval ", Ms(*interval),
                                     " must be a positive multiple of the stream's slide, ",
                                     Ms(node.slide())));
    }
  }
}

void StreamGraph::CheckReceiverLogs(const std::vector<bool>& reachable) {
  const bool logs = context_->conf.GetBool(keys::kReceiverLogEnable).value_or(false);
  if (!logs || !checkpoint_directory_.empty()) return;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!reachable[i] || dynamic_cast<ReceiverInputNode*>(nodes_[i].get()) == nullptr) continue;
    errors_.push_back(absl::StrCat(nodes_[i]->label(), ": ",
                                   std::string(keys::kReceiverLogEnable.name),
                                   " is set, which needs a checkpoint directory; call ",
                                   "StreamingContext::Checkpoint(directory) before Start()"));
  }
}

absl::Status StreamGraph::Start() {
  const int64_t first_start = FirstStartOfRun();
  const std::lock_guard lock(lock_);
  if (outputs_.empty()) {
    errors_.push_back(
        "No output operations registered, so nothing to execute: add Print(), "
        "ForeachRDD(...), SaveAsTextFiles(...), ... to a stream");
  }
  const std::vector<bool> reachable = ReachableFromOutputs();
  CheckCheckpoints(reachable);
  CheckReceiverLogs(reachable);
  if (errors_.size() == 1) return absl::InvalidArgumentError(errors_[0]);
  if (!errors_.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        errors_.size(), " errors in the stream graph:\n  ", absl::StrJoin(errors_, "\n  ")));
  }
  PlanRemember(reachable);
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (reachable[i] && nodes_[i]->must_run()) must_run_.push_back(nodes_[i].get());
  }
  RETURN_IF_ERROR(StartInputs());
  if (!checkpoint_directory_.empty()) {
    const std::map<const DStreamNode*, std::string> ids = StreamIds();
    RETURN_IF_ERROR(AnnotateStatus(OpenCheckpoint(ids), "the checkpoint directory"));
    RETURN_IF_ERROR(AnnotateStatus(BeginReceiverLogs(ids, first_start), "the logs of receivers"));
  }
  local_properties_ = std::make_shared<const LocalProperties>(ThreadProperties());
  phase_ = Phase::kStarted;
  return absl::OkStatus();
}

absl::Status StreamGraph::StartInputs() {
  for (InputNode* input : inputs_) {
    if (!input->is_needed()) continue;
    RETURN_IF_ERROR(input->Start());
    needed_inputs_.push_back(input);
  }
  return absl::OkStatus();
}

std::map<const DStreamNode*, std::string> StreamGraph::StreamIds() const {
  std::map<const DStreamNode*, std::string> ids;
  std::set<std::string> taken;
  for (const auto& node : nodes_) {
    std::string id = node->state_name();
    if (id.empty()) {
      std::string above;
      for (const DStreamNode* parent : node->parents()) absl::StrAppend(&above, ids[parent], "\n");
      id = absl::StrCat(node->operation().name, ":",
                        absl::Hex(XXH3_64bits(above.data(), above.size()), absl::kZeroPad16));
    }
    const std::string first = id;
    for (int number = 2; !taken.insert(id).second; ++number) id = absl::StrCat(first, "#", number);
    ids[node.get()] = std::move(id);
  }
  return ids;
}

void StreamGraph::Stop() {
  WriteCheckpoint();
  const std::lock_guard lock(lock_);
  phase_ = Phase::kStopped;
  outputs_.clear();
  for (const auto& node : nodes_) node->ForgetAll();
}

absl::Status StreamGraph::late_error() {
  const std::lock_guard lock(lock_);
  return late_error_;
}

std::vector<ReceiverSpec> StreamGraph::Receivers() {
  const std::lock_guard lock(lock_);
  std::vector<ReceiverSpec> receivers;
  for (const InputNode* input : inputs_) {
    if (auto receiver = input->receiver()) receivers.push_back(*std::move(receiver));
  }
  return receivers;
}

std::vector<DirectStreamSpec> StreamGraph::DirectStreams() {
  const std::lock_guard lock(lock_);
  std::vector<DirectStreamSpec> streams;
  for (const InputNode* input : inputs_) {
    if (auto limit = input->rate_limit()) streams.push_back({input->input_id(), std::move(limit)});
  }
  return streams;
}

bool StreamGraph::HasDataSetAt(Time time, milliseconds slide) const {
  return zero_time_ && time > *zero_time_ && ((time - *zero_time_) % slide).count() == 0 &&
         !IsLeftOut(time);
}

bool StreamGraph::IsLeftOut(Time time) const {
  const auto found = left_out_.upper_bound(time);
  return found != left_out_.end() && time > found->second;
}

absl::StatusOr<std::vector<RddRef>> StreamGraph::Slice(DStreamNode& node, Time from, Time to) {
  const std::lock_guard lock(lock_);
  if (phase_ != Phase::kStarted) {
    return absl::FailedPreconditionError(absl::StrCat(
        "Slice of ", node.label(), ": the stream has not been initialized; its data sets can be ",
        "asked for between Start() and Stop()"));
  }
  std::vector<RddRef> slice;
  if (!zero_time_) return slice;
  for (const Time bound : {from, to}) {
    if (((bound - *zero_time_) % node.slide()).count() == 0) continue;
    LOG(WARNING) << "Slice of " << node.label() << ": " << ToString(bound) << " is no multiple of "
                 << Ms(node.slide()) << " behind " << ToString(*zero_time_) << "; rounded down";
  }
  const Time first = std::max(*zero_time_, from.Floor(node.slide(), *zero_time_));
  for (const Time time : first.To(to, node.slide())) {
    absl::StatusOr<RddRef> rdd = node.GetOrCompute(time);
    if (!rdd.ok()) return rdd.status();
    if (*rdd != nullptr) slice.push_back(*std::move(rdd));
  }
  return slice;
}

void StreamGraph::BeginAfter(Time zero_time) {
  const std::lock_guard lock(lock_);
  if (resumed_) return;
  zero_time_ = last_asked_time_ = zero_time;
  if (checkpoint_ != nullptr) checkpoint_->BeginAfter(zero_time);
}

Time StreamGraph::completed_time() const {
  return unfinished_.empty() ? last_batch_time() : *unfinished_.begin() - batch_interval_;
}

Time StreamGraph::ForgettableInputs(milliseconds remember) const {
  return (checkpoint_ == nullptr ? completed_time()
                                 : std::min(completed_time(), checkpoint_->oldest_saved())) -
         remember;
}

void StreamGraph::LeaveOut(Time after, Time before) {
  left_out_[before] = after;
  for (DStreamNode* const node : must_run_) static_cast<StateNode*>(node)->SkipUntil(before);
}

void StreamGraph::BeginBatch(Time batch_time, const BatchBlocks& blocks) {
  if (last_batch_time_ && batch_time - *last_batch_time_ > batch_interval_) {
    LeaveOut(*last_batch_time_, batch_time);
  }
  last_batch_time_ = batch_time;
  unfinished_.insert(batch_time);
  ++generation_;
  input_infos_.clear();
  offset_ranges_.clear();
  for (InputNode* input : inputs_) {
    const auto it = blocks.find(input->input_id());
    input->BeginBatch(batch_time, it == blocks.end() ? std::vector<ReceivedBlock>() : it->second);
  }
  const bool has_input =
      std::any_of(needed_inputs_.begin(), needed_inputs_.end(),
                  [&](const InputNode* input) { return input->HasInput(batch_time); });
  if (has_input) last_input_ = batch_time;
}

namespace {

struct LabelledUpdate {
  RddRef rdd;
  std::string label;
};

// An output that fails may never have come to the updates of state that it stands on. Their records
// are not at fault, so the updates are made all the same; one that fails by itself fails again.
void UpdateStateAfterFailure(BatchJob& job, const ContextRef& context, Time batch_time,
                             std::shared_ptr<const std::vector<LabelledUpdate>> updates) {
  job.run = [run = std::move(job.run), id = job.output_op_id, context, batch_time,
             updates = std::move(updates)] {
    absl::Status status = run();
    if (status.ok() || absl::IsCancelled(status)) return status;
    for (const LabelledUpdate& update : *updates) {
      if (update.rdd->state->is_committed->load()) continue;
      const JobScope scope(batch_time.ms(), id, update.label);
      RunForEffect(context, update.rdd, update.label).IgnoreError();
    }
    return status;
  };
}

}  // namespace

absl::StatusOr<GeneratedBatch> StreamGraph::GenerateJobs(Time batch_time,
                                                         const BatchBlocks& blocks) {
  for (InputNode* input : needed_inputs_) input->LookOutside();
  RETURN_IF_ERROR(ChooseInputs(batch_time, blocks));
  const std::lock_guard lock(lock_);
  return MakeBatch(batch_time);
}

// The next driver must know what the batch had, for somebody may have seen what was made of it.
// Where that cannot be noted, the batch is left out and the next one has what its inputs had for
// it.
absl::Status StreamGraph::ChooseInputs(Time batch_time, const BatchBlocks& blocks) {
  std::optional<GraphCheckpoint::Built> checkpoint;
  {
    const std::lock_guard lock(lock_);
    const LocalPropertiesScope properties(*local_properties_);
    if (recovery_failure_.ok()) recovery_failure_ = CatchUpState();
    RETURN_IF_ERROR(recovery_failure_);
    BeginBatch(batch_time, blocks);
    const bool has_chosen =
        std::any_of(needed_inputs_.begin(), needed_inputs_.end(),
                    [&](const InputNode* input) { return input->HasChosen(batch_time); });
    // What an earlier driver has chosen is in its checkpoint.
    const bool is_new = !resumed_ || batch_time > resumed_->last_time;
    if (checkpoint_ == nullptr || !has_chosen || !is_new) return absl::OkStatus();
    checkpoint = checkpoint_->Build();
  }
  if (IsMade(Mistake::kCheckpointAfterBatch)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const int64_t attempts, context_->conf.GetInt(keys::kDriverLogMaxFailures));
  absl::Status status = checkpoint_->Write(*checkpoint);
  for (int64_t i = 1; i < attempts && !status.ok(); ++i) status = checkpoint_->Write(*checkpoint);
  if (status.ok() || IsMade(Mistake::kUnnotedBatchMade)) return absl::OkStatus();
  const std::lock_guard lock(lock_);
  for (InputNode* input : needed_inputs_) input->PutOff(batch_time);
  // One entry, however many in a row cannot be noted.
  left_out_.erase(left_out_.upper_bound(last_asked_time_), left_out_.end());
  LeaveOut(last_asked_time_, batch_time + batch_interval_);
  return AnnotateStatus(status, "its checkpoint, so the next batch has its input");
}

void StreamGraph::StartsEnded(const ReceiverStarts& starts) {
  const std::lock_guard lock(lock_);
  for (ReceiverInputNode* receiver : NeededReceivers()) {
    const auto ended = starts.find(receiver->input_id());
    if (ended != starts.end()) receiver->StartsEnded(ended->second);
  }
}

GeneratedBatch StreamGraph::MakeBatch(Time batch_time) {
  last_asked_time_ = batch_time;
  const LocalPropertiesScope properties(*local_properties_);
  const JobScope scope(batch_time.ms(), -1, absl::StrCat("batch ", ToString(batch_time)),
                       left_outputs_.get());
  GeneratedBatch batch;
  for (size_t i = 0; i < outputs_.size(); ++i) {
    auto job = MakeJob(static_cast<int>(i), batch_time);
    if (job) batch.jobs.push_back(*std::move(job));
  }
  AddJobsOfUnasked(batch_time, batch.jobs);
  auto updates = std::make_shared<std::vector<LabelledUpdate>>();
  for (DStreamNode* node : must_run_) {
    const absl::StatusOr<RddRef> rdd = node->GetOrCompute(batch_time);
    if (rdd.ok() && *rdd != nullptr) updates->push_back({*rdd, node->label()});
  }
  if (!updates->empty()) {
    for (BatchJob& job : batch.jobs) UpdateStateAfterFailure(job, context_, batch_time, updates);
  }
  if (saved_data_sets_ != nullptr) AddSaves(batch_time, batch.jobs);
  batch.input_infos = std::exchange(input_infos_, {});
  batch.offset_ranges = std::exchange(offset_ranges_, {});
  return batch;
}

namespace {

absl::Status RunOutput(const OutputOperation& output, int output_op_id, const RddRef& rdd,
                       Time batch_time, LeftOutputs* left_outputs) {
  const std::string label = ToString(output.operation);
  const JobScope scope(batch_time.ms(), output_op_id, label, left_outputs);
  absl::Status status;
  try {
    status = output.run(rdd, batch_time);
  } catch (const std::exception& error) {
    status = absl::UnknownError(absl::StrCat("exception: ", error.what()));
  } catch (...) {
    status = absl::UnknownError("exception that is no std::exception");
  }
  return AnnotateStatus(status, label);
}

}  // namespace

// A stream that cannot say its data set fails the outputs that need it and no others, so its error
// becomes a job like any other.
std::optional<BatchJob> StreamGraph::MakeJob(int output_op_id, Time batch_time) {
  const std::shared_ptr<const OutputOperation> output = outputs_[output_op_id];
  absl::StatusOr<RddRef> rdd = output->stream->GetOrCompute(batch_time);
  if (rdd.ok() && *rdd == nullptr) return std::nullopt;
  BatchJob job;
  job.output_op_id = output_op_id;
  job.name = output->operation.name;
  job.description = ToString(output->operation);
  if (rdd.ok()) {
    job.run = [output, output_op_id, rdd = *std::move(rdd), batch_time,
               properties = local_properties_, left_outputs = left_outputs_] {
      const LocalPropertiesScope scope(*properties);
      return RunOutput(*output, output_op_id, rdd, batch_time, left_outputs.get());
    };
  } else {
    job.run = [status = rdd.status()] { return status; };
  }
  return job;
}

void StreamGraph::AddJobsOfUnasked(Time batch_time, std::vector<BatchJob>& jobs) {
  for (size_t i = 0; i < must_run_.size(); ++i) {
    DStreamNode& node = *must_run_[i];
    if (node.WasMade(batch_time)) continue;
    const absl::StatusOr<RddRef> rdd = node.GetOrCompute(batch_time);
    if (!rdd.ok() || *rdd == nullptr) continue;
    BatchJob job;
    job.output_op_id = static_cast<int>(outputs_.size() + i);
    job.name = node.operation().name;
    job.description = node.label();
    job.run = [context = context_, rdd = *rdd, label = node.label(), batch_time,
               id = job.output_op_id, properties = local_properties_] {
      const LocalPropertiesScope properties_scope(*properties);
      const JobScope scope(batch_time.ms(), id, label);
      return RunForEffect(context, rdd, label);
    };
    jobs.push_back(std::move(job));
  }
}

void StreamGraph::AddSaves(Time batch_time, std::vector<BatchJob>& jobs) {
  if (jobs.empty()) return;  // The next batch saves what is due.
  struct Saves {
    std::atomic<size_t> jobs_left{0};
    std::vector<SavedDataSets::Due> due;
  };
  auto saves = std::make_shared<Saves>();
  saves->jobs_left = jobs.size();
  saves->due = saved_data_sets_->TakeDue();
  if (saves->due.empty()) return;
  for (BatchJob& job : jobs) {
    job.run = [run = std::move(job.run), saves, to = saved_data_sets_, context = context_,
               batch_time, properties = local_properties_, left_outputs = left_outputs_] {
      absl::Status status = run();
      if (--saves->jobs_left > 0 || absl::IsCancelled(status)) return status;
      const LocalPropertiesScope properties_scope(*properties);
      const JobScope scope(batch_time.ms(), -1, "Checkpoint", left_outputs.get());
      for (const SavedDataSets::Due& due : saves->due) to->Save(context, due);
      return status;
    };
  }
}

Time StreamGraph::ClearCompleted(Time batch_time, bool cut_short) {
  milliseconds remember = batch_interval_;
  Time needed_behind = batch_time;
  std::vector<StateSnapshot> snapshots;
  {
    const std::lock_guard lock(lock_);
    if (!cut_short) unfinished_.erase(batch_time);
    const Time asked = std::min(batch_time, last_asked_time_);
    needed_behind = asked;
    context_->accumulators->EndBatches(completed_time().ms());
    if (checkpoint_ != nullptr) {
      // A state that has been through a batch is not saved before the batch has: the next driver
      // runs the batch again, and with that its update.
      const bool is_over = !cut_short || IsMade(Mistake::kStateSavedTooEarly);
      if (is_over) snapshots = checkpoint_->TakeSnapshots(batch_time);
      if (context_->driver->repairs_states()) {
        needed_behind = checkpoint_->RepairableFrom(asked);
      }
    }
    for (const auto& node : nodes_) node->ForgetBefore(asked);
    for (const InputNode* input : inputs_) remember = std::max(remember, input->remember());
    const Time looked_at = std::min(needed_behind - remember, ForgettableInputs(remember));
    left_out_.erase(left_out_.begin(), left_out_.upper_bound(looked_at));
  }
  if (checkpoint_ == nullptr) return needed_behind - remember;
  Save(std::move(snapshots));
  RemoveForgotten();
  // Of these the next driver needs the blocks, where workers outlive this one.
  if (context_->driver->may_be_replaced()) {
    needed_behind = std::min(needed_behind, checkpoint_->written_completed_time());
  }
  Time droppable = needed_behind - remember;
  const std::lock_guard lock(lock_);
  for (const ReceiverInputNode* receiver : NeededReceivers()) {
    droppable = receiver->DroppableUntil(droppable);
  }
  return droppable;
}

void StreamGraph::RemoveForgotten() {
  std::vector<std::string> forgotten;
  {
    const std::lock_guard lock(lock_);
    if (phase_ != Phase::kStarted) return;
    forgotten = saved_data_sets_->TakeForgotten(checkpoint_->written_completed_time());
  }
  for (const std::string& path : forgotten) {
    const absl::Status removed = context_->fs->DeleteRecursively(path);
    LOG_IF(WARNING, !removed.ok()) << "a saved data set that nobody needs stays: " << removed;
  }
}

void StreamGraph::Save(std::vector<StateSnapshot> snapshots) {
  {
    const std::lock_guard lock(lock_);
    if (!recovery_failure_.ok()) return;
  }
  const bool saved = checkpoint_->Publish(snapshots);
  if (!saved && !checkpoint_->IsDueSoon()) return;
  GraphCheckpoint::Built built;
  {
    const std::lock_guard lock(lock_);
    if (phase_ != Phase::kStarted) return;
    if (saved) checkpoint_->Saved(snapshots);
    built = checkpoint_->Build();
  }
  checkpoint_->Write(built).IgnoreError();
}

void StreamGraph::SaveStates() {
  std::vector<StateSnapshot> snapshots;
  {
    const std::lock_guard lock(lock_);
    if (checkpoint_ == nullptr || phase_ != Phase::kStarted || !unfinished_.empty()) return;
    snapshots = checkpoint_->SaveAll();
  }
  Save(std::move(snapshots));
}

void StreamGraph::WriteCheckpoint() {
  GraphCheckpoint::Built built;
  {
    const std::lock_guard lock(lock_);
    if (checkpoint_ == nullptr || phase_ != Phase::kStarted || !last_batch_time_) return;
    if (!recovery_failure_.ok()) return;
    built = checkpoint_->Build();
  }
  checkpoint_->Write(built).IgnoreError();
}

void StreamGraph::ReportInput(Time time, StreamInputInfo info) {
  if (last_batch_time_ && time == *last_batch_time_) input_infos_[info.stream_id] = std::move(info);
}

}  // namespace millrace::internal
