// Keys as hash tables keep and compare them.
#ifndef MILLRACE_EXECUTOR_OPERATOR_TABLE_KEY_H_
#define MILLRACE_EXECUTOR_OPERATOR_TABLE_KEY_H_

#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "common/memory/arena.h"
#include "common/record/key_order.h"
#include "common/record/owned.h"
#include "common/record/short_bytes.h"
#include "common/record/stable_hash.h"

namespace millrace::internal {

inline bool SameBytes(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  if (a.size() > ShortBytes::kSizeMax) return std::memcmp(a.data(), b.data(), a.size()) == 0;
  const ShortBytes a_words = LoadShortBytes(a);
  const ShortBytes b_words = LoadShortBytes(b);
  return ((a_words.first ^ b_words.first) | (a_words.second ^ b_words.second)) == 0;
}

template <class K>
bool SameKey(const K& a, const K& b) {
  if constexpr (StringLike<K>) {
    return SameBytes(a, b);
  } else {
    return EqualKeys(a, b);
  }
}

// A key as a table keeps it: views are copied into the arena, side by side.
template <class K>
K KeepKey(const K& key, Arena& arena) {
  return RebuildText<K>(key, [&arena](std::string_view text) { return arena.CopyBytes(text); });
}

// The place of a key in a table slot. One that is made stands for a free slot; it holds a key from
// Put to Clear.
//
// `hash` is the key's StableHash; 0 and 1 count as the same.
template <class K>
class TableKey {
 public:
  // A key that is looked for: made once, compared with some slots.
  class Sought {
   public:
    Sought(uint64_t hash, const K& key) : hash_(hash == 0 ? 1 : hash), key_(key) {}

   private:
    friend class TableKey;
    const uint64_t hash_;
    const K& key_;
  };

  TableKey() {}
  ~TableKey() {}
  TableKey(const TableKey&) = delete;
  TableKey& operator=(const TableKey&) = delete;

  bool free() const { return hash_ == 0; }
  bool Is(const Sought& sought) const {
    return hash_ == sought.hash_ && SameKey(key_, sought.key_);
  }
  void Put(const Sought& sought, Arena& arena) {
    new (&key_) K(KeepKey(sought.key_, arena));
    hash_ = sought.hash_;
  }
  // The other slot is free afterwards.
  void PutFrom(TableKey& other) {
    new (&key_) K(std::move(other.key_));
    hash_ = other.hash_;
    other.Clear();
  }
  void Clear() {
    key_.~K();
    hash_ = 0;
  }

  // Bits of the hash that choose a slot.
  uint64_t place() const { return PlaceOf(hash_); }
  static uint64_t PlaceOf(uint64_t hash) { return hash >> 33; }

  uint64_t hash() const { return hash_; }
  // Its bytes live as long as the arenas do.
  const K& key(Arena& /*arena*/) const { return key_; }

 private:
  uint64_t hash_ = 0;  // 0: free.
  union {
    K key_;
  };
};

// A string of up to 16 bytes stands in the slot itself, so that a probe for a known word reads one
// cache line and branches on no length. A longer one stands in the arena.
template <StringLike K>
class TableKey<K> {
 public:
  class Sought {
   public:
    Sought(uint64_t hash, const K& key)
        : key_(key), meta_((hash >> 32 | 1) << 32 | static_cast<uint32_t>(key.size())) {
      if (key_.size() <= ShortBytes::kSizeMax) [[likely]] {
        words_ = LoadShortBytes(key_);
      } else {
        words_ = {0, hash};
      }
    }

   private:
    friend class TableKey;
    const std::string_view key_;
    const uint64_t meta_;
    ShortBytes words_;
  };

  TableKey() = default;
  TableKey(const TableKey&) = delete;
  TableKey& operator=(const TableKey&) = delete;

  bool free() const { return meta_ == 0; }
  bool Is(const Sought& sought) const {
    if (((meta_ ^ sought.meta_) | (words_.second ^ sought.words_.second)) != 0) return false;
    if (words_.first == sought.words_.first) return true;
    return sought.key_.size() > ShortBytes::kSizeMax &&
           std::memcmp(far_bytes(), sought.key_.data(), sought.key_.size()) == 0;
  }
  void Put(const Sought& sought, Arena& arena) {
    words_ = sought.words_;
    if (sought.key_.size() > ShortBytes::kSizeMax) {
      words_.first = reinterpret_cast<uintptr_t>(arena.CopyBytes(sought.key_).data());
    }
    meta_ = sought.meta_;
  }
  void PutFrom(TableKey& other) {
    words_ = other.words_;
    meta_ = std::exchange(other.meta_, 0);
  }
  void Clear() { meta_ = 0; }

  uint64_t place() const { return meta_ >> 33; }
  static uint64_t PlaceOf(uint64_t hash) { return hash >> 33; }

  uint64_t hash() const {
    if (size() > ShortBytes::kSizeMax) return words_.second;
    char bytes[ShortBytes::kSizeMax];
    StoreShortBytes(words_, bytes);
    return StableHashBytes({bytes, size()});
  }
  K key(Arena& arena) const {
    if (size() > ShortBytes::kSizeMax) return K(std::string_view(far_bytes(), size()));
    char* const bytes = static_cast<char*>(arena.Allocate(ShortBytes::kSizeMax, 1));
    StoreShortBytes(words_, bytes);
    return K(std::string_view(bytes, size()));
  }

 private:
  size_t size() const { return static_cast<uint32_t>(meta_); }
  const char* far_bytes() const {
    return reinterpret_cast<const char*>(static_cast<uintptr_t>(words_.first));
  }

  // Bits 33 to 63 of the hash, a one, and 32 bits of size. 0: free. A record is part of a block,
  // and blocks are far smaller than 4 GiB.
  uint64_t meta_ = 0;
  // Of a long string the address of its copy, and its hash.
  ShortBytes words_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_TABLE_KEY_H_
