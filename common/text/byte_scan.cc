#include "common/text/byte_scan.h"

#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace millrace::internal {
namespace {

// Each backend has `Block`: the mask of 64 bytes that are a or b, and `Short`, the same of fewer.

// Bytes behind the end must not be read, so they are made up.
template <class Backend>
uint64_t CopiedShort(const char* p, size_t size, char a, char b) {
  char block[kScanBlockBytes] = {};
  std::memcpy(block, p, size);
  return Backend::Block(block, a, b) & ((uint64_t{1} << size) - 1);
}

#if defined(__x86_64__)

struct Sse2 {
  static uint64_t Quarter(const char* p, __m128i a, __m128i b) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return static_cast<uint32_t>(
        _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(bytes, a), _mm_cmpeq_epi8(bytes, b))));
  }
  static uint64_t Half(const char* p, __m128i a, __m128i b) {
    return Quarter(p, a, b) | Quarter(p + 16, a, b) << 16;
  }
  static uint64_t Block(const char* p, char a, char b) {
    const __m128i va = _mm_set1_epi8(a);
    const __m128i vb = _mm_set1_epi8(b);
    return Half(p, va, vb) | Half(p + 32, va, vb) << 32;
  }
  // The first bytes and the last bytes; what lies between is looked at twice.
  static uint64_t Short(const char* p, size_t size, char a, char b) {
    const __m128i va = _mm_set1_epi8(a);
    const __m128i vb = _mm_set1_epi8(b);
    if (size >= 32) return Half(p, va, vb) | Half(p + size - 32, va, vb) << (size - 32);
    if (size >= 16) return Quarter(p, va, vb) | Quarter(p + size - 16, va, vb) << (size - 16);
    char quarter[16] = {};
    std::memcpy(quarter, p, size);
    return Quarter(quarter, va, vb) & ((uint64_t{1} << size) - 1);
  }
};
using Baseline = Sse2;

__attribute__((target("avx2"))) inline uint64_t BlockAvx2(const char* p, char a, char b) {
  const __m256i va = _mm256_set1_epi8(a);
  const __m256i vb = _mm256_set1_epi8(b);
  const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32));
  const auto low_mask = static_cast<uint32_t>(_mm256_movemask_epi8(
      _mm256_or_si256(_mm256_cmpeq_epi8(low, va), _mm256_cmpeq_epi8(low, vb))));
  const auto high_mask = static_cast<uint32_t>(_mm256_movemask_epi8(
      _mm256_or_si256(_mm256_cmpeq_epi8(high, va), _mm256_cmpeq_epi8(high, vb))));
  return uint64_t{high_mask} << 32 | low_mask;
}

#elif defined(__aarch64__)

struct Neon {
  static uint64_t Block(const char* p, char a, char b) {
    const uint8x16_t va = vdupq_n_u8(static_cast<uint8_t>(a));
    const uint8x16_t vb = vdupq_n_u8(static_cast<uint8_t>(b));
    const uint8x16_t bits = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t part[4];
    for (int i = 0; i < 4; ++i) {
      const uint8x16_t bytes = vld1q_u8(reinterpret_cast<const uint8_t*>(p) + 16 * i);
      part[i] = vandq_u8(vorrq_u8(vceqq_u8(bytes, va), vceqq_u8(bytes, vb)), bits);
    }
    // Three rounds of pairwise sums gather the bits of 64 lanes into 8 bytes.
    const uint8x16_t sum = vpaddq_u8(vpaddq_u8(part[0], part[1]), vpaddq_u8(part[2], part[3]));
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sum, sum)), 0);
  }
  static uint64_t Short(const char* p, size_t size, char a, char b) {
    return CopiedShort<Neon>(p, size, a, b);
  }
};
using Baseline = Neon;

#else

struct Portable {
  static uint64_t Block(const char* p, char a, char b) {
    uint64_t mask = 0;
    for (size_t i = 0; i < kScanBlockBytes; ++i) mask |= uint64_t{p[i] == a || p[i] == b} << i;
    return mask;
  }
  static uint64_t Short(const char* p, size_t size, char a, char b) {
    return CopiedShort<Portable>(p, size, a, b);
  }
};
using Baseline = Portable;

#endif

using MatchFunction = void (*)(const char* data, size_t size, char a, char b, uint64_t* masks);

// The last block, when it is not full, is matched with bytes before it that were matched already.
void MatchBaseline(const char* data, size_t size, char a, char b, uint64_t* masks) {
  const size_t rest = size % kScanBlockBytes;
  if (size < kScanBlockBytes) {
    if (size != 0) *masks = Baseline::Short(data, size, a, b);
    return;
  }
  const char* const end = data + size;
  for (; data != end - rest; data += kScanBlockBytes) *masks++ = Baseline::Block(data, a, b);
  if (rest != 0) *masks = Baseline::Block(end - kScanBlockBytes, a, b) >> (kScanBlockBytes - rest);
}

#if defined(__x86_64__)
// The same loop once more: only inside a function with the attribute do its instructions inline.
__attribute__((target("avx2"))) void MatchAvx2(const char* data, size_t size, char a, char b,
                                               uint64_t* masks) {
  const size_t rest = size % kScanBlockBytes;
  if (size < kScanBlockBytes) {
    if (size != 0) *masks = Sse2::Short(data, size, a, b);
    return;
  }
  const char* const end = data + size;
  for (; data != end - rest; data += kScanBlockBytes) *masks++ = BlockAvx2(data, a, b);
  if (rest != 0) *masks = BlockAvx2(end - kScanBlockBytes, a, b) >> (kScanBlockBytes - rest);
}
#endif

MatchFunction ChooseMatch() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return MatchAvx2;
#endif
  return MatchBaseline;
}

const MatchFunction kMatch = ChooseMatch();

bool ContainsBaseline(std::string_view haystack, std::string_view needle) {
  return memmem(haystack.data(), haystack.size(), needle.data(), needle.size()) != nullptr;
}

#if defined(__x86_64__)
// Candidates are places where the needle's first and last byte stand at the right distance
// (W. Mula, "SIMD-friendly algorithms for substring searching").
__attribute__((target("avx2"))) bool ContainsAvx2(std::string_view haystack,
                                                  std::string_view needle) {
  const size_t last = needle.size() - 1;
  const __m256i first_byte = _mm256_set1_epi8(needle[0]);
  const __m256i last_byte = _mm256_set1_epi8(needle[last]);
  const char* p = haystack.data();
  const char* const end = p + haystack.size();
  for (; static_cast<size_t>(end - p) >= last + 32; p += 32) {
    const __m256i firsts = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i lasts = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + last));
    auto mask = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_and_si256(
        _mm256_cmpeq_epi8(firsts, first_byte), _mm256_cmpeq_epi8(lasts, last_byte))));
    for (; mask != 0; mask &= mask - 1) {
      if (std::memcmp(p + std::countr_zero(mask), needle.data(), needle.size()) == 0) return true;
    }
  }
  const std::string_view rest(p, static_cast<size_t>(end - p));
  if (haystack.size() < last + 32) return ContainsBaseline(rest, needle);
  // One more round over the last full width; it may look at some places again.
  if (rest.size() < needle.size()) return false;
  const char* const tail = end - last - 32;
  const __m256i firsts = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tail));
  const __m256i lasts = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tail + last));
  auto mask = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_and_si256(
      _mm256_cmpeq_epi8(firsts, first_byte), _mm256_cmpeq_epi8(lasts, last_byte))));
  for (; mask != 0; mask &= mask - 1) {
    if (std::memcmp(tail + std::countr_zero(mask), needle.data(), needle.size()) == 0) return true;
  }
  return false;
}
const bool kHasAvx2 = __builtin_cpu_supports("avx2") != 0;
#endif

}  // namespace

void MatchEither(const char* data, size_t size, char first, char second, uint64_t* masks) {
  kMatch(data, size, first, second, masks);
}

void MatchByte(const char* data, size_t size, char byte, uint64_t* masks) {
  kMatch(data, size, byte, byte, masks);
}

bool ContainsBytes(std::string_view haystack, std::string_view needle) {
  if (needle.size() > haystack.size()) return false;
  if (needle.empty()) return true;
#if defined(__x86_64__)
  if (kHasAvx2) return ContainsAvx2(haystack, needle);
#endif
  return ContainsBaseline(haystack, needle);
}

size_t CountByte(std::string_view data, char byte) {
  constexpr size_t kBlocks = 32;
  uint64_t masks[kBlocks];
  size_t count = 0;
  while (!data.empty()) {
    const size_t size =
        data.size() < kBlocks * kScanBlockBytes ? data.size() : kBlocks * kScanBlockBytes;
    MatchByte(data.data(), size, byte, masks);
    for (size_t i = 0; i < ScanBlockCount(size); ++i) {
      count += static_cast<size_t>(std::popcount(masks[i]));
    }
    data.remove_prefix(size);
  }
  return count;
}

}  // namespace millrace::internal
