#include "common/memory/large_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <iterator>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace millrace::internal {
namespace {

constexpr std::align_val_t kAlign{kLargeMemoryAlign};

// Sanitizers see what comes from `new` alone.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kUsesHugePages = false;
#else
constexpr bool kUsesHugePages = true;
#endif
constexpr size_t kHugePageBytes = size_t{2} << 20;

// What is kept of freed memory, in all.
constexpr size_t kKeptBytesMax = size_t{128} << 20;

bool IsHuge(size_t bytes) { return kUsesHugePages && bytes >= kHugePageBytes; }

// In whole huge pages.
size_t Rounded(size_t bytes) { return (bytes + kHugePageBytes - 1) & ~(kHugePageBytes - 1); }

// `bytes`, in whole huge pages, from the kernel.
void* Map(size_t bytes) {
  // One page more than is needed has an aligned part of the right size; its ends are given back.
  void* const mapped = mmap(nullptr, bytes + kHugePageBytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, /*fd=*/-1, /*offset=*/0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  char* const begin = static_cast<char*>(mapped);
  const size_t head =
      Rounded(reinterpret_cast<uintptr_t>(begin)) - reinterpret_cast<uintptr_t>(begin);
  if (head > 0) munmap(begin, head);
  munmap(begin + head + bytes, kHugePageBytes - head);
  madvise(begin + head, bytes, MADV_HUGEPAGE);  // Without huge pages small ones will do.
  return begin + head;
}

// Batches are alike: what one frees the next one wants again, of the same sizes. Taking it from the
// kernel each time costs clearing it. Threads: any.
class KeptMemory {
 public:
  static KeptMemory& Get() {
    static auto& kept = *new KeptMemory;
    return kept;
  }

  // Of exactly so many bytes; null when there is none.
  void* Take(size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    const auto last = std::find_if(pieces_.rbegin(), pieces_.rend(),
                                   [bytes](const Piece& piece) { return piece.bytes == bytes; });
    if (last == pieces_.rend()) return nullptr;
    void* const memory = last->memory;
    kept_bytes_ -= bytes;
    pieces_.erase(std::next(last).base());
    return memory;
  }
  // The oldest go where it is too much.
  void Keep(void* memory, size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    pieces_.push_back({memory, bytes});
    kept_bytes_ += bytes;
    while (kept_bytes_ > kKeptBytesMax) {
      munmap(pieces_.front().memory, pieces_.front().bytes);
      kept_bytes_ -= pieces_.front().bytes;
      pieces_.pop_front();
    }
  }

 private:
  struct Piece {
    void* memory;
    size_t bytes;
  };

  absl::Mutex mutex_;
  std::deque<Piece> pieces_ ABSL_GUARDED_BY(mutex_);  // By the time when they were freed.
  size_t kept_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

void* AllocateLarge(size_t bytes) {
  if (!IsHuge(bytes)) return ::operator new(bytes, kAlign);
  const size_t rounded = Rounded(bytes);
  if (rounded < bytes || rounded + kHugePageBytes < rounded) throw std::bad_alloc();
  void* const kept = KeptMemory::Get().Take(rounded);
  return kept != nullptr ? kept : Map(rounded);
}

size_t LargeMemoryBytes(size_t bytes) { return IsHuge(bytes) ? Rounded(bytes) : bytes; }

void FreeLarge(void* memory, size_t bytes) {
  if (memory == nullptr) return;
  if (IsHuge(bytes)) {
    KeptMemory::Get().Keep(memory, Rounded(bytes));
  } else {
    ::operator delete(memory, kAlign);
  }
}

}  // namespace millrace::internal
