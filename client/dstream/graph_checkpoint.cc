#include "client/dstream/graph_checkpoint.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/dstream/input_node.h"
#include "client/dstream/run_for_effect.h"
#include "client/dstream/state_node.h"
#include "client/dstream/stream_graph.h"
#include "client/rdd/save.h"
#include "common/base/annotate_status.h"
#include "common/base/mistake.h"
#include "common/base/status_macros.h"
#include "common/config/keys.h"
#include "common/fs/path.h"
#include "common/time/system_clock.h"
#include "driver/service/driver_handle.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kSoonNanos = 100'000'000;
// Directories of one saved state. A driver that goes on has to open that many files a partition.
constexpr size_t kDeltasMax = 256;
// Of a saved state: what changed may come to 5/4 of the whole.
constexpr int64_t kDeltaShare = 5;
constexpr int64_t kWholeShare = 4;
// For so many checkpoint intervals the batches that made a state are kept if it cannot be saved.
constexpr int kIntervalsKept = 10;
// So many batches are made again for what windows look back at: seconds of work, or minutes.
constexpr int kMadeAgainMax = 10'000;

// Of a stream without state: its data sets need not be made again, they are read.
bool AreAllSaved(const DStreamNode& stream) {
  return stream.user_set_checkpoint_interval() && stream.format().write != nullptr &&
         *stream.checkpoint_interval() == stream.slide();
}

std::string StateDirectory(const std::string& id, Time time) {
  return absl::StrCat(absl::Hex(XXH3_64bits(id.data(), id.size()), absl::kZeroPad16), "-",
                      time.ms());
}

// Parts that tasks have finished.
struct Parts {
  std::set<std::string> names;
  int64_t bytes = 0;
};
absl::StatusOr<Parts> PartsIn(FileSystem& fs, const std::string& directory) {
  Parts parts;
  ASSIGN_OR_RETURN(const std::vector<FileInfo> files, fs.List(directory));
  for (const FileInfo& file : files) {
    if (!file.name.starts_with("part-")) continue;
    parts.names.insert(file.name);
    parts.bytes += file.size_bytes;
  }
  return parts;
}

}  // namespace

GraphCheckpoint::GraphCheckpoint(StreamGraph& graph, FileSystem& fs, const std::string& directory)
    : graph_(graph), fs_(fs), store_(fs, directory), log_cleaner_(fs) {}

GraphCheckpoint::~GraphCheckpoint() = default;

absl::Status GraphCheckpoint::Open(const std::map<const DStreamNode*, std::string>& ids) {
  ids_ = ids;
  std::map<const DStreamNode*, std::set<std::string>> ancestors;
  for (const auto& node : graph_.nodes()) {
    std::set<std::string>& of_node = ancestors[node.get()];
    for (const DStreamNode* parent : node->parents()) {
      const std::set<std::string>& of_parent = ancestors[parent];
      of_node.insert(of_parent.begin(), of_parent.end());
    }
    auto* const state = dynamic_cast<StateNode*>(node.get());
    if (state == nullptr || !graph_.IsNeeded(*state)) continue;
    const std::string& id = ids_.at(state);
    SavedState& saved = states_[id];
    saved.node = state;
    saved.interval = *state->checkpoint_interval();
    saved.ancestors = of_node;
    of_node.insert(id);
  }
  return store_.Open();
}

void GraphCheckpoint::BeginAfter(Time zero_time) {
  for (auto& [id, state] : states_) SetSaved(state, {zero_time, {}});
  const absl::Status status = store_.TakeOver();
  LOG_IF(ERROR, !status.ok()) << "the checkpoint directory: " << status;
}

// ---------------------------------------------------------------------------------------------
// Saving states.

bool GraphCheckpoint::IsDue(const SavedState& state, Time time) const {
  if (((time - graph_.zero_time()) % state.interval).count() == 0) return true;
  return std::any_of(state.ancestors.begin(), state.ancestors.end(), [&](const std::string& id) {
    return ((time - graph_.zero_time()) % states_.at(id).interval).count() == 0;
  });
}

StateSnapshotSpec GraphCheckpoint::SnapshotAt(const StateNode& state, Time time) {
  const auto id = ids_.find(&state);
  if (id == ids_.end()) return {};
  const auto found = states_.find(id->second);
  // What is made once more on the way back to where the last driver was is saved already.
  if (found == states_.end() || !IsDue(found->second, time) || graph_.IsOfEarlierDriver(time)) {
    return {};
  }
  std::optional<StateSnapshot> snapshot = Begin(id->second, found->second, time);
  if (!snapshot) return {};
  StateSnapshotSpec spec = SpecOf(*snapshot);
  pending_[time].push_back(*std::move(snapshot));
  return spec;
}

StateSnapshotSpec GraphCheckpoint::SpecOf(const StateSnapshot& snapshot) {
  return {snapshot.output->staging_path(), snapshot.time.ms(), snapshot.since_ms};
}

// While one that has all keys is under way, what changed since the last one that counts goes on
// top of either.
bool GraphCheckpoint::MustBeWhole(const std::string& id, const SavedState& state) const {
  const std::vector<SavedChain::Link>& links = state.last.chain.links;
  if (links.empty() || state.is_of_earlier_driver) return true;
  int64_t delta_bytes = 0;
  for (size_t i = 1; i < links.size(); ++i) delta_bytes += links[i].bytes;
  const bool is_small = delta_bytes * kWholeShare < links.front().bytes * kDeltaShare;
  if (is_small && links.size() < kDeltasMax) return false;
  return std::none_of(pending_.begin(), pending_.end(), [&id](const auto& of_batch) {
    return std::any_of(of_batch.second.begin(), of_batch.second.end(),
                       [&id](const StateSnapshot& snapshot) {
                         return snapshot.id == id && snapshot.since_ms < 0;
                       });
  });
}

std::optional<StateSnapshot> GraphCheckpoint::Begin(const std::string& id, const SavedState& state,
                                                    Time time) {
  StateSnapshot snapshot;
  snapshot.id = id;
  snapshot.time = time;
  if (!MustBeWhole(id, state)) {
    snapshot.since_ms = state.last.time.ms();
    snapshot.base_partitions = state.last.chain.num_partitions;
  }
  snapshot.output = std::make_unique<AtomicOutput>(
      fs_, JoinPath(store_.state_directory(), StateDirectory(id, time)),
      absl::StrCat(ProcessName(), "-", graph_.context()->driver->NewId()));
  const absl::Status begun = snapshot.output->Begin(IfOutputExists::kReplace);
  if (begun.ok()) return snapshot;
  LOG(ERROR) << state.node->label() << ": its state cannot be saved: " << begun;
  return std::nullopt;
}

void GraphCheckpoint::UpdateMade(const StateNode& state, Time time, int num_partitions,
                                 const StateUpdateRef& update) {
  for (StateSnapshot& snapshot : pending_[time]) {
    if (snapshot.id != ids_.at(&state)) continue;
    snapshot.num_partitions = num_partitions;
    snapshot.update = update;
  }
}

GraphCheckpoint::Snapshots GraphCheckpoint::TakeSnapshots(Time batch_time) {
  Snapshots taken;
  const auto end = pending_.upper_bound(batch_time);
  for (auto it = pending_.begin(); it != end; ++it) {
    // An earlier one that nobody has taken: its batch was cut short.
    if (it->first == batch_time) {
      taken = std::move(it->second);
    } else {
      for (const StateSnapshot& snapshot : it->second) snapshot.output->Abandon().IgnoreError();
    }
  }
  pending_.erase(pending_.begin(), end);
  return taken;
}

// Each as of the last update that there is.
GraphCheckpoint::Snapshots GraphCheckpoint::SaveAll() {
  Snapshots snapshots;
  for (const auto& [id, state] : states_) {
    StateNode& node = *state.node;
    if (!node.has_state() || node.last_time() <= state.last.time) continue;
    std::optional<StateSnapshot> snapshot = Begin(id, state, node.last_time());
    if (!snapshot) return {};
    snapshots.push_back(*std::move(snapshot));
    StateSnapshot& saved = snapshots.back();
    const RddRef save = node.Save(SpecOf(saved));
    // A failed update is no update to go on from; the next run makes again what came since.
    if (save == nullptr) return {};
    saved.num_partitions = node.num_partitions();
    saved.update = save->state;
    const absl::Status ran = RunForEffect(graph_.context(), save, node.label());
    LOG_IF(ERROR, !ran.ok()) << node.label() << ": its state cannot be saved: " << ran;
  }
  return snapshots;
}

bool GraphCheckpoint::IsComplete(StateSnapshot& snapshot) {
  if (snapshot.num_partitions <= 0 || !snapshot.update->is_committed->load()) return false;
  if (snapshot.since_ms >= 0 && snapshot.base_partitions != snapshot.num_partitions) return false;
  const absl::StatusOr<Parts> parts = PartsIn(fs_, snapshot.output->staging_path());
  if (!parts.ok()) return false;
  snapshot.bytes = parts->bytes;
  return parts->names.size() == static_cast<size_t>(snapshot.num_partitions);
}

bool GraphCheckpoint::Publish(Snapshots& snapshots) {
  const bool do_count =
      !snapshots.empty() &&
      std::all_of(snapshots.begin(), snapshots.end(), [this](StateSnapshot& snapshot) {
        return snapshot.is_nothing() || IsComplete(snapshot);
      });
  absl::Status status;
  for (const StateSnapshot& snapshot : snapshots) {
    const bool has_name = do_count && status.ok() && !snapshot.is_nothing();
    if (has_name) status = snapshot.output->Publish(IfOutputExists::kReplace);
    if (!has_name || !status.ok()) snapshot.output->Abandon().IgnoreError();
  }
  LOG_IF(ERROR, !status.ok()) << "a saved state cannot be given its name: " << status;
  return do_count && status.ok();
}

void GraphCheckpoint::Saved(const Snapshots& snapshots) {
  for (const StateSnapshot& snapshot : snapshots) {
    SavedState& state = states_.at(snapshot.id);
    const std::string path = snapshot.is_nothing() ? ""
                                                   : JoinPath(BaseName(store_.state_directory()),
                                                              BaseName(snapshot.output->path()));
    if (!path.empty()) published_.push_back(path);
    if (snapshot.time <= state.last.time) continue;
    state.last.time = snapshot.time;
    if (path.empty()) continue;
    SavedChain& chain = state.last.chain;
    if (snapshot.since_ms < 0) chain.links.clear();
    state.is_of_earlier_driver = false;
    chain.num_partitions = snapshot.num_partitions;
    chain.links.push_back({path, snapshot.time.ms(), snapshot.bytes});
  }
}

void GraphCheckpoint::SetSaved(SavedState& state, SavedAt saved) {
  state.base = state.next = saved;
  state.last = std::move(saved);
}

void GraphCheckpoint::MoveBase(SavedState& state, Time behind) {
  if (state.base.time == state.last.time) return;
  const Time base_before = state.base.time;
  if (state.last.time <= behind) {
    state.base = state.next = state.last;
  } else if (state.next.time <= behind) {
    state.base = std::exchange(state.next, state.last);
  } else if (state.next.time == base_before) {
    state.next = state.last;
  }
  const bool is_to_be_read = state.base.time != base_before && !state.base.chain.links.empty();
  if (is_to_be_read) state.node->Saved(state.base.time, Located(state.base.chain));
}

// Of each stream, behind which time a batch to come, or an update that is made again, may ask for
// data sets: those that look at a stream stand behind it.
void GraphCheckpoint::MoveBases() {
  std::map<const DStreamNode*, Time> behind;
  const auto ask = [&behind](const DStreamNode* stream, Time time) {
    const auto [asked, is_first] = behind.try_emplace(stream, time);
    asked->second = std::min(asked->second, time);
  };
  const Time too_long_ago = graph_.completed_time() - kMadeAgainMax * graph_.batch_interval();
  const auto& nodes = graph_.nodes();
  for (auto it = nodes.rbegin(); it != nodes.rend(); ++it) {
    const DStreamNode& node = **it;
    if (!graph_.IsNeeded(node)) continue;
    ask(&node, graph_.completed_time());
    Time& of_node = behind.at(&node);
    const auto state = states_.find(ids_.at(&node));
    if (state != states_.end() && state->second.node == &node) {
      state->second.is_replayable = graph_.IsReplayable(node);
      MoveBase(state->second, IsMade(Mistake::kStateSavedTooEarly)
                                  ? state->second.last.time
                                  : std::max(of_node, too_long_ago));
      of_node = std::min(of_node, state->second.base.time);
    } else if (AreAllSaved(node)) {
      of_node = graph_.completed_time();
    }
    const Time first = of_node.Floor(node.slide(), graph_.zero_time()) + node.slide();
    const Time looks_behind = std::min(of_node, first - node.look_back());
    for (const DStreamNode* parent : node.parents()) ask(parent, looks_behind);
  }
}

SavedChain GraphCheckpoint::Located(SavedChain chain) const {
  for (SavedChain::Link& link : chain.links) link.path = JoinPath(store_.directory(), link.path);
  return chain;
}

Time GraphCheckpoint::oldest_saved() const {
  Time oldest = graph_.last_batch_time();
  for (const auto& [id, state] : states_) oldest = std::min(oldest, state.base.time);
  return oldest;
}

Time GraphCheckpoint::RepairableFrom(Time batch_time) const {
  Time from = batch_time;
  for (const auto& [id, state] : states_) {
    const milliseconds kept = kIntervalsKept * state.interval + state.node->remember();
    from = std::min(from, std::max(state.base.time, batch_time - kept));
  }
  return from;
}

// ---------------------------------------------------------------------------------------------
// Writing.

GraphCheckpoint::Built GraphCheckpoint::Build() {
  MoveBases();
  Built built{++built_, {}, {}, std::exchange(published_, {})};
  proto::Checkpoint& checkpoint = built.checkpoint;
  checkpoint.set_app_name(graph_.context()->conf.GetString(keys::kAppName).value_or(""));
  checkpoint.set_application_id(graph_.context()->driver->application_id());
  checkpoint.set_batch_interval_ms(graph_.batch_interval().count());
  checkpoint.set_zero_time_ms(graph_.zero_time().ms());
  checkpoint.set_last_time_ms(graph_.last_made_time().ms());
  checkpoint.set_completed_time_ms(graph_.completed_time().ms());
  for (const auto& [before, after] : graph_.left_out()) {
    proto::LeftOutBatches& saved = *checkpoint.add_left_out();
    saved.set_after_ms(after.ms());
    saved.set_before_ms(before.ms());
  }
  for (const InputNode* input : graph_.needed_inputs()) {
    proto::InputCheckpoint& saved = *checkpoint.add_inputs();
    saved.set_id(ids_.at(input));
    saved.set_label(input->label());
    input->Save(saved);
    const auto* const received = dynamic_cast<const ReceiverInputNode*>(input);
    if (received == nullptr) continue;
    for (NeededLog& log : received->NeededLogs()) built.logs.push_back(std::move(log));
  }
  for (AccumulatorBook::Saved& from : graph_.context()->accumulators->Save()) {
    proto::AccumulatorCheckpoint& saved = *checkpoint.add_accumulators();
    saved.set_name(std::move(from.name));
    saved.set_schema(std::move(from.schema));
    saved.set_value(std::move(from.value));
  }
  for (const auto& [id, state] : states_) {
    proto::StateCheckpoint& saved = *checkpoint.add_states();
    saved.set_id(id);
    saved.set_label(state.node->label());
    saved.set_schema(state.node->format().schema);
    Name(state, saved);
  }
  return built;
}

void GraphCheckpoint::Name(const SavedState& state, proto::StateCheckpoint& to) {
  // The next driver gains nothing by going back to what it cannot make again.
  const SavedAt& from = state.is_replayable ? state.base : state.last;
  to.set_time_ms(from.time.ms());
  to.set_num_partitions(from.chain.num_partitions);
  std::set<std::string> named;
  for (const SavedChain::Link& link : from.chain.links) {
    proto::SavedState& saved = *to.add_saved();
    saved.set_path(link.path);
    saved.set_time_ms(link.time_ms);
    saved.set_bytes(link.bytes);
    named.insert(link.path);
  }
  for (const SavedAt* const kept : {&state.base, &state.next, &state.last}) {
    for (const SavedChain::Link& link : kept->chain.links) {
      if (named.insert(link.path).second) to.add_kept(link.path);
    }
  }
}

bool GraphCheckpoint::IsDueSoon() const {
  return MonotonicNanos() - written_nanos_.load() >= kSoonNanos;
}

void GraphCheckpoint::KnowEarlierLogs(const std::set<std::string>& directories) {
  const std::lock_guard lock(write_mutex_);
  log_cleaner_.KnowEarlier(directories);
}

absl::Status GraphCheckpoint::Write(const Built& built) {
  const std::lock_guard lock(write_mutex_);
  for (const std::string& path : built.published) unnamed_[path] = built.number;
  if (built.number <= written_) return absl::OkStatus();
  absl::Status status = store_.Write(built.checkpoint);
  LOG_IF(ERROR, !status.ok()) << "the checkpoint of batch " << built.checkpoint.last_time_ms()
                              << " ms cannot be written: " << status;
  if (!status.ok()) return status;
  written_ = built.number;
  written_nanos_.store(MonotonicNanos());
  written_completed_ms_.store(built.checkpoint.completed_time_ms());
  log_cleaner_.CheckpointWritten(built.logs);
  DropOvertaken(built);
  return absl::OkStatus();
}

void GraphCheckpoint::DropOvertaken(const Built& written) {
  std::set<std::string> named;
  for (const proto::StateCheckpoint& state : written.checkpoint.states()) {
    for (const proto::SavedState& saved : state.saved()) named.insert(saved.path());
    named.insert(state.kept().begin(), state.kept().end());
  }
  for (auto state = unnamed_.begin(); state != unnamed_.end();) {
    const auto& [path, number] = *state;
    if (number > written.number) {
      ++state;
      continue;
    }
    if (!named.contains(path)) {
      const absl::Status status = fs_.DeleteRecursively(JoinPath(store_.directory(), path));
      LOG_IF(WARNING, !status.ok()) << "a saved state that nobody needs stays: " << status;
    }
    state = unnamed_.erase(state);
  }
}

// ---------------------------------------------------------------------------------------------
// Recovery.

absl::Status GraphCheckpoint::Recover(const proto::Checkpoint& checkpoint, bool may_lose_state) {
  Chains chains;
  absl::Status found = FindStates(checkpoint, chains);
  if (!found.ok()) {
    if (!may_lose_state) return found;
    LOG(WARNING) << found.message();
  }
  std::vector<AccumulatorBook::Saved> accumulators;
  for (const proto::AccumulatorCheckpoint& saved : checkpoint.accumulators()) {
    accumulators.push_back({saved.name(), saved.schema(), saved.value()});
  }
  RETURN_IF_ERROR(AnnotateStatus(graph_.context()->accumulators->Restore(
                                     accumulators, checkpoint.completed_time_ms(), may_lose_state),
                                 absl::StrCat("the checkpoint in '", store_.directory(), "'")));
  RestoreStates(checkpoint, chains);
  return RestoreInputs(checkpoint);
}

absl::StatusOr<proto::Checkpoint> GraphCheckpoint::TakeOver(const proto::Checkpoint& read,
                                                            bool may_lose_state) {
  Chains ignored;
  const absl::Status fits = FindStates(read, ignored);
  if (!fits.ok() && !may_lose_state) return fits;
  // A disk that is full now may have room when there is something to be saved.
  const absl::Status status = store_.TakeOver();
  LOG_IF(ERROR, !status.ok()) << "the checkpoint directory: " << status;
  ASSIGN_OR_RETURN(std::optional<proto::Checkpoint> newest, store_.ReadLatest());
  if (!newest.has_value()) {
    return absl::DataLossError(
        absl::StrCat("the checkpoint in '", store_.directory(), "' has vanished"));
  }
  return *std::move(newest);
}

absl::StatusOr<SavedChain> GraphCheckpoint::ChainOf(const proto::StateCheckpoint& saved) {
  SavedChain chain;
  chain.num_partitions = saved.num_partitions();
  for (const proto::SavedState& from : saved.saved()) {
    chain.links.push_back({from.path(), from.time_ms(), from.bytes()});
  }
  if (!saved.path().empty()) chain.links.push_back({saved.path(), saved.time_ms(), 0});
  for (const SavedChain::Link& link : chain.links) {
    const std::string directory = JoinPath(store_.directory(), link.path);
    ASSIGN_OR_RETURN(const Parts parts, PartsIn(fs_, directory));
    if (!saved.path().empty()) chain.num_partitions = static_cast<int>(parts.names.size());
    for (int i = 0; i < std::max(chain.num_partitions, 1); ++i) {
      if (parts.names.contains(PartFileName(i))) continue;
      return absl::NotFoundError(absl::StrCat("'", JoinPath(directory, PartFileName(i)),
                                              "' is missing from what was saved"));
    }
  }
  return chain;
}

absl::Status GraphCheckpoint::FindStates(const proto::Checkpoint& checkpoint, Chains& found) {
  std::vector<std::string> problems;
  bool is_damaged = false;
  for (const proto::StateCheckpoint& saved : checkpoint.states()) {
    const bool is_nothing = saved.path().empty() && saved.saved().empty() && saved.kept().empty();
    const auto state = states_.find(saved.id());
    if (state == states_.end()) {
      if (is_nothing) continue;
      problems.push_back(
          absl::StrCat(saved.label(),
                       ": no stream of this program carries its state on; if one should, give it ",
                       ".Name(\"", saved.id(), "\")"));
      continue;
    }
    const StateNode& node = *state->second.node;
    if (node.format().schema != saved.schema()) {
      if (is_nothing) continue;
      problems.push_back(absl::StrCat(node.label(), ": its state is of the type ",
                                      node.format().schema, ", and was saved as ", saved.schema()));
      continue;
    }
    absl::StatusOr<SavedChain> chain = ChainOf(saved);
    if (chain.ok()) {
      found[saved.id()] = *std::move(chain);
      continue;
    }
    is_damaged = true;
    problems.push_back(absl::StrCat(node.label(), ": ", chain.status().message()));
  }
  if (problems.empty()) return absl::OkStatus();
  const std::string message = absl::StrCat(
      "the checkpoint in '", store_.directory(), "' ",
      is_damaged ? "is not all there:\n  " : "does not match this program:\n  ",
      absl::StrJoin(problems, "\n  "), "\nNothing was overwritten. To begin anew with these ",
      "states, set ", std::string(keys::kCheckpointAllowStateLoss.name), "=true");
  return is_damaged ? absl::DataLossError(message) : absl::FailedPreconditionError(message);
}

void GraphCheckpoint::RestoreStates(const proto::Checkpoint& checkpoint, const Chains& found) {
  for (auto& [id, state] : states_) {
    SetSaved(state, {Time(checkpoint.completed_time_ms()), {}});
    state.node->BeginAfter(state.last.time);
  }
  for (const proto::StateCheckpoint& saved : checkpoint.states()) {
    const auto chain = found.find(saved.id());
    if (chain == found.end()) continue;
    SavedState& state = states_.at(saved.id());
    SetSaved(state, {Time(saved.time_ms()), chain->second});
    state.is_of_earlier_driver = true;
    if (state.last.chain.links.empty()) {
      state.node->BeginAfter(state.last.time);
    } else {
      state.node->Restore(state.last.time, Located(state.last.chain));
    }
  }
}

absl::Status GraphCheckpoint::RestoreInputs(const proto::Checkpoint& checkpoint) {
  std::map<std::string, InputNode*> inputs;
  for (InputNode* input : graph_.needed_inputs()) inputs[ids_.at(input)] = input;
  for (const proto::InputCheckpoint& saved : checkpoint.inputs()) {
    const auto found = inputs.find(saved.id());
    if (found != inputs.end()) {
      RETURN_IF_ERROR(AnnotateStatus(found->second->Restore(saved), found->second->label()));
    } else if (saved.batches_size() > 0) {
      LOG(WARNING) << "the checkpoint in '" << store_.directory() << "' has batches of "
                   << saved.label() << ", which is no stream of this program";
    }
  }
  return absl::OkStatus();
}

}  // namespace millrace::internal
