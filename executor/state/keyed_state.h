// One partition of keyed state, kept by a worker from batch to batch.
#ifndef MILLRACE_EXECUTOR_STATE_KEYED_STATE_H_
#define MILLRACE_EXECUTOR_STATE_KEYED_STATE_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "common/memory/arena.h"
#include "common/memory/large_memory.h"
#include "executor/operator/combine_table.h"
#include "executor/task/task_node.h"

namespace millrace::internal {

// A table of keys and their states, changed in place. Before a state is changed for the first time
// in an update, what it was goes to an undo log: a commit forgets the log, an abort plays it back.
// The cost of an update follows the keys that it touches.
//
// Entries stand dense in the order of their first arrival, beside a sparse index of slots. A
// removed key keeps its entry, dead, until a commit finds more dead than living entries.
//
// Which keys changed since the state was saved last is known, so that the next time these are
// enough. What was saved counts only when the driver says so, behind later updates perhaps: until
// then changes since what counted before are kept, each with the number of the snapshot that it is
// behind. A removed key that a snapshot still has to tell of keeps its entry.
//
// Threads: those of the task that holds the partition (see StatePartition).
template <class K, class S>
class KeyedState : public StatePartition {
 public:
  static constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

  struct Entry {
    uint64_t hash;
    K key;
    S state;
    int64_t touched_ms;      // Batch time of the last record, for timeouts.
    uint32_t newer = kNone;  // Neighbours in the order of touched_ms, for timeouts.
    uint32_t older = kNone;
    bool alive = false;
    bool logged = false;         // Its old state is in the undo log.
    uint32_t changed_after = 0;  // The snapshot that its last committed change is behind; 0: none.
  };

  KeyedState() { Rehash(kMinSlots); }

  size_t live_count() const { return live_count_; }
  LargeVector<Entry>& entries() { return entries_; }

  void PrefetchSlot(uint64_t hash) const { PrefetchRead(&slots_[hash & mask_]); }
  void PrefetchEntry(uint64_t hash) const {
    const uint64_t slot = slots_[hash & mask_];
    if (slot == 0) return;
    const Entry* const entry = &entries_[static_cast<uint32_t>(slot) - 1];
    PrefetchRead(entry);
    if constexpr (sizeof(Entry) > 32) PrefetchRead(reinterpret_cast<const char*>(entry) + 64 - 1);
  }

  // Index of the key's entry, or kNone. The entry may be dead.
  uint32_t Find(uint64_t hash, const K& key) const {
    for (size_t i = hash & mask_;; i = (i + 1) & mask_) {
      const uint64_t slot = slots_[i];
      if (slot == 0) return kNone;
      if (Tag(slot) != Tag(hash)) continue;
      const auto index = static_cast<uint32_t>(slot) - 1;
      if (entries_[index].hash == hash && SameKey(entries_[index].key, key)) return index;
    }
  }

  // The same, with a dead entry made for a new key.
  uint32_t FindOrAdd(uint64_t hash, const K& key) {
    size_t i = hash & mask_;
    for (;; i = (i + 1) & mask_) {
      const uint64_t slot = slots_[i];
      if (slot == 0) break;
      if (Tag(slot) != Tag(hash)) continue;
      const auto index = static_cast<uint32_t>(slot) - 1;
      if (entries_[index].hash == hash && SameKey(entries_[index].key, key)) return index;
    }
    entries_.push_back(Entry{hash, KeepKey(key, arena_), S(), 0});
    slots_[i] = (hash & kTagMask) | entries_.size();
    if (entries_.size() * 2 > slots_.size()) Rehash(slots_.size() * 2);
    return static_cast<uint32_t>(entries_.size() - 1);
  }

  // Sets the state of an entry, which lives from then on.
  void Set(uint32_t index, S state) {
    Entry& entry = entries_[index];
    LogAndTakeOld(index, entry);
    if (!entry.alive) ++live_count_;
    entry.alive = true;
    entry.state = std::move(state);
  }

  void Remove(uint32_t index) {
    Entry& entry = entries_[index];
    if (!entry.alive) return;
    LogAndTakeOld(index, entry);
    entry.alive = false;
    entry.state = S();
    --live_count_;
  }

  // Makes the entry the youngest of all: its key had a record in this batch.
  void Touch(uint32_t index, int64_t batch_time_ms) {
    Entry& entry = entries_[index];
    if (entry.touched_ms == batch_time_ms && youngest_ == index) return;
    if (!entry.logged) LogTouch(index, entry);
    entry.touched_ms = batch_time_ms;
    Unlink(index);
    LinkYoungest(index);
  }
  // The same for entries that come in any order, and OrderByTouch after the last of them.
  void RestoreTouch(uint32_t index, int64_t batch_time_ms) {
    uses_links_ = true;
    entries_[index].touched_ms = batch_time_ms;
  }
  void OrderByTouch() { SortByTouch(); }
  // Of the living entries the one whose last record is the longest ago; kNone when none is linked.
  uint32_t oldest() const { return oldest_; }
  void Unlink(uint32_t index) {
    Entry& entry = entries_[index];
    if (entry.newer == kNone && entry.older == kNone && oldest_ != index) return;
    (entry.older == kNone ? oldest_ : entries_[entry.older].newer) = entry.newer;
    (entry.newer == kNone ? youngest_ : entries_[entry.newer].older) = entry.older;
    entry.newer = entry.older = kNone;
  }

  // -------------------------------------------------------------------------------------------
  // What changed since the state was saved. As of here the current update is part of it.

  // The state was loaded as it was saved as of that batch, which counts, and nothing else was done
  // to it. An abort cannot undo that: the table goes.
  void LoadedAsOf(int64_t time_ms) {
    for (const Undo& undo : undo_) entries_[undo.index].logged = false;
    undo_.clear();
    counted_ms_ = time_ms;
    snapshots_ = 1;
  }
  // What was saved as of `counted_ms` counts: older changes are forgotten. The time that those that
  // are left build on, which may be another one that counts; -1: it was never saved so that it
  // counts, or not from this table, or `counted_ms` is -1.
  int64_t KeepChangesSince(int64_t counted_ms) {
    if (counted_ms < 0) return -1;
    const auto counted = std::find_if(saved_.begin(), saved_.end(), [&](const SavedAsOf& saved) {
      return saved.time_ms == counted_ms;
    });
    if (counted == saved_.end()) return counted_ms_;
    std::erase_if(changed_, [this, number = counted->number](uint32_t index) {
      if (entries_[index].changed_after >= number) return false;
      entries_[index].changed_after = 0;
      return true;
    });
    counted_ms_ = counted_ms;
    saved_.erase(saved_.begin(), counted + 1);
    compact_from_ = 0;
    return counted_ms_;
  }
  // Calls f(const Entry&) for each key that changed since what KeepChangesSince returned; those
  // that were removed are not alive.
  template <class F>
  void ForEachChange(F f) const {
    for (const uint32_t index : changed_) f(entries_[index]);
    for (const Undo& undo : undo_) {
      if (entries_[undo.index].changed_after == 0) f(entries_[undo.index]);
    }
  }
  // The state is saved as of that batch as it will be when the current update is committed.
  void Saved(int64_t time_ms) { saving_ms_ = time_ms; }

  void Commit() override {
    for (const Undo& undo : undo_) {
      Entry& entry = entries_[undo.index];
      entry.logged = false;
      if (snapshots_ == 0) continue;
      if (entry.changed_after == 0) changed_.push_back(undo.index);
      entry.changed_after = snapshots_;
    }
    undo_.clear();
    if (undo_.capacity() > 4 * entries_.size() + 1024) undo_.shrink_to_fit();
    if (saving_ms_) {
      saved_.push_back({*saving_ms_, ++snapshots_});
      saving_ms_.reset();
    }
    const bool has_many_dead = entries_.size() > kCompactMin && live_count_ * 2 < entries_.size();
    if (has_many_dead && entries_.size() >= compact_from_) Compact();
  }

  void Abort() override {
    saving_ms_.reset();
    while (!undo_.empty()) {
      Undo& undo = undo_.back();
      Entry& entry = entries_[undo.index];
      live_count_ += (undo.alive ? 1 : 0);
      live_count_ -= (entry.alive ? 1 : 0);
      entry.state = std::move(undo.state);
      entry.alive = undo.alive;
      entry.logged = false;
      entry.touched_ms = undo.touched_ms;
      undo_.pop_back();
    }
    SortByTouch();
  }

  size_t memory_bytes() const override {
    return entries_.capacity() * sizeof(Entry) + slots_.size() * sizeof(uint64_t) +
           undo_.capacity() * sizeof(Undo) + changed_.capacity() * sizeof(uint32_t) +
           arena_.bytes_reserved();
  }

 private:
  struct Undo {
    uint32_t index;
    bool alive;
    int64_t touched_ms;
    S state;
  };

  struct SavedAsOf {
    int64_t time_ms;
    uint32_t number;  // Changes behind it have this number or a higher one.
  };

  static constexpr size_t kMinSlots = 64;
  static constexpr size_t kCompactMin = 1024;
  static constexpr uint64_t kTagMask = 0xffffffff00000000u;
  static uint32_t Tag(uint64_t slot_or_hash) { return static_cast<uint32_t>(slot_or_hash >> 32); }

  // Afterwards the entry's state may be overwritten.
  void LogAndTakeOld(uint32_t index, Entry& entry) {
    if (entry.logged) return;
    entry.logged = true;
    undo_.push_back(Undo{index, entry.alive, entry.touched_ms, std::move(entry.state)});
  }
  void LogTouch(uint32_t index, Entry& entry) {
    entry.logged = true;
    undo_.push_back(Undo{index, entry.alive, entry.touched_ms, entry.state});
  }

  void LinkYoungest(uint32_t index) {
    uses_links_ = true;
    Entry& entry = entries_[index];
    entry.older = youngest_;
    entry.newer = kNone;
    (youngest_ == kNone ? oldest_ : entries_[youngest_].newer) = index;
    youngest_ = index;
  }

  // After an abort the links are made anew: rare, and simpler than undoing each move.
  void SortByTouch() {
    if (!uses_links_) return;
    std::vector<uint32_t> linked;
    for (uint32_t i = 0; i < entries_.size(); ++i) {
      entries_[i].newer = entries_[i].older = kNone;
      if (entries_[i].alive) linked.push_back(i);
    }
    std::stable_sort(linked.begin(), linked.end(), [this](uint32_t a, uint32_t b) {
      return entries_[a].touched_ms < entries_[b].touched_ms;
    });
    oldest_ = youngest_ = kNone;
    for (const uint32_t index : linked) LinkYoungest(index);
  }

  // Drops dead entries that no snapshot has to tell of. The oldest keep coming first.
  void Compact() {
    for (uint32_t i = 0; i < entries_.size(); ++i) {
      if (!entries_[i].alive) Unlink(i);
    }
    std::vector<uint32_t> new_index(entries_.size(), kNone);
    LargeVector<Entry> kept;
    Arena arena;
    kept.reserve(live_count_);
    for (size_t i = 0; i < entries_.size(); ++i) {
      Entry& entry = entries_[i];
      if (!entry.alive && entry.changed_after == 0) continue;
      new_index[i] = static_cast<uint32_t>(kept.size());
      kept.push_back(Entry{entry.hash, KeepKey(entry.key, arena), std::move(entry.state),
                           entry.touched_ms, entry.newer, entry.older, entry.alive, false,
                           entry.changed_after});
    }
    const auto renumber = [&new_index](uint32_t index) {
      return index == kNone ? kNone : new_index[index];
    };
    for (Entry& entry : kept) {
      entry.newer = renumber(entry.newer);
      entry.older = renumber(entry.older);
    }
    oldest_ = renumber(oldest_);
    youngest_ = renumber(youngest_);
    for (uint32_t& index : changed_) index = new_index[index];
    // Where many of the dead are kept, not at each commit again.
    compact_from_ = kept.size() > live_count_ ? 2 * kept.size() : 0;
    entries_ = std::move(kept);
    arena_ = std::move(arena);
    size_t slots = kMinSlots;
    while (slots < 2 * entries_.size()) slots *= 2;
    Rehash(slots);
  }

  void Rehash(size_t slots) {
    slots_.assign(slots, 0);
    mask_ = slots - 1;
    for (size_t index = 0; index < entries_.size(); ++index) {
      const uint64_t hash = entries_[index].hash;
      size_t i = hash & mask_;
      while (slots_[i] != 0) i = (i + 1) & mask_;
      slots_[i] = (hash & kTagMask) | (index + 1);
    }
  }

  LargeVector<Entry> entries_;
  LargeVector<uint64_t> slots_;
  size_t mask_ = 0;
  size_t live_count_ = 0;
  uint32_t oldest_ = kNone;
  uint32_t youngest_ = kNone;
  bool uses_links_ = false;
  LargeVector<Undo> undo_;
  Arena arena_;

  uint32_t snapshots_ = 0;            // That were written; none: changes are not noted.
  int64_t counted_ms_ = -1;           // What changes build on: saved, or loaded, and it counts.
  std::deque<SavedAsOf> saved_;       // Behind that, in the order of their times.
  std::optional<int64_t> saving_ms_;  // By the current update.
  LargeVector<uint32_t> changed_;     // Entries with committed changes since, once each.
  size_t compact_from_ = 0;           // So many entries make the next compaction worth it.
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_STATE_KEYED_STATE_H_
