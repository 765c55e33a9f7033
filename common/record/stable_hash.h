// Hashes of keys that are the same in every process and release: they decide partitions, travel in
// shuffles and stand in checkpoints. (absl::Hash is salted for each process and can do none of it.)
#ifndef MILLRACE_COMMON_RECORD_STABLE_HASH_H_
#define MILLRACE_COMMON_RECORD_STABLE_HASH_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/record/codec.h"

namespace millrace {

// XXH3 of the bytes, but a shorter path for up to 16 of them.
uint64_t StableHashBytes(std::string_view bytes);

namespace internal {

// Hashes `count` keys that stand `stride` bytes apart, as part of larger records.
void StableHashStrings(const std::string_view* first, size_t stride, size_t count,
                       uint64_t* hashes);
// The same for keys of `size` bytes that are hashed as they lie in memory.
void StableHashFixed(const void* first, size_t size, size_t stride, size_t count, uint64_t* hashes);

}  // namespace internal

// A string is hashed by its bytes, anything else by its canonical encoding; a struct that has
// `uint64_t StableHash() const` is asked. Equal keys have equal hashes: a struct whose == says so
// of members that differ must have a StableHash of its own.
template <class K>
uint64_t StableHash(const K& key) {
  if constexpr (internal::HasStableHash<K>) {
    // Mixed: what a user returns, a number of the key say, need not be spread over all bits.
    const uint64_t hash = key.StableHash();
    return StableHashBytes({reinterpret_cast<const char*>(&hash), sizeof hash});
  } else if constexpr (internal::StringLike<K>) {
    return StableHashBytes(key);
  } else if constexpr (std::is_floating_point_v<K>) {
    const K canonical = internal::CanonicalFloat(key);
    return StableHashBytes({reinterpret_cast<const char*>(&canonical), internal::kScalarBytes<K>});
  } else if constexpr (internal::Scalar<K>) {
    return StableHashBytes({reinterpret_cast<const char*>(&key), sizeof key});
  } else {
    static thread_local internal::Encoder encoder{internal::Encoder::Form::kCanonical};
    // A StableHash of the user's, called below, may come here again.
    struct Rewind {
      size_t size = encoder.size();
      ~Rewind() { encoder.Truncate(size); }
    } const rewind;
    internal::Encode(encoder, key);
    return StableHashBytes(encoder.view().substr(rewind.size));
  }
}

namespace internal {

// Hashes the keys of `count` records that stand `stride` bytes apart.
template <class K>
void StableHashKeys(const K* first, size_t stride, size_t count, uint64_t* hashes) {
  if constexpr (std::is_same_v<K, std::string_view>) {
    StableHashStrings(first, stride, count, hashes);
  } else if constexpr (Scalar<K> && !std::is_floating_point_v<K>) {
    StableHashFixed(first, sizeof(K), stride, count, hashes);
  } else {
    const char* p = reinterpret_cast<const char*>(first);
    for (size_t i = 0; i < count; ++i, p += stride) {
      hashes[i] = StableHash(*reinterpret_cast<const K*>(p));
    }
  }
}

}  // namespace internal
}  // namespace millrace

#endif  // MILLRACE_COMMON_RECORD_STABLE_HASH_H_
