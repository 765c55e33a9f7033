// Bytes that many hold and nobody copies: received blocks, shuffle buckets, cached partitions.
#ifndef MILLRACE_COMMON_MEMORY_BUFFER_H_
#define MILLRACE_COMMON_MEMORY_BUFFER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace millrace {

namespace internal {

// The head of a piece of memory that lives until its last reference goes.
struct SharedMemory {
  std::atomic<uint32_t> references{1};
  void (*const destroy)(SharedMemory*);
};

// An intrusive reference: one word, unlike std::shared_ptr, because buffers are stored by the
// million.
class SharedMemoryRef {
 public:
  SharedMemoryRef() = default;
  explicit SharedMemoryRef(SharedMemory* adopted) : memory_(adopted) {}
  SharedMemoryRef(const SharedMemoryRef& other) : memory_(other.memory_) {
    if (memory_ != nullptr) memory_->references.fetch_add(1, std::memory_order_relaxed);
  }
  SharedMemoryRef(SharedMemoryRef&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)) {}
  SharedMemoryRef& operator=(SharedMemoryRef other) noexcept {
    std::swap(memory_, other.memory_);
    return *this;
  }
  ~SharedMemoryRef() {
    if (memory_ != nullptr && memory_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      memory_->destroy(memory_);
    }
  }

  SharedMemory* get() const { return memory_; }

 private:
  SharedMemory* memory_ = nullptr;
};

}  // namespace internal

// A read-only slice of shared memory, which stays alive and unmoved for as long as a Buffer of it
// exists. Copying costs one atomic increment.
//
// Threads: any number may read one Buffer, copy it and destroy their copies.
class Buffer {
 public:
  Buffer() = default;  // Empty; pins nothing.
  // Takes the string over.
  explicit Buffer(std::string bytes);
  // Bytes that `owner` keeps alive: a mapped file, a received message.
  Buffer(std::string_view bytes, std::shared_ptr<const void> owner);
  static Buffer CopyOf(std::string_view bytes);

  std::string_view view() const { return {data_, size_}; }
  const char* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Bytes [offset, offset + size) of this one; both are cut off at its end.
  Buffer Slice(size_t offset, size_t size = std::string_view::npos) const {
    const std::string_view part = view().substr(offset < size_ ? offset : size_, size);
    return Buffer(part, memory_);
  }

 private:
  friend class Slab;

  Buffer(std::string_view bytes, internal::SharedMemoryRef memory)
      : data_(bytes.data()), size_(bytes.size()), memory_(std::move(memory)) {}

  const char* data_ = nullptr;
  size_t size_ = 0;
  internal::SharedMemoryRef memory_;
};

// Heap memory of a fixed capacity (what was asked for, or a little more), uninitialised, that one
// writer fills from the front and cuts into Buffers as it goes. The receiver of a socket reads
// bytes straight into a slab's tail while earlier parts of it are already on their way through a
// batch.
//
// What the writer must keep to: bytes covered by a slice that was handed out are never written
// again, as their readers hold no lock; bytes that no slice covers are the writer's alone.
// The memory outlives the Slab until the last Buffer of it goes.
//
// Threads: one at a time for the Slab itself; its Buffers are independent.
class Slab {
 public:
  Slab() = default;  // No memory: capacity 0.
  explicit Slab(size_t capacity_bytes);
  Slab(Slab&&) noexcept = default;
  Slab& operator=(Slab&&) noexcept = default;

  char* data() const;  // Aligned for any fundamental type; null when there is no memory.
  size_t capacity() const;

  // Bytes [offset, offset + size), which must lie within the capacity and have been written.
  Buffer Slice(size_t offset, size_t size) const;

  // No Buffer refers to this memory any more, so the writer may start again from the front.
  bool unshared() const;

 private:
  internal::SharedMemoryRef memory_;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_MEMORY_BUFFER_H_
