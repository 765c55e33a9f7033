// The side of a join that is kept while the other passes by.
#ifndef MILLRACE_EXECUTOR_OPERATOR_JOIN_TABLE_H_
#define MILLRACE_EXECUTOR_OPERATOR_JOIN_TABLE_H_

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "common/memory/large_memory.h"
#include "executor/operator/combine_table.h"
#include "executor/operator/table_key.h"

namespace millrace::internal {

// Records by key; those of one key in the order in which they were added. Filled, then built, then
// looked up: so the table is made once, of the right size, and its slots are record numbers alone,
// which stay in the caches where slots that hold records would not.
//
//   heads:   | 3 | - | 0 | - |       the first record of each slot
//   records: | 0: next 2 | 1: - | 2: - | 3: next 1 |
//
// Keys and values are kept as they are: what they view must live as long as the table.
template <class K, class V>
class JoinTable {
 public:
  static constexpr size_t kRecordsMax = std::numeric_limits<uint32_t>::max();

  struct Record {
    uint64_t hash;
    K key;
    V value;
    uint32_t next;
    bool is_matched;  // Its key was found.
  };

  size_t size() const { return size_; }

  // At most kRecordsMax of them.
  void Add(uint64_t hash, K&& key, V&& value) {
    if (pages_.empty() || pages_.back().size() == kPageRecords) {
      pages_.emplace_back();
      pages_.back().reserve(kPageRecords);
    }
    pages_.back().push_back(Record{hash, std::move(key), std::move(value), kEnd, false});
    ++size_;
  }

  // No record is added afterwards.
  void Build() {
    const size_t slots = std::bit_ceil(std::max<size_t>(size_, 1));
    mask_ = slots - 1;
    heads_.assign(slots, kEnd);
    // From behind, so that each key's chain begins with its first record.
    for (size_t i = size_; i-- > 0;) {
      if (i >= kAhead) __builtin_prefetch(&heads_[SlotOf(At(i - kAhead).hash)], 1, 3);
      Record& record = At(i);
      uint32_t& head = heads_[SlotOf(record.hash)];
      record.next = std::exchange(head, static_cast<uint32_t>(i));
    }
  }

  // Looks `count` keys up: calls `found(i, record)` for each record with the hash and key of
  // `hash_of(i)` and `key_of(i)`, and `missing(i)` for a key without records. Ends with false when
  // one of them returns false.
  template <class HashOf, class KeyOf, class Found, class Missing>
  bool ForEachMatch(size_t count, HashOf hash_of, KeyOf key_of, Found found, Missing missing) {
    // The caches are asked for all of a group before the first of it is looked at.
    constexpr size_t kGroup = 64;
    uint32_t heads[kGroup];
    for (size_t start = 0; start < count; start += kGroup) {
      const size_t group = std::min(count - start, kGroup);
      for (size_t i = 0; i < group; ++i) PrefetchRead(&heads_[SlotOf(hash_of(start + i))]);
      for (size_t i = 0; i < group; ++i) {
        heads[i] = heads_[SlotOf(hash_of(start + i))];
        if (heads[i] != kEnd) PrefetchRead(&At(heads[i]));
      }
      for (size_t i = 0; i < group; ++i) {
        bool is_there = false;
        for (uint32_t next = heads[i]; next != kEnd;) {
          Record& record = At(next);
          next = record.next;
          if (record.hash != hash_of(start + i) || !SameKey(record.key, key_of(start + i))) {
            continue;
          }
          is_there = true;
          if (!found(start + i, record)) return false;
        }
        if (!is_there && !missing(start + i)) return false;
      }
    }
    return true;
  }

  // In the order in which they were added, until `f(record)` returns false; false then.
  template <class F>
  bool ForEach(F f) {
    for (std::vector<Record>& page : pages_) {
      for (Record& record : page) {
        if (!f(record)) return false;
      }
    }
    return true;
  }

 private:
  static constexpr uint32_t kEnd = std::numeric_limits<uint32_t>::max();
  static constexpr size_t kAhead = 16;
  static constexpr size_t kPageBits = 10;
  static constexpr size_t kPageRecords = size_t{1} << kPageBits;

  Record& At(size_t i) { return pages_[i >> kPageBits][i & (kPageRecords - 1)]; }
  // The top bits of the hash have chosen the partition.
  size_t SlotOf(uint64_t hash) const { return (hash >> 33) & mask_; }

  std::vector<std::vector<Record>> pages_;  // Full but for the last.
  LargeVector<uint32_t> heads_;             // A power of two.
  size_t mask_ = 0;
  size_t size_ = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_JOIN_TABLE_H_
