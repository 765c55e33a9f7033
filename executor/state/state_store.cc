#include "executor/state/state_store.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/mistake.h"
#include "common/base/status_macros.h"

namespace millrace::internal {

namespace {

std::string Describe(const StateUpdateRequest& request) {
  return absl::StrCat("partition ", request.key.partition, " of state ", request.key.state_id,
                      ": the update of batch ", request.batch_time_ms, " ms");
}

}  // namespace

absl::StatusOr<StatePartition*> StateStore::Acquire(const StateUpdateRequest& request,
                                                    const MakePartition& make) {
  bool starts_empty = request.previous_time_ms == kNone;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = entries_.find(request.key);
    Entry* entry = found == entries_.end() ? nullptr : &found->second;
    if (IsMade(Mistake::kLostStateTakenAsNew) && entry == nullptr) starts_empty = true;
    if (entry != nullptr && entry->holder_task_id == request.task_id && entry->partition) {
      return entry->partition.get();
    }
    RETURN_IF_ERROR(Check(request, entry));
    if (entry == nullptr) entry = &entries_[request.key];
    entry->holder_task_id = request.task_id;
    entry->pending_time_ms = request.batch_time_ms;
    entry->starts_empty = starts_empty;
    held_by_task_[request.task_id].push_back(request.key);
    if (!starts_empty) return entry->partition.get();
    entry->before = std::move(entry->partition);
  }
  // Without the lock: `make` is the operator's. Nobody else touches what is held.
  std::unique_ptr<StatePartition> partition = make();
  StatePartition* const made = partition.get();
  if (made == nullptr) {
    return absl::InternalError(
        absl::StrCat(Describe(request), " got no empty state to start with"));
  }
  absl::MutexLock lock(&mutex_);
  entries_[request.key].partition = std::move(partition);
  return made;
}

absl::Status StateStore::Check(const StateUpdateRequest& request, const Entry* entry) const {
  const int64_t committed_ms = entry == nullptr ? kNone : entry->committed_time_ms;
  if (entry != nullptr && entry->holder_task_id != kNone) {
    return absl::FailedPreconditionError(absl::StrCat(
        Describe(request), " found it held by task ", entry->holder_task_id, " for batch ",
        entry->pending_time_ms, " ms, which was neither committed nor aborted"));
  }
  if (committed_ms != kNone && committed_ms >= request.batch_time_ms) {
    return absl::FailedPreconditionError(absl::StrCat(
        Describe(request), " is stale: the update of batch ", committed_ms, " ms is committed"));
  }
  if (IsMade(Mistake::kLostStateTakenAsNew) && entry == nullptr) return absl::OkStatus();
  if (request.previous_time_ms != kNone && request.previous_time_ms != committed_ms) {
    return absl::DataLossError(
        absl::StrCat(Describe(request), " builds on batch ", request.previous_time_ms,
                     " ms, but this worker has ",
                     committed_ms == kNone ? std::string("no update of it")
                                           : absl::StrCat("that of batch ", committed_ms, " ms")));
  }
  return absl::OkStatus();
}

void StateStore::Commit(int64_t task_id) { Judge(task_id, /*commit=*/true); }

void StateStore::Abort(int64_t task_id) { Judge(task_id, /*commit=*/false); }

void StateStore::Judge(int64_t task_id, bool commit) {
  absl::MutexLock lock(&mutex_);
  const auto held = held_by_task_.find(task_id);
  if (held == held_by_task_.end()) return;
  for (const StateKey& key : held->second) Release(key, commit);
  held_by_task_.erase(held);
}

void StateStore::Release(const StateKey& key, bool commit) {
  Entry& entry = entries_[key];
  if (commit) {
    if (entry.partition) entry.partition->Commit();
    entry.committed_time_ms = entry.pending_time_ms;
  } else if (entry.starts_empty) {
    entry.partition = std::move(entry.before);
  } else {
    entry.partition->Abort();
  }
  entry.before.reset();
  entry.holder_task_id = kNone;
  if (entry.drop_when_free || !entry.partition) {
    entries_.erase(key);
    return;
  }
  entry.memory_bytes = entry.partition->memory_bytes();
}

bool StateStore::Holds(int64_t task_id) const {
  absl::MutexLock lock(&mutex_);
  return held_by_task_.contains(task_id);
}

void StateStore::Drop(int64_t state_id) {
  DropIf([state_id](int64_t id) { return id == state_id; });
}

void StateStore::DropBelow(int64_t state_id) {
  DropIf([state_id](int64_t id) { return id < state_id; });
}

void StateStore::DropIf(absl::FunctionRef<bool(int64_t)> is_dropped) {
  absl::MutexLock lock(&mutex_);
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto entry = it++;
    if (!is_dropped(entry->first.state_id)) continue;
    if (entry->second.holder_task_id != kNone) {
      entry->second.drop_when_free = true;
    } else {
      entries_.erase(entry);
    }
  }
}

void StateStore::AbortBelow(int64_t task_id, absl::FunctionRef<bool(int64_t)> runs) {
  std::vector<int64_t> ended;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [id, keys] : held_by_task_) {
      if (id < task_id && !runs(id)) ended.push_back(id);
    }
  }
  for (const int64_t id : ended) Judge(id, /*commit=*/false);
}

size_t StateStore::partition_count() const {
  absl::MutexLock lock(&mutex_);
  return entries_.size();
}

size_t StateStore::memory_bytes() const {
  absl::MutexLock lock(&mutex_);
  size_t bytes = 0;
  for (const auto& [key, entry] : entries_) bytes += entry.memory_bytes;
  return bytes;
}

}  // namespace millrace::internal
