// The hash table of every keyed operator: groups in the order in which their keys first came.
#ifndef MILLRACE_EXECUTOR_OPERATOR_COMBINE_TABLE_H_
#define MILLRACE_EXECUTOR_OPERATOR_COMBINE_TABLE_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "common/memory/arena.h"
#include "common/record/owned.h"

namespace millrace::internal {

inline void PrefetchRead(const void* address) { __builtin_prefetch(address, 0, 3); }

// Equality of keys whose hashes are already known to be equal. Short strings are compared by two
// overlapping words: a call of memcmp costs more than the rest of the probe.
template <class K>
bool SameKey(const K& a, const K& b) {
  if constexpr (StringLike<K>) {
    const size_t size = a.size();
    if (size != b.size()) return false;
    const char* p = a.data();
    const char* q = b.data();
    if (size > 16) return std::memcmp(p, q, size) == 0;
    if (size >= 8) {
      uint64_t p_first, q_first, p_last, q_last;
      std::memcpy(&p_first, p, 8);
      std::memcpy(&q_first, q, 8);
      std::memcpy(&p_last, p + size - 8, 8);
      std::memcpy(&q_last, q + size - 8, 8);
      return ((p_first ^ q_first) | (p_last ^ q_last)) == 0;
    }
    if (size >= 4) {
      uint32_t p_first, q_first, p_last, q_last;
      std::memcpy(&p_first, p, 4);
      std::memcpy(&q_first, q, 4);
      std::memcpy(&p_last, p + size - 4, 4);
      std::memcpy(&q_last, q + size - 4, 4);
      return ((p_first ^ q_first) | (p_last ^ q_last)) == 0;
    }
    if (size == 0) return true;
    return p[0] == q[0] && p[size / 2] == q[size / 2] && p[size - 1] == q[size - 1];
  } else {
    return a == b;
  }
}

// A key as the table keeps it: views are copied into the arena, side by side.
template <class K>
K KeepKey(const K& key, Arena& arena) {
  if constexpr (std::is_same_v<K, std::string_view>) {
    return arena.CopyBytes(key);
  } else if constexpr (!kHoldsViews<K>) {
    return key;
  } else if constexpr (kIsPair<K>) {
    return K(KeepKey(key.first, arena), KeepKey(key.second, arena));
  } else if constexpr (kIsTuple<K>) {
    return std::apply([&](const auto&... parts) { return K(KeepKey(parts, arena)...); }, key);
  } else if constexpr (kIsOptional<K>) {
    return key.has_value() ? K(KeepKey(*key, arena)) : K();
  } else if constexpr (kIsVariant<K>) {
    return MapVariant<K>(key, [&](const auto& held) { return KeepKey(held, arena); });
  } else {
    K kept;
    for (const auto& element : key) {
      if constexpr (kIsArray<K>) {
        kept[static_cast<size_t>(&element - key.data())] = KeepKey(element, arena);
      } else if constexpr (MapContainer<K>) {
        kept.emplace(KeepKey(element.first, arena), KeepKey(element.second, arena));
      } else {
        kept.insert(kept.end(), KeepKey(element, arena));
      }
    }
    return kept;
  }
}

// Maps keys to groups of type G. The groups stand densely in insertion order, so frequent keys,
// which come early, share cache lines; beside them a sparse index of 8-byte slots is probed
// linearly. Hashes are the caller's, computed once a record.
template <class K, class G>
class CombineTable {
 public:
  struct Entry {
    uint64_t hash;
    K key;
    G group;
  };

  CombineTable() { Rehash(kMinSlots); }
  CombineTable(const CombineTable&) = delete;
  CombineTable& operator=(const CombineTable&) = delete;

  size_t size() const { return entries_.size(); }
  std::vector<Entry>& entries() { return entries_; }
  size_t memory_bytes() const {
    return slots_size_ * sizeof(uint64_t) + entries_.capacity() * sizeof(Entry) +
           arena_.bytes_reserved();
  }

  // First of two steps that hide the cache misses of a later Find, for some records ahead.
  void PrefetchSlot(uint64_t hash) const { PrefetchRead(&slots_[hash & mask_]); }
  // Second step, once the slot has arrived: the entry that it most likely leads to.
  void PrefetchEntry(uint64_t hash) const {
    const uint64_t slot = slots_[hash & mask_];
    if (slot != 0) PrefetchRead(&entries_[static_cast<uint32_t>(slot) - 1]);
  }

  // The group of `key`, or nullptr.
  G* Find(uint64_t hash, const K& key) {
    for (size_t i = hash & mask_;; i = (i + 1) & mask_) {
      const uint64_t slot = slots_[i];
      if (slot == 0) return nullptr;
      if (Tag(slot) != Tag(hash)) continue;
      Entry& entry = entries_[static_cast<uint32_t>(slot) - 1];
      if (entry.hash == hash && SameKey(entry.key, key)) return &entry.group;
    }
  }

  // The group of `key`; `make()` makes it when the key is new. `is_new` tells.
  template <class Make>
  G& FindOrAdd(uint64_t hash, const K& key, bool& is_new, Make make) {
    size_t i = hash & mask_;
    for (;; i = (i + 1) & mask_) {
      const uint64_t slot = slots_[i];
      if (slot == 0) break;
      if (Tag(slot) != Tag(hash)) continue;
      Entry& entry = entries_[static_cast<uint32_t>(slot) - 1];
      if (entry.hash == hash && SameKey(entry.key, key)) {
        is_new = false;
        return entry.group;
      }
    }
    is_new = true;
    // Made before anything changes: `make` may throw.
    entries_.push_back(Entry{hash, KeepKey(key, arena_), make()});
    slots_[i] = (hash & kTagMask) | entries_.size();
    if (entries_.size() * 2 > slots_size_) Rehash(slots_size_ * 2);
    return entries_.back().group;
  }

  void Clear() {
    entries_.clear();
    arena_.Clear();
    std::memset(slots_.get(), 0, slots_size_ * sizeof(uint64_t));
  }

 private:
  static constexpr size_t kMinSlots = 64;
  // A slot: the upper half of the hash, and one more than the entry's index; 0 when free.
  static constexpr uint64_t kTagMask = 0xffffffff00000000u;
  static uint32_t Tag(uint64_t slot_or_hash) { return static_cast<uint32_t>(slot_or_hash >> 32); }

  void Rehash(size_t slots) {
    slots_.reset(new uint64_t[slots]());
    slots_size_ = slots;
    mask_ = slots - 1;
    for (size_t index = 0; index < entries_.size(); ++index) {
      const uint64_t hash = entries_[index].hash;
      size_t i = hash & mask_;
      while (slots_[i] != 0) i = (i + 1) & mask_;
      slots_[i] = (hash & kTagMask) | (index + 1);
    }
  }

  std::vector<Entry> entries_;
  std::unique_ptr<uint64_t[]> slots_;
  size_t slots_size_ = 0;  // A power of two, at least twice the number of entries.
  size_t mask_ = 0;
  Arena arena_;  // The bytes of keys that are views.
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_COMBINE_TABLE_H_
