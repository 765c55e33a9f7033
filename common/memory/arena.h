// Memory that is taken in small pieces and given back all at once.
#ifndef MILLRACE_COMMON_MEMORY_ARENA_H_
#define MILLRACE_COMMON_MEMORY_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace millrace {

// A bump allocator over blocks that double in size, from 4 KiB up to 1 MiB. A task copies into its
// arena what must outlive the chunk it came with; keyed tables keep their keys in one.
// Nothing is destroyed: put only trivially destructible things here.
//
// Threads: one at a time. Moving an arena leaves what was allocated where it is.
class Arena {
 public:
  Arena() = default;
  Arena(Arena&& other) noexcept { *this = std::move(other); }
  Arena& operator=(Arena&& other) noexcept;

  // `size` bytes, uninitialised, at a multiple of `align` (a power of two); null only for 0 bytes.
  void* Allocate(size_t size, size_t align = alignof(std::max_align_t)) {
    const uintptr_t start = (next_ + align - 1) & ~(uintptr_t{align} - 1);
    // The subtraction cannot wrap where the sum `start + size` could.
    if (start <= end_ && size <= end_ - start) [[likely]] {
      bytes_used_ += size + (start - next_);
      next_ = start + size;
      return reinterpret_cast<void*>(start);
    }
    return AllocateSlow(size, align);
  }

  std::string_view CopyBytes(std::string_view bytes) {
    if (bytes.empty()) return {};
    char* copy = static_cast<char*>(Allocate(bytes.size(), 1));
    std::memcpy(copy, bytes.data(), bytes.size());
    return {copy, bytes.size()};
  }

  // What was allocated since the last Clear, with what alignment cost.
  size_t bytes_used() const { return bytes_used_; }
  // What is taken from the heap.
  size_t bytes_reserved() const { return bytes_reserved_; }

  // Forgets everything but the largest block, so that a loop of equal rounds stops allocating.
  void Clear();

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    size_t size = 0;
  };

  void* AllocateSlow(size_t size, size_t align);
  char* AddBlock(size_t size);
  void UseBlock(const Block& block);

  // The free part of the current block. Both 0 before the first.
  uintptr_t next_ = 0;
  uintptr_t end_ = 0;
  size_t bytes_used_ = 0;
  size_t bytes_reserved_ = 0;
  size_t next_block_bytes_ = 0;  // 0 until the first block.
  std::vector<Block> blocks_;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_MEMORY_ARENA_H_
