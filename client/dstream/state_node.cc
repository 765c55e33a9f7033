#include "client/dstream/state_node.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/dstream/graph_checkpoint.h"
#include "client/dstream/stream_graph.h"
#include "client/dstream/windowed_node.h"
#include "client/rdd/lineage.h"
#include "client/rdd/state.h"
#include "driver/service/driver_handle.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kCheckpointEvery(10'000);

}  // namespace

StateNode::StateNode(StreamGraph& graph, const Operation& operation, DStreamNode& parent,
                     milliseconds slide, StateFormat format)
    : DStreamNode(graph, operation, {&parent}, slide), format_(std::move(format)) {}

std::optional<milliseconds> StateNode::default_checkpoint_interval() const {
  return slide() * ((kCheckpointEvery + slide() - milliseconds(1)) / slide());
}

absl::StatusOr<RddRef> StateNode::Compute(Time time) {
  if (begins_after_ && time <= *begins_after_) {
    LOG_IF(WARNING, !std::exchange(has_told_of_gap_, true))
        << label() << ": windows lack what was made of it up to " << ToString(*begins_after_)
        << ", which an earlier driver had and nobody can make again";
    return absl::OutOfRangeError(absl::StrCat(label(), ": the data set at ", ToString(time),
                                              " was made before what its state goes on from"));
  }
  if (reached_ && *reached_ >= time) {
    return absl::FailedPreconditionError(
        absl::StrCat(label(), ": the data set at ", ToString(time), " is not remembered any more, ",
                     "and the state has moved on; StreamingContext::Remember keeps it for longer"));
  }
  // The chain must have no hole, whoever asks for whichever batch first. A batch that failed has
  // said so; its records are not in the state.
  const Time first = reached_.value_or(graph().zero_time()) + slide();
  for (const Time missed : first.Until(time, slide())) GetOrCompute(missed).IgnoreError();
  reached_ = time;
  BeforeUpdate(time);
  const auto update = NextUpdate(time);
  absl::StatusOr<RddRef> updated = Update(time, update);
  const bool is_made = updated.ok() && *updated != nullptr;
  if (is_made) num_partitions_ = (*updated)->num_partitions;
  if (!update->snapshot.path.empty()) {
    const bool is_nothing = updated.ok() && !is_made;
    graph().checkpoint()->UpdateMade(*this, time, is_made ? num_partitions_ : 0,
                                     is_nothing ? nullptr : update);
  }
  return updated;
}

RddRef StateNode::Save(StateSnapshotSpec snapshot) {
  if (!last_update_->is_committed->load()) return nullptr;
  auto update = std::make_shared<StateUpdate>();
  update->state_id = state_id_;
  update->previous_time_ms = last_update_->batch_time_ms;
  update->batch_time_ms = update->previous_time_ms + 1;
  update->needs_previous = true;
  update->snapshot = std::move(snapshot);
  return MakeStateful(graph().context(), format_.save, *format_.type, {},
                      HashPartitionerSpec(num_partitions_), /*keeps_keys=*/false,
                      std::move(update));
}

void StateNode::Saved(Time time, const SavedChain& saved) {
  OnSaved();
  DriverHandle& driver = *graph().context()->driver;
  if (!driver.repairs_states()) return;
  auto update = std::make_shared<StateUpdate>();
  update->state_id = state_id_;
  update->batch_time_ms = time.ms();
  driver.StateSaved(state_id_,
                    LoadSavedState(graph().context(), format_, saved, std::move(update)));
}

void StateNode::SkipUntil(Time time) {
  const Time zero = graph().zero_time();
  const Time last = (time - milliseconds(1)).Floor(slide(), zero);
  if (last > reached_.value_or(zero)) reached_ = last;
}

void StateNode::ForgetAll() {
  DStreamNode::ForgetAll();
  lease_ = nullptr;
}

void StateNode::Restart() {
  DStreamNode::Restart();
  state_id_ = -1;
  last_update_ = nullptr;
  reached_.reset();
  begins_after_.reset();
}

RddRef StateNode::Read(const SavedChain& saved) const {
  return ReadSavedState(graph().context(), format_, saved);
}

std::shared_ptr<StateUpdate> StateNode::NextUpdate(Time time) {
  if (state_id_ < 0) {
    DriverHandle& driver = *graph().context()->driver;
    state_id_ = driver.NewId();
    lease_ = driver.StateLease(state_id_);
  }
  auto update = std::make_shared<StateUpdate>();
  update->state_id = state_id_;
  update->batch_time_ms = time.ms();
  update->needs_previous = needs_previous();
  update->restores = restores();
  if (has_state()) update->previous_time_ms = last_time().ms();
  if (GraphCheckpoint* const checkpoint = graph().checkpoint()) {
    update->snapshot = checkpoint->SnapshotAt(*this, time);
  }
  return update;
}

bool StateNode::IsLastUpdateLost(Time batch_time) const {
  return has_state() && last_time() <= batch_time && !last_update_->is_committed->load();
}

RecordStateNode::RecordStateNode(StreamGraph& graph, const Operation& operation,
                                 DStreamNode& parent, StateWithoutRecords without_records,
                                 RddRef initial, UpdateState update, StateFormat format)
    : StateNode(graph, operation, parent, parent.slide(), std::move(format)),
      without_records_(without_records),
      update_(std::move(update)),
      program_initial_(initial),
      initial_(std::move(initial)) {}

void RecordStateNode::ForgetAll() {
  StateNode::ForgetAll();
  program_initial_ = nullptr;
  initial_ = nullptr;
  initial_taker_ = nullptr;
}

void RecordStateNode::Restart() {
  RddRef initial = program_initial_;
  StateNode::Restart();
  program_initial_ = initial;
  initial_ = std::move(initial);
  is_restored_ = false;
}

void RecordStateNode::Restore(Time time, const SavedChain& saved) {
  BeginAfter(time);
  initial_ = Read(saved);
  is_restored_ = true;
}

absl::StatusOr<RddRef> RecordStateNode::Update(Time time, const StateUpdateRef& update) {
  const absl::StatusOr<RddRef> records = parents().front()->GetOrCompute(time);
  if (!records.ok()) return records.status();
  const bool may_begin =
      *records != nullptr || restores() || without_records_ == StateWithoutRecords::kHasEmptyBatch;
  if (!may_begin && !has_state()) return RddRef();
  const bool takes_initial = may_take_initial() && may_begin;
  absl::StatusOr<RddRef> updated = update_(update, *records, takes_initial ? initial_ : nullptr);
  if (!updated.ok()) return updated;
  MarkUpdated(update);
  if (takes_initial) initial_taker_ = update;
  return updated;
}

void RecordStateNode::ForgetBefore(Time batch_time) {
  StateNode::ForgetBefore(batch_time);
  if (initial_taker_ == nullptr || Time(initial_taker_->batch_time_ms) > batch_time) return;
  if (initial_taker_->is_committed->load()) {
    initial_ = nullptr;
  } else {
    StartAnew();
  }
  initial_taker_ = nullptr;
}

WindowStateNode::WindowStateNode(StreamGraph& graph, const Operation& operation,
                                 DStreamNode& parent, milliseconds length, milliseconds slide,
                                 UpdateWindow update, StateFormat format)
    : StateNode(graph, operation, parent, slide, std::move(format)),
      length_(length),
      update_(std::move(update)) {
  // A window of another length is another state.
  AddToSchema(absl::StrCat(" in a window of ", length.count(), " ms"));
  parent.PersistForReuse();
}

void WindowStateNode::ForgetAll() {
  StateNode::ForgetAll();
  saved_ = nullptr;
}

void WindowStateNode::Restart() {
  StateNode::Restart();
  never_came_.clear();
  saved_ = nullptr;
}

// The window of that time is made once more, of what was saved alone. What was received cannot
// leave it again, for nobody has it any more: then the window is filled anew.
void WindowStateNode::Restore(Time time, const SavedChain& saved) {
  if (!graph().IsReplayable(*this)) return BeginAfter(time);
  BeginAfter(time - slide());
  saved_ = Read(saved);
  saved_time_ = time;
}

void WindowStateNode::ForgetBefore(Time batch_time) {
  StateNode::ForgetBefore(batch_time);
  if (IsLastUpdateLost(batch_time)) CombineAnew();
}

void WindowStateNode::CombineAnew() {
  StartAnew();
  never_came_.clear();
}

//   before - length      time - length     before          time
//      |------ leaving ------|----- stays -----|--- coming ---|
// A slide longer than the window leaves gaps: what stands in one neither comes nor leaves.
void WindowStateNode::BeforeUpdate(Time time) {
  leaving_ = std::vector<RddRef>();
  if (!has_state()) return;
  const Time before = last_time();
  const Time window_start = time - length_;
  leaving_ = Leaving(before - length_, std::min(before, window_start));
  // Behind an update that is still to come one that builds on nothing would be wrong.
  if (leaving_.ok() || !is_last_update_committed()) return;
  LOG(WARNING) << label() << ": its window is combined anew in batch " << ToString(time)
               << ", for what leaves it is not there any more: " << leaving_.status().message();
  leaving_ = std::vector<RddRef>();
  CombineAnew();
}

absl::StatusOr<RddRef> WindowStateNode::Update(Time time, const StateUpdateRef& update) {
  const absl::StatusOr<std::vector<RddRef>> leaving = std::move(leaving_);
  if (!leaving.ok()) return leaving.status();
  const Time window_start = time - length_;
  absl::StatusOr<RddRef> updated;
  if (saved_ != nullptr && time == saved_time_) {
    updated = update_(update, {}, {std::exchange(saved_, nullptr)});
  } else {
    const Time before = has_state() ? last_time() : window_start;
    const auto coming = Coming(std::max(before, window_start), time);
    if (!coming.ok()) return coming.status();
    updated = update_(update, *leaving, *coming);
  }
  if (!updated.ok()) return updated;
  never_came_.erase(never_came_.begin(), never_came_.upper_bound(window_start));
  MarkUpdated(update);
  return updated;
}

absl::StatusOr<std::vector<RddRef>> WindowStateNode::Leaving(Time after, Time until) const {
  std::vector<RddRef> leaving;
  DStreamNode& parent = *parents().front();
  for (const Time time : (after + parent.slide()).To(until, parent.slide())) {
    if (never_came_.contains(time)) continue;
    const absl::StatusOr<RddRef> data_set = parent.GetOrCompute(time);
    if (!data_set.ok()) return data_set.status();
    if (*data_set != nullptr) leaving.push_back(*data_set);
  }
  return leaving;
}

absl::StatusOr<std::vector<RddRef>> WindowStateNode::Coming(Time after, Time until) {
  std::vector<RddRef> coming;
  DStreamNode& parent = *parents().front();
  for (const Time time : (after + parent.slide()).To(until, parent.slide())) {
    const absl::StatusOr<RddRef> data_set = parent.GetOrCompute(time);
    if (data_set.ok()) {
      never_came_.erase(time);  // Another update may have tried, and come to nothing itself.
      if (*data_set != nullptr) coming.push_back(*data_set);
    } else if (time > until - slide()) {
      return data_set.status();
    } else {
      // Its own batch has failed for that already; the window goes on without it.
      never_came_.insert(time);
    }
  }
  return coming;
}

}  // namespace millrace::internal
