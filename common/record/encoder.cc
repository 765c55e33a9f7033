#include "common/record/encoder.h"

#include <algorithm>
#include <utility>

namespace millrace::internal {
namespace {

constexpr size_t kFirstBytes = 256;
// A buffer that would waste more than three quarters of its memory is copied when it is taken.
constexpr size_t kWasteFactor = 4;

}  // namespace

Encoder& Encoder::operator=(Encoder&& other) noexcept {
  slab_ = std::move(other.slab_);
  begin_ = std::exchange(other.begin_, nullptr);
  end_ = std::exchange(other.end_, nullptr);
  limit_ = std::exchange(other.limit_, nullptr);
  form_ = other.form_;
  return *this;
}

void Encoder::Grow(size_t bytes) {
  const size_t used = size();
  const size_t capacity = std::max({kFirstBytes, used + bytes, 2 * used});
  Slab larger(capacity);
  if (used != 0) std::memcpy(larger.data(), begin_, used);
  slab_ = std::move(larger);
  begin_ = slab_.data();
  end_ = begin_ + used;
  limit_ = begin_ + slab_.capacity();
}

Buffer Encoder::TakeBuffer() {
  if (empty()) return Buffer();
  if (size() * kWasteFactor < slab_.capacity()) {
    Buffer copy = Buffer::CopyOf(view());
    Clear();
    return copy;
  }
  Buffer taken = slab_.Slice(0, size());
  *this = Encoder();
  return taken;
}

uint64_t Decoder::GetLongVarint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (p_ == end_) break;
    const auto byte = static_cast<uint8_t>(*p_++);
    // The tenth byte holds the top bit alone.
    if (shift == 63 && byte > 1) break;
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
  Fail();
  return 0;
}

}  // namespace millrace::internal
