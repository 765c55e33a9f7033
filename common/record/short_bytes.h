// Strings as words of the processor: comparing and hashing the words of a text costs more in
// wrongly predicted branches on their length than in anything else.
#ifndef MILLRACE_COMMON_RECORD_SHORT_BYTES_H_
#define MILLRACE_COMMON_RECORD_SHORT_BYTES_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace millrace::internal {

static_assert(std::endian::native == std::endian::little, "encodings are little-endian");

// The bytes of a string of up to 16, the first one lowest, and zeros behind them: two such strings
// of one length are equal when their words are.
struct ShortBytes {
  static constexpr size_t kSizeMax = 16;

  uint64_t first = 0;
  uint64_t second = 0;
};

inline uint64_t LoadWord(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

// Bits that the first `size` bytes of a word take up, `size` at most 8.
inline constexpr uint64_t kBytesMask[] = {
    0,
    0xff,
    0xffff,
    0xff'ffff,
    0xffff'ffff,
    0xff'ffff'ffff,
    0xffff'ffff'ffff,
    0xff'ffff'ffff'ffff,
    0xffff'ffff'ffff'ffff,
};

// Reads no byte outside of `bytes`.
inline ShortBytes CopyShortBytes(std::string_view bytes) {
  char words[ShortBytes::kSizeMax] = {};
  if (!bytes.empty()) std::memcpy(words, bytes.data(), bytes.size());
  return {LoadWord(words), LoadWord(words + 8)};
}

// `bytes` has at most kSizeMax. Without a branch on its size: 16 bytes are read wherever they lie
// in one page of memory, and those behind the string are masked out. (A sanitizer would object, so
// its builds copy.)
inline ShortBytes LoadShortBytes(std::string_view bytes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return CopyShortBytes(bytes);
#else
  constexpr uintptr_t kPageBytes = 4096;  // The least that any machine has.
  const size_t size = bytes.size();
  const char* const p = bytes.data();
  const bool is_within_page =
      (reinterpret_cast<uintptr_t>(p) & (kPageBytes - 1)) <= kPageBytes - ShortBytes::kSizeMax;
  if (size == 0 || !is_within_page) [[unlikely]] {
    return CopyShortBytes(bytes);
  }
  const size_t in_first = size < 8 ? size : 8;
  return {LoadWord(p) & kBytesMask[in_first], LoadWord(p + 8) & kBytesMask[size - in_first]};
#endif
}

// The opposite; writes kSizeMax bytes.
inline void StoreShortBytes(const ShortBytes& words, char* p) {
  std::memcpy(p, &words.first, sizeof words.first);
  std::memcpy(p + 8, &words.second, sizeof words.second);
}

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_RECORD_SHORT_BYTES_H_
