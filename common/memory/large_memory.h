// Memory for arrays that may be large: tables, buffers, what is sorted.
#ifndef MILLRACE_COMMON_MEMORY_LARGE_MEMORY_H_
#define MILLRACE_COMMON_MEMORY_LARGE_MEMORY_H_

#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace millrace::internal {

// Of a cache line.
inline constexpr size_t kLargeMemoryAlign = 64;

// `bytes` of memory, uninitialised, aligned to a cache line. From 2 MiB on it lies on huge pages
// where the kernel has some: a table of many megabytes is looked up at random, and with pages of
// 4 KiB each look-up misses the TLB as well as the caches; filling them for the first time costs
// hundreds of faults less. What is freed is kept for the next of the same size, up to 128 MiB a
// process. Any thread. Never null: running out of memory is std::bad_alloc, as for `new`.
void* AllocateLarge(size_t bytes);
// How many bytes AllocateLarge really gives for so many: whole huge pages, if any.
size_t LargeMemoryBytes(size_t bytes);
// Gives back what AllocateLarge gave for as many bytes; null is fine.
void FreeLarge(void* memory, size_t bytes);

// For standard containers. Stateless: any of them frees what another allocated.
template <class T>
class LargeAllocator {
 public:
  using value_type = T;

  LargeAllocator() = default;
  template <class U>
  LargeAllocator(const LargeAllocator<U>& /*other*/) {}  // NOLINT(google-explicit-constructor)

  T* allocate(size_t count) {
    if (count > std::numeric_limits<size_t>::max() / sizeof(T)) throw std::bad_array_new_length();
    if constexpr (kIsOverAligned) {
      return static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{alignof(T)}));
    } else {
      return static_cast<T*>(AllocateLarge(count * sizeof(T)));
    }
  }
  void deallocate(T* memory, size_t count) {
    if constexpr (kIsOverAligned) {
      ::operator delete (memory, std::align_val_t{alignof(T)});
    } else {
      FreeLarge(memory, count * sizeof(T));
    }
  }

  friend bool operator==(const LargeAllocator&, const LargeAllocator&) { return true; }

 private:
  static constexpr bool kIsOverAligned = alignof(T) > kLargeMemoryAlign;
};

template <class T>
using LargeVector = std::vector<T, LargeAllocator<T>>;

// A fixed number of T, default-initialised: numbers are not set. Unlike a vector also of bools.
template <class T>
class LargeArray {
 public:
  LargeArray() = default;
  explicit LargeArray(size_t size) : data_(LargeAllocator<T>().allocate(size)), size_(size) {
    try {
      std::uninitialized_default_construct_n(data_, size);
    } catch (...) {  // The user's type; the destructor does not run.
      LargeAllocator<T>().deallocate(data_, size);
      throw;
    }
  }
  LargeArray(LargeArray&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  LargeArray& operator=(LargeArray&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~LargeArray() {
    if (data_ == nullptr) return;
    std::destroy_n(data_, size_);
    LargeAllocator<T>().deallocate(data_, size_);
  }

  size_t size() const { return size_; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_MEMORY_LARGE_MEMORY_H_
