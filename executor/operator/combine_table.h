// The hash table of every keyed operator.
#ifndef MILLRACE_EXECUTOR_OPERATOR_COMBINE_TABLE_H_
#define MILLRACE_EXECUTOR_OPERATOR_COMBINE_TABLE_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "common/memory/arena.h"
#include "common/memory/large_memory.h"
#include "executor/operator/table_key.h"

namespace millrace::internal {

inline void PrefetchRead(const void* address) { __builtin_prefetch(address, 0, 3); }

// Maps keys to groups of type G. Open addressing with linear probes, keys and groups in the slots:
// most probes for a known key touch one cache line, which the caller prefetches some records ahead.
// (Groups apart from the slots, in order of arrival, cost a second miss in the caches and in the
// TLB: twice the time on a vocabulary of 100,000 words.) Hashes are the caller's, computed once a
// record. The order of the keys follows from the keys and the order in which they came.
template <class K, class G>
class CombineTable {
 public:
  CombineTable() : CombineTable(kMinSlots) {}
  ~CombineTable() { DestroyGroups(); }
  CombineTable(const CombineTable&) = delete;
  CombineTable& operator=(const CombineTable&) = delete;

  size_t size() const { return size_; }
  size_t memory_bytes() const { return (mask_ + 1) * sizeof(Slot) + arena_.bytes_reserved(); }

  // Hides the cache miss of a later Find.
  void Prefetch(uint64_t hash) const {
    const Slot* const slot = &slots_[TableKey<K>::PlaceOf(hash) & mask_];
    PrefetchRead(slot);
    if constexpr (kLineBytes % sizeof(Slot) != 0) {
      PrefetchRead(reinterpret_cast<const char*>(slot) + std::min(sizeof(Slot), kLineBytes) - 1);
    }
  }

  // The group of `key`, or nullptr.
  G* Find(uint64_t hash, const K& key) {
    const typename TableKey<K>::Sought sought(hash, key);
    for (size_t i = TableKey<K>::PlaceOf(hash) & mask_;; i = (i + 1) & mask_) {
      Slot& slot = slots_[i];
      if (slot.key.Is(sought)) return &slot.group;
      if (slot.key.free()) return nullptr;
    }
  }

  // The group of `key`; `make()` makes it when the key is new. `is_new` tells. The reference holds
  // until the next call.
  template <class Make>
  G& FindOrAdd(uint64_t hash, const K& key, bool& is_new, Make make) {
    const typename TableKey<K>::Sought sought(hash, key);
    size_t i = TableKey<K>::PlaceOf(hash) & mask_;
    for (;; i = (i + 1) & mask_) {
      Slot& slot = slots_[i];
      if (slot.key.Is(sought)) [[likely]] {
        is_new = false;
        return slot.group;
      }
      if (slot.key.free()) break;
    }
    is_new = true;
    if (size_ >= size_max_) {
      Grow();
      i = FreeSlot(TableKey<K>::PlaceOf(hash));
    }
    // What throws here leaves the slot free.
    G made = make();
    Slot& slot = slots_[i];
    slot.key.Put(sought, arena_);
    new (&slot.group) G(std::move(made));
    ++size_;
    return slot.group;
  }

  // Calls f(hash, key, group) for each key until it returns false; false then. The bytes of keys
  // that are views live as long as the table, or until it is cleared.
  template <class F>
  bool ForEach(F f) {
    for (size_t i = 0; i <= mask_; ++i) {
      Slot& slot = slots_[i];
      if (slot.key.free()) continue;
      if (!f(slot.key.hash(), slot.key.key(arena_), slot.group)) return false;
    }
    return true;
  }

  // Gives back the memory too.
  void Clear() {
    DestroyGroups();
    slots_ = LargeArray<Slot>();
    arena_.Clear();
    SetSlots(kMinSlots);
    size_ = 0;
  }

 private:
  static constexpr size_t kMinSlots = 32;
  static constexpr size_t kLineBytes = 64;

  struct Slot {
    Slot() {}
    ~Slot() {}

    TableKey<K> key;
    union {
      G group;
    };
  };
  explicit CombineTable(size_t slots) { SetSlots(slots); }

  void SetSlots(size_t count) {
    slots_ = LargeArray<Slot>(count);
    mask_ = count - 1;
    size_max_ = count / 8 * 5;
  }

  size_t FreeSlot(uint64_t place) const {
    size_t i = place & mask_;
    while (!slots_[i].key.free()) i = (i + 1) & mask_;
    return i;
  }

  void Grow() {
    const size_t old_count = mask_ + 1;
    LargeArray<Slot> old = std::move(slots_);
    SetSlots(old_count * 2);
    for (size_t i = 0; i < old_count; ++i) {
      Slot& from = old[i];
      if (from.key.free()) continue;
      Slot& to = slots_[FreeSlot(from.key.place())];
      new (&to.group) G(std::move(from.group));
      from.group.~G();
      to.key.PutFrom(from.key);
    }
  }

  void DestroyGroups() {
    if constexpr (std::is_trivially_destructible_v<G> &&
                  (StringLike<K> || std::is_trivially_destructible_v<K>)) {
      return;
    }
    for (size_t i = 0; i <= mask_; ++i) {
      if (slots_[i].key.free()) continue;
      slots_[i].key.Clear();
      slots_[i].group.~G();
    }
  }

  LargeArray<Slot> slots_;  // A power of two, more than a third of it free.
  size_t mask_ = 0;
  size_t size_ = 0;
  size_t size_max_ = 0;  // Before the next growth.
  Arena arena_;          // The bytes of keys that are views.
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_COMBINE_TABLE_H_
