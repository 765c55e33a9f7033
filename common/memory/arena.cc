#include "common/memory/arena.h"

#include <algorithm>
#include <utility>

namespace millrace {

namespace {

constexpr size_t kFirstBlockBytes = 4 << 10;  // Most tasks of small batches need no more.
constexpr size_t kBlockBytesMax = 1 << 20;    // Beyond this, doubling only wastes memory.

}  // namespace

Arena& Arena::operator=(Arena&& other) noexcept {
  next_ = std::exchange(other.next_, 0);
  end_ = std::exchange(other.end_, 0);
  bytes_used_ = std::exchange(other.bytes_used_, 0);
  bytes_reserved_ = std::exchange(other.bytes_reserved_, 0);
  next_block_bytes_ = std::exchange(other.next_block_bytes_, 0);
  blocks_ = std::exchange(other.blocks_, {});
  return *this;
}

void* Arena::AllocateSlow(size_t size, size_t align) {
  if (next_block_bytes_ == 0) next_block_bytes_ = kFirstBlockBytes;
  // operator new[] aligns to max_align_t; what asks for more needs room to be moved up.
  const size_t padded = size + (align > alignof(std::max_align_t) ? align : 0);
  if (padded > next_block_bytes_ / 2) {
    // A block of its own; the rest of the current one stays in use.
    const auto start = reinterpret_cast<uintptr_t>(AddBlock(padded));
    bytes_used_ += padded;
    return reinterpret_cast<void*>((start + align - 1) & ~(uintptr_t{align} - 1));
  }
  AddBlock(next_block_bytes_);
  UseBlock(blocks_.back());
  next_block_bytes_ = std::min(next_block_bytes_ * 2, kBlockBytesMax);
  return Allocate(size, align);
}

char* Arena::AddBlock(size_t size) {
  blocks_.push_back({std::make_unique_for_overwrite<char[]>(size), size});
  bytes_reserved_ += size;
  return blocks_.back().bytes.get();
}

void Arena::UseBlock(const Block& block) {
  next_ = reinterpret_cast<uintptr_t>(block.bytes.get());
  end_ = next_ + block.size;
}

void Arena::Clear() {
  bytes_used_ = 0;
  if (blocks_.empty()) return;
  auto largest = std::max_element(blocks_.begin(), blocks_.end(),
                                  [](const Block& a, const Block& b) { return a.size < b.size; });
  Block kept = std::move(*largest);
  blocks_.clear();
  bytes_reserved_ = kept.size;
  UseBlock(kept);
  blocks_.push_back(std::move(kept));
}

}  // namespace millrace
