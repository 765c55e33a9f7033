#include "client/rdd/accumulator_book.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/call_guarded.h"
#include "common/config/keys.h"
#include "glog/logging.h"

namespace millrace::internal {

std::string AccumulatorBook::FreeKey(const std::string& name) const {
  std::string key = name;
  const auto is_taken = [&](const auto& entry) { return entry.second.key == key; };
  for (int number = 2; std::any_of(entries_.begin(), entries_.end(), is_taken); ++number) {
    key = absl::StrCat(name, "#", number);
  }
  return key;
}

void AccumulatorBook::Add(int64_t id, const std::shared_ptr<SharedAccumulator>& accumulator) {
  const absl::MutexLock lock(&mutex_);
  Entry& entry = entries_[id];
  if (!accumulator->name.empty()) entry.key = FreeKey(accumulator->name);
  entry.accumulator = accumulator;
  GoOn(entry);
}

void AccumulatorBook::Remove(int64_t id) {
  Entry removed;  // Its values are the user's, and go after the lock.
  const absl::MutexLock lock(&mutex_);
  const auto entry = entries_.find(id);
  if (entry == entries_.end()) return;
  removed = std::move(entry->second);
  entries_.erase(entry);
}

void AccumulatorBook::EndBatches(const Entry& entry) const {
  SharedAccumulator& accumulator = *entry.accumulator;
  const absl::MutexLock lock(&accumulator.mutex);
  const absl::Status ended = CallGuarded("its merge function", [&] {
    accumulator.parts->EndBatches(ended_ms_);
    return absl::OkStatus();
  });
  LOG_IF(ERROR, !ended.ok()) << "accumulator '" << accumulator.name
                             << "': checkpoints lack an update: " << ended.message();
}

void AccumulatorBook::GoOn(const Entry& entry) {
  EndBatches(entry);
  if (entry.key.empty()) return;
  const auto restored = restored_.find(entry.key);
  if (restored == restored_.end()) return;
  const Saved saved = std::move(restored->second);
  restored_.erase(restored);
  SharedAccumulator& accumulator = *entry.accumulator;
  const absl::MutexLock lock(&accumulator.mutex);
  const absl::Status status = CallGuarded("its merge function", [&] {
    const bool fits =
        saved.schema == accumulator.parts->schema() && accumulator.parts->RestoreEnded(saved.value);
    return fits ? absl::OkStatus() : absl::DataLossError("it was saved as " + saved.schema);
  });
  LOG_IF(ERROR, !status.ok()) << "accumulator '" << entry.key
                              << "' begins anew: " << status.message();
}

void AccumulatorBook::EndBatches(int64_t until_ms) {
  const absl::MutexLock lock(&mutex_);
  ended_ms_ = until_ms;
  for (const auto& [id, entry] : entries_) EndBatches(entry);
}

std::vector<AccumulatorBook::Saved> AccumulatorBook::Save() const {
  const absl::MutexLock lock(&mutex_);
  std::vector<Saved> all;
  for (const auto& [key, saved] : restored_) all.push_back(saved);
  for (const auto& [id, entry] : entries_) {
    if (entry.key.empty()) continue;
    const absl::MutexLock of_accumulator(&entry.accumulator->mutex);
    const AccumulatedParts& parts = *entry.accumulator->parts;
    std::string value = parts.SaveEnded();
    if (!value.empty()) all.push_back({entry.key, parts.schema(), std::move(value)});
  }
  return all;
}

absl::Status AccumulatorBook::Restore(const std::vector<Saved>& saved, int64_t ended_ms,
                                      bool may_lose_values) {
  const absl::MutexLock lock(&mutex_);
  std::map<std::string, Saved> restored;
  for (const Saved& value : saved) restored[value.name] = value;
  for (const auto& [id, entry] : entries_) {
    const auto found = restored.find(entry.key);
    if (found == restored.end() || may_lose_values) continue;
    const absl::MutexLock of_accumulator(&entry.accumulator->mutex);
    const std::string schema = entry.accumulator->parts->schema();
    if (found->second.schema == schema) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("accumulator '", entry.key, "' adds up ", schema, ", and was saved as ",
                     found->second.schema, "; to begin anew with it, set ",
                     std::string(keys::kCheckpointAllowStateLoss.name), "=true"));
  }
  restored_ = std::move(restored);
  ended_ms_ = ended_ms;
  for (const auto& [id, entry] : entries_) {
    // What the next driver of the same process has none of, one without a name keeps.
    if (!entry.key.empty()) {
      const absl::MutexLock of_accumulator(&entry.accumulator->mutex);
      entry.accumulator->parts->RestoreEnded("");
    }
    GoOn(entry);
  }
  return absl::OkStatus();
}

}  // namespace millrace::internal
