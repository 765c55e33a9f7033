// Finding delimiters and words in text, 64 bytes at a time.
//
// The widest vector instructions that the processor has are chosen at run time; what is built runs
// on any x86-64 and on arm64.
#ifndef MILLRACE_COMMON_TEXT_BYTE_SCAN_H_
#define MILLRACE_COMMON_TEXT_BYTE_SCAN_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace millrace::internal {

inline constexpr size_t kScanBlockBytes = 64;
constexpr size_t ScanBlockCount(size_t size) {
  return (size + kScanBlockBytes - 1) / kScanBlockBytes;
}

// Bit i of masks[b] is set where data[64 * b + i] is `byte`. Writes ScanBlockCount(size) masks;
// bits behind the end are clear. Reads no byte outside the data.
void MatchByte(const char* data, size_t size, char byte, uint64_t* masks);

// The same for either of two bytes.
void MatchEither(const char* data, size_t size, char first, char second, uint64_t* masks);

// Whether `needle` occurs in `haystack`; an empty needle always does.
bool ContainsBytes(std::string_view haystack, std::string_view needle);

// How often `byte` occurs.
size_t CountByte(std::string_view data, char byte);

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_TEXT_BYTE_SCAN_H_
