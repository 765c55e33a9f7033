#include "common/memory/buffer.h"

#include <glog/logging.h>

#include <cstring>
#include <new>

#include "common/memory/large_memory.h"

namespace millrace {

using internal::SharedMemory;
using internal::SharedMemoryRef;

namespace {

// A slab's bytes follow this head in the same allocation.
struct alignas(std::max_align_t) SlabMemory : SharedMemory {
  explicit SlabMemory(size_t capacity)
      : SharedMemory{.destroy = &Destroy}, capacity_bytes(capacity) {}

  char* bytes() { return reinterpret_cast<char*>(this + 1); }

  static SlabMemory* Create(size_t capacity) {
    const size_t bytes = internal::LargeMemoryBytes(sizeof(SlabMemory) + capacity);
    return new (internal::AllocateLarge(bytes)) SlabMemory(bytes - sizeof(SlabMemory));
  }
  static void Destroy(SharedMemory* memory) {
    auto* slab = static_cast<SlabMemory*>(memory);
    const size_t bytes = sizeof(SlabMemory) + slab->capacity_bytes;
    slab->~SlabMemory();
    internal::FreeLarge(slab, bytes);
  }

  const size_t capacity_bytes;
};

// Keeps an object alive whose bytes are elsewhere.
template <class Owner>
struct OwnerMemory : SharedMemory {
  explicit OwnerMemory(Owner&& moved)
      : SharedMemory{.destroy = &Destroy}, owner(std::move(moved)) {}

  static void Destroy(SharedMemory* memory) { delete static_cast<OwnerMemory*>(memory); }

  const Owner owner;
};

SlabMemory* SlabOf(const SharedMemoryRef& memory) { return static_cast<SlabMemory*>(memory.get()); }

}  // namespace

Buffer::Buffer(std::string bytes) {
  auto* memory = new OwnerMemory<std::string>(std::move(bytes));
  data_ = memory->owner.data();
  size_ = memory->owner.size();
  memory_ = SharedMemoryRef(memory);
}

Buffer::Buffer(std::string_view bytes, std::shared_ptr<const void> owner)
    : Buffer(bytes,
             SharedMemoryRef(new OwnerMemory<std::shared_ptr<const void>>(std::move(owner)))) {}

Buffer Buffer::CopyOf(std::string_view bytes) {
  if (bytes.empty()) return Buffer();
  const Slab slab(bytes.size());
  std::memcpy(slab.data(), bytes.data(), bytes.size());
  return slab.Slice(0, bytes.size());
}

Slab::Slab(size_t capacity_bytes) : memory_(SlabMemory::Create(capacity_bytes)) {}

char* Slab::data() const { return memory_.get() == nullptr ? nullptr : SlabOf(memory_)->bytes(); }

size_t Slab::capacity() const {
  return memory_.get() == nullptr ? 0 : SlabOf(memory_)->capacity_bytes;
}

Buffer Slab::Slice(size_t offset, size_t size) const {
  CHECK_LE(offset, capacity());
  CHECK_LE(size, capacity() - offset);
  return Buffer(std::string_view(data() + offset, size), memory_);
}

bool Slab::unshared() const {
  return memory_.get() != nullptr && memory_.get()->references.load(std::memory_order_acquire) == 1;
}

}  // namespace millrace
