// One partition of keyed state, kept by a worker from batch to batch.
#ifndef MILLRACE_EXECUTOR_STATE_KEYED_STATE_H_
#define MILLRACE_EXECUTOR_STATE_KEYED_STATE_H_

#include <algorithm>
#include <cstdint>
#include <limits>
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
    bool logged = false;  // Its old state is in the undo log.
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

  void Commit() override {
    for (const Undo& undo : undo_) entries_[undo.index].logged = false;
    undo_.clear();
    if (undo_.capacity() > 4 * entries_.size() + 1024) undo_.shrink_to_fit();
    if (entries_.size() > kCompactMin && live_count_ * 2 < entries_.size()) Compact();
  }

  void Abort() override {
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
           undo_.capacity() * sizeof(Undo) + arena_.bytes_reserved();
  }

 private:
  struct Undo {
    uint32_t index;
    bool alive;
    int64_t touched_ms;
    S state;
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

  // Drops dead entries. The oldest keep coming first.
  void Compact() {
    for (uint32_t i = 0; i < entries_.size(); ++i) {
      if (!entries_[i].alive) Unlink(i);
    }
    std::vector<uint32_t> new_index(entries_.size(), kNone);
    LargeVector<Entry> living;
    Arena arena;
    living.reserve(live_count_);
    for (size_t i = 0; i < entries_.size(); ++i) {
      Entry& entry = entries_[i];
      if (!entry.alive) continue;
      new_index[i] = static_cast<uint32_t>(living.size());
      living.push_back(Entry{entry.hash, KeepKey(entry.key, arena), std::move(entry.state),
                             entry.touched_ms, entry.newer, entry.older, true, false});
    }
    const auto renumber = [&new_index](uint32_t index) {
      return index == kNone ? kNone : new_index[index];
    };
    for (Entry& entry : living) {
      entry.newer = renumber(entry.newer);
      entry.older = renumber(entry.older);
    }
    oldest_ = renumber(oldest_);
    youngest_ = renumber(youngest_);
    entries_ = std::move(living);
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
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_STATE_KEYED_STATE_H_
