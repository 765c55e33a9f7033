#include "common/record/stable_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace millrace {

uint64_t StableHashBytes(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

namespace internal {
namespace {

// A constant size lets the compiler drop XXH3's choice by length.
template <size_t size>
void HashFixed(const char* p, size_t stride, size_t count, uint64_t* hashes) {
  for (size_t i = 0; i < count; ++i, p += stride) hashes[i] = XXH3_64bits(p, size);
}

}  // namespace

void StableHashStrings(const std::string_view* first, size_t stride, size_t count,
                       uint64_t* hashes) {
  const char* p = reinterpret_cast<const char*>(first);
  for (size_t i = 0; i < count; ++i, p += stride) {
    const auto& key = *reinterpret_cast<const std::string_view*>(p);
    hashes[i] = XXH3_64bits(key.data(), key.size());
  }
}

void StableHashFixed(const void* first, size_t size, size_t stride, size_t count,
                     uint64_t* hashes) {
  const char* p = static_cast<const char*>(first);
  switch (size) {
    case 4:
      return HashFixed<4>(p, stride, count, hashes);
    case 8:
      return HashFixed<8>(p, stride, count, hashes);
    default:
      for (size_t i = 0; i < count; ++i, p += stride) hashes[i] = XXH3_64bits(p, size);
  }
}

}  // namespace internal
}  // namespace millrace
