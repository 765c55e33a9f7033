// Where blocks and persisted data sets are kept.
#ifndef MILLRACE_COMMON_RECORD_STORAGE_LEVEL_H_
#define MILLRACE_COMMON_RECORD_STORAGE_LEVEL_H_

#include <cstdint>

namespace millrace {

// Data is always kept encoded. The values are bits and travel in plans: memory 1, disk 2, a second
// copy on another worker 4.
//   kMemoryOnly     over the memory limit it is dropped and recomputed when it is needed again
//   kMemoryAndDisk  over the memory limit it is written to the worker's local directory
enum class StorageLevel : uint8_t {
  kNone = 0,
  kMemoryOnly = 1,
  kDiskOnly = 2,
  kMemoryAndDisk = 3,
  kMemoryOnly2 = 5,
  kDiskOnly2 = 6,
  kMemoryAndDisk2 = 7,
};

constexpr bool UsesMemory(StorageLevel level) { return (static_cast<uint8_t>(level) & 1) != 0; }
constexpr bool UsesDisk(StorageLevel level) { return (static_cast<uint8_t>(level) & 2) != 0; }
constexpr int CopyCount(StorageLevel level) {
  return level == StorageLevel::kNone ? 0 : (static_cast<uint8_t>(level) & 4) != 0 ? 2 : 1;
}
// Bits that came from elsewhere are a level at which something is kept.
constexpr bool IsKeepingLevel(uint32_t bits) { return bits <= 7 && (bits & 3) != 0; }
constexpr StorageLevel WithOneCopy(StorageLevel level) {
  return static_cast<StorageLevel>(static_cast<uint8_t>(level) & 3);
}

}  // namespace millrace

#endif  // MILLRACE_COMMON_RECORD_STORAGE_LEVEL_H_
