#include "common/record/stable_hash.h"

#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/record/short_bytes.h"

namespace millrace {

namespace internal {
namespace {

uint64_t FoldedProduct(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// Two rounds of multiply and fold over the string's words, as wyhash does for short strings: XXH3
// branches on 1 to 3, 4 to 8 and 9 to 16 bytes, and words of a text come in all lengths.
uint64_t HashWords(const ShortBytes& words, size_t size) {
  constexpr uint64_t kFirstSecret = 0xa0761d6478bd642fu;
  constexpr uint64_t kSecondSecret = 0xe7037ed1a0b428dbu;
  return FoldedProduct(kSecondSecret ^ size,
                       FoldedProduct(words.first ^ kSecondSecret, words.second ^ kFirstSecret));
}

uint64_t HashString(std::string_view bytes) {
  if (bytes.size() > ShortBytes::kSizeMax) return XXH3_64bits(bytes.data(), bytes.size());
  return HashWords(LoadShortBytes(bytes), bytes.size());
}

// Of numbers.
template <class Word>
void HashFixed(const char* p, size_t stride, size_t count, uint64_t* hashes) {
  for (size_t i = 0; i < count; ++i, p += stride) {
    Word word;
    std::memcpy(&word, p, sizeof word);
    hashes[i] = HashWords({word, 0}, sizeof word);
  }
}

}  // namespace

void StableHashStrings(const std::string_view* first, size_t stride, size_t count,
                       uint64_t* hashes) {
  const char* p = reinterpret_cast<const char*>(first);
  for (size_t i = 0; i < count; ++i, p += stride) {
    const auto& key = *reinterpret_cast<const std::string_view*>(p);
    hashes[i] = HashString(key);
  }
}

void StableHashFixed(const void* first, size_t size, size_t stride, size_t count,
                     uint64_t* hashes) {
  const char* p = static_cast<const char*>(first);
  switch (size) {
    case 4:
      return HashFixed<uint32_t>(p, stride, count, hashes);
    case 8:
      return HashFixed<uint64_t>(p, stride, count, hashes);
    default:
      for (size_t i = 0; i < count; ++i, p += stride) hashes[i] = HashString({p, size});
  }
}

}  // namespace internal

uint64_t StableHashBytes(std::string_view bytes) { return internal::HashString(bytes); }

}  // namespace millrace
