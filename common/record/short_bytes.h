// Strings as words of the processor: comparing and hashing the words of a text costs more in
// wrongly predicted branches on their length than in anything else.
#ifndef MILLRACE_COMMON_RECORD_SHORT_BYTES_H_
#define MILLRACE_COMMON_RECORD_SHORT_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace millrace::internal {

// Two words that hold all bytes of a string of up to 16 bytes, some of them twice: two such strings
// of one length are equal when their words are.
struct ShortBytes {
  static constexpr size_t kSizeMax = 16;

  uint64_t first = 0;
  uint64_t second = 0;
};

inline uint64_t LoadHalfWord(const char* p) {
  uint32_t half;
  std::memcpy(&half, p, sizeof half);
  return half;
}
inline void StoreHalfWord(char* p, uint64_t word) {
  const auto half = static_cast<uint32_t>(word);
  std::memcpy(p, &half, sizeof half);
}

// From here to there and back the words' layout depends on the size alone. `bytes` has at most
// kSizeMax; no byte outside of it is read. Sizes from 4 on, nearly all words of a text, share a
// path.
inline ShortBytes LoadShortBytes(std::string_view bytes) {
  const char* const p = bytes.data();
  const size_t size = bytes.size();
  if (size >= 4) [[likely]] {
    const size_t inner = (size >> 3) << 2;  // 0, 4, 8: where the second and third half word stand.
    return {LoadHalfWord(p) << 32 | LoadHalfWord(p + inner),
            LoadHalfWord(p + size - 4) << 32 | LoadHalfWord(p + size - 4 - inner)};
  }
  if (size == 0) return {};
  return {uint64_t{static_cast<uint8_t>(p[0])} << 16 |
              uint64_t{static_cast<uint8_t>(p[size / 2])} << 8 | static_cast<uint8_t>(p[size - 1]),
          0};
}

inline void StoreShortBytes(const ShortBytes& words, size_t size, char* p) {
  if (size >= 4) {
    const size_t inner = (size >> 3) << 2;
    StoreHalfWord(p, words.first >> 32);
    StoreHalfWord(p + inner, words.first);
    StoreHalfWord(p + size - 4 - inner, words.second);
    StoreHalfWord(p + size - 4, words.second >> 32);
  } else if (size > 0) {
    p[0] = static_cast<char>(words.first >> 16);
    p[size / 2] = static_cast<char>(words.first >> 8);
    p[size - 1] = static_cast<char>(words.first);
  }
}

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_RECORD_SHORT_BYTES_H_
