// How a StreamGraph goes on from what the driver before has left: checkpoint, logs of receivers,
// blocks on workers, and the updates of state since it was saved.
#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/dstream/graph_checkpoint.h"
#include "client/dstream/input_node.h"
#include "client/dstream/run_for_effect.h"
#include "client/dstream/saved_data_sets.h"
#include "client/dstream/state_node.h"
#include "client/dstream/stream_graph.h"
#include "client/rdd/input_files.h"
#include "client/rdd/job_scope.h"
#include "common/base/annotate_status.h"
#include "common/base/status_macros.h"
#include "common/config/keys.h"
#include "common/fs/path.h"
#include "driver/receiver/received_block_tracker.h"
#include "driver/service/driver_handle.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

using std::chrono::milliseconds;

absl::StatusOr<ReceiverLogSpec> ReadLogSettings(const Conf& conf, const LoggingRuns& runs) {
  ReceiverLogSpec log;
  log.run_seal = runs.SealOf(runs.own);
  ASSIGN_OR_RETURN(const auto rolling, conf.GetDuration(keys::kReceiverLogRollingInterval));
  log.rolling_interval = std::chrono::ceil<milliseconds>(rolling);
  ASSIGN_OR_RETURN(const int64_t attempts_max, conf.GetInt(keys::kReceiverLogMaxFailures));
  log.attempts_max = static_cast<int>(attempts_max);
  ASSIGN_OR_RETURN(log.close_after_write, conf.GetBool(keys::kReceiverLogCloseFileAfterWrite));
  return log;
}

}  // namespace

std::vector<ReceiverInputNode*> StreamGraph::NeededReceivers() const {
  std::vector<ReceiverInputNode*> receivers;
  for (InputNode* input : needed_inputs_) {
    if (auto* receiver = dynamic_cast<ReceiverInputNode*>(input)) receivers.push_back(receiver);
  }
  return receivers;
}

absl::Status StreamGraph::OpenCheckpoint(const std::map<const DStreamNode*, std::string>& ids) {
  checkpoint_ = std::make_unique<GraphCheckpoint>(*this, *context_->fs, checkpoint_directory_);
  saved_data_sets_ = std::make_shared<SavedDataSets>(
      *this, *context_->fs, AbsolutePath(JoinPath(checkpoint_directory_, "rdds")));
  RETURN_IF_ERROR(checkpoint_->Open(ids));
  return saved_data_sets_->Open(ids);
}

// The driver numbers blocks of its runs from multiples of 2^48 on; no lower here.
int64_t StreamGraph::FirstStartOfRun() {
  constexpr int kStartsOfRunBits = 48 - ReceivedBlockTracker::kStartBits;
  return context_->streaming_runs++ << kStartsOfRunBits;
}

absl::Status StreamGraph::BeginReceiverLogs(const std::map<const DStreamNode*, std::string>& ids,
                                            int64_t first_start) {
  logging_runs_ = {};
  const std::vector<ReceiverInputNode*> receivers = NeededReceivers();
  if (receivers.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool logs, context_->conf.GetBool(keys::kReceiverLogEnable));
  ASSIGN_OR_RETURN(logging_runs_, BeginLogging(*context_->fs, checkpoint_directory_, logs));
  const LoggingRuns& runs = logging_runs_;
  const bool outlives_driver = context_->driver->may_be_replaced();
  if (!logs && runs.earlier.empty() && !outlives_driver) return absl::OkStatus();
  std::optional<ReceiverLogSpec> log;
  if (logs) {
    ASSIGN_OR_RETURN(log, ReadLogSettings(context_->conf, runs));
  }
  for (ReceiverInputNode* receiver : receivers) {
    receiver->KeepBooks(ReceiverBooks(runs, ids.at(receiver), first_start), log, outlives_driver);
  }
  return absl::OkStatus();
}

absl::StatusOr<RecoveredBlocks> StreamGraph::ReadEarlierLogs(bool recovers) {
  const EarlierBlocks held = context_->driver->BlocksReceivedBefore();
  ASSIGN_OR_RETURN(const bool may_lose, context_->conf.GetBool(keys::kCheckpointAllowStateLoss));
  const std::lock_guard lock(lock_);
  RETURN_IF_ERROR(
      AnnotateStatus(SealEarlier(*context_->fs, logging_runs_), "the logs of receivers"));
  RecoveredBlocks recovered;
  for (ReceiverInputNode* receiver : NeededReceivers()) {
    if (receiver->books() == nullptr) continue;
    RETURN_IF_ERROR(AnnotateStatus(receiver->ReadEarlierLogs(*context_->fs, recovers, may_lose),
                                   absl::StrCat(receiver->label(), ": what was received before")));
    receiver->TakeOver(held, recovers && resumed_.has_value());
    checkpoint_->KnowEarlierLogs(receiver->books()->earlier_directories());
    receiver->AddRecovered(resumed_.value_or(ResumePoint{Time(0), Time(0)}), recovered);
  }
  return recovered;
}

absl::StatusOr<std::optional<ResumePoint>> StreamGraph::Recover() {
  const std::lock_guard lock(lock_);
  if (checkpoint_ == nullptr) return std::nullopt;
  ASSIGN_OR_RETURN(const std::optional<proto::Checkpoint> latest, checkpoint_->ReadLatest());
  if (!latest.has_value()) return std::nullopt;
  absl::StatusOr<ResumePoint> from = GoOnFrom(*latest);
  if (!from.ok()) {
    checkpoint_ = nullptr;  // What is there is for a program that fits: nothing may overwrite it.
    return from.status();
  }
  resumed_ = *from;
  return resumed_;
}

absl::Status StreamGraph::CheckTimes(const proto::Checkpoint& checkpoint) const {
  if (checkpoint.batch_interval_ms() != batch_interval_.count()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the checkpoint in '", checkpoint_directory_, "' has batches of ",
                     checkpoint.batch_interval_ms(), " ms, and this program has batches of ",
                     batch_interval_.count(),
                     " ms: go on with the same interval, or begin anew in another directory"));
  }
  bool can_be = checkpoint.zero_time_ms() <= checkpoint.completed_time_ms() &&
                checkpoint.completed_time_ms() <= checkpoint.last_time_ms();
  int64_t last_ms = checkpoint.zero_time_ms();
  for (const proto::LeftOutBatches& left_out : checkpoint.left_out()) {
    can_be &= left_out.after_ms() < left_out.before_ms() && last_ms < left_out.before_ms();
    last_ms = left_out.before_ms();
  }
  if (!can_be) {
    return absl::DataLossError(absl::StrCat("the checkpoint in '", checkpoint_directory_,
                                            "' has times that contradict each other"));
  }
  return absl::OkStatus();
}

absl::StatusOr<ResumePoint> StreamGraph::GoOnFrom(const proto::Checkpoint& latest) {
  RETURN_IF_ERROR(CheckTimes(latest));
  ASSIGN_OR_RETURN(const bool may_lose_state,
                   context_->conf.GetBool(keys::kCheckpointAllowStateLoss));
  ASSIGN_OR_RETURN(const proto::Checkpoint newest, checkpoint_->TakeOver(latest, may_lose_state));
  RETURN_IF_ERROR(CheckTimes(newest));
  const ResumePoint from{Time(newest.completed_time_ms()), Time(newest.last_time_ms())};
  zero_time_ = Time(newest.zero_time_ms());
  for (const proto::LeftOutBatches& saved : newest.left_out()) {
    left_out_[Time(saved.before_ms())] = Time(saved.after_ms());
  }
  last_batch_time_ = from.last_time;
  RETURN_IF_ERROR(checkpoint_->Recover(newest, may_lose_state));
  last_batch_time_ = last_asked_time_ = from.completed_time;
  last_input_ = from.last_time;
  must_catch_up_ = true;
  left_outputs_ = std::make_shared<LeftOutputs>(*context_->fs);
  return from;
}

void StreamGraph::Restart() {
  const std::lock_guard lock(lock_);
  for (const auto& node : nodes_) node->Restart();
  zero_time_.reset();
  last_batch_time_.reset();
  unfinished_.clear();
  left_out_.clear();
  resumed_.reset();
  recovery_failure_ = absl::OkStatus();
  left_outputs_.reset();
  const std::map<const DStreamNode*, std::string> ids = StreamIds();
  absl::Status opened = OpenCheckpoint(ids);
  opened.Update(BeginReceiverLogs(ids, FirstStartOfRun()));
  LOG_IF(ERROR, !opened.ok()) << "the checkpoint directory: " << opened;
}

bool StreamGraph::IsReplayable(const DStreamNode& node) const {
  for (const InputNode* input : inputs_) {
    if (input == &node) return input->is_replayable();
  }
  return std::all_of(node.parents().begin(), node.parents().end(),
                     [this](const DStreamNode* parent) { return IsReplayable(*parent); });
}

// In the order of times, so that a state that is made of another one finds it; each on its own, for
// a batch may have failed in the first place.
// An update that failed before, as by a function of the user's, fails again, and state goes on
// without it as it did. One for which there is not all that it was made of any more is another
// thing: nobody has been told of that yet. No batch is made then, and no checkpoint written, so
// that the next driver begins where this one did.
absl::Status StreamGraph::CatchUpState() {
  if (!std::exchange(must_catch_up_, false)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool may_lose_state,
                   context_->conf.GetBool(keys::kCheckpointAllowStateLoss));
  for (const Time time :
       checkpoint_->oldest_saved().To(resumed_->completed_time, batch_interval_)) {
    for (DStreamNode* const node : must_run_) {
      if (static_cast<StateNode*>(node)->HasReached(time)) continue;
      const absl::Status made = MakeAgain(*node, time);
      if (made.ok()) continue;
      const std::string message =
          absl::StrCat(node->label(), ": the update of batch ", ToString(time),
                       " cannot be made again: ", made.message());
      if (IsOfMissingInput(made) && !may_lose_state) {
        return absl::DataLossError(absl::StrCat(message, "; to go on without it, set ",
                                                std::string(keys::kCheckpointAllowStateLoss.name),
                                                "=true"));
      }
      LOG(WARNING) << message;
    }
  }
  return absl::OkStatus();
}

absl::Status StreamGraph::MakeAgain(DStreamNode& node, Time time) {
  ASSIGN_OR_RETURN(const RddRef update, node.GetOrCompute(time));
  if (update == nullptr) return absl::OkStatus();
  const JobScope scope(time.ms(), -1, node.label());
  return RunForEffect(context_, update, node.label());
}

// What receivers have stored without a log may go with its workers, and nobody expects it then.
bool StreamGraph::IsOfMissingInput(const absl::Status& status) {
  const std::vector<ReceiverInputNode*> receivers = NeededReceivers();
  return (absl::IsDataLoss(status) || absl::IsNotFound(status)) &&
         std::none_of(receivers.begin(), receivers.end(), [](const ReceiverInputNode* receiver) {
           return receiver->HasBlocksOutsideLogs();
         });
}

// Those that have input, and as long as windows have records that came before, those in which one
// ends.
Time StreamGraph::NextMissed(Time next, Time end) {
  const std::lock_guard lock(lock_);
  // The first batch from `time` on, and from `next` on, at which a stream of that slide has one.
  const auto due = [&](Time time, milliseconds slide) {
    return (std::max(time, next) - milliseconds(1)).Floor(slide, zero_time()) + slide;
  };
  Time first = end;
  for (const InputNode* input : needed_inputs_) {
    if (const auto time = input->NextInput(next))
      first = std::min(first, due(*time, batch_interval_));
  }
  std::map<const DStreamNode*, milliseconds> reach;  // How far back inputs count.
  for (const auto& node : nodes_) {
    milliseconds& of_node = reach[node.get()];
    for (const DStreamNode* parent : node->parents()) of_node = std::max(of_node, reach[parent]);
    of_node += node->look_back();
    const Time time = due(next, node->slide());
    if (IsNeeded(*node) && time < last_input_ + of_node) first = std::min(first, time);
  }
  return first;
}

}  // namespace millrace::internal
