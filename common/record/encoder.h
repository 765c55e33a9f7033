// Growing bytes to write encoded values to, and checked bytes to read them from.
#ifndef MILLRACE_COMMON_RECORD_ENCODER_H_
#define MILLRACE_COMMON_RECORD_ENCODER_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "common/memory/buffer.h"

namespace millrace::internal {

// Appends to memory that it owns. Integers are little-endian.
class Encoder {
 public:
  // kCanonical: equal values have equal encodings, for hashing. The elements of unordered
  // containers are sorted, -0.0 is 0.0, all NaNs are one, structs with a StableHash are that. Not
  // to be decoded.
  enum class Form : bool { kPlain, kCanonical };

  Encoder() = default;
  explicit Encoder(Form form) : form_(form) {}
  Encoder(Encoder&& other) noexcept { *this = std::move(other); }
  Encoder& operator=(Encoder&& other) noexcept;

  bool is_canonical() const { return form_ == Form::kCanonical; }

  size_t size() const { return static_cast<size_t>(end_ - begin_); }
  bool empty() const { return end_ == begin_; }
  std::string_view view() const { return {begin_, size()}; }
  void Clear() { end_ = begin_; }
  // Drops all but the first `size` bytes.
  void Truncate(size_t size) { end_ = begin_ + size; }

  // Room for `bytes` more at the returned place; `Advance` takes what was written there.
  char* Reserve(size_t bytes) {
    if (static_cast<size_t>(limit_ - end_) < bytes) Grow(bytes);
    return end_;
  }
  void Advance(size_t bytes) { end_ += bytes; }

  template <class T>
  void PutFixed(T value) {
    std::memcpy(Reserve(sizeof value), &value, sizeof value);
    end_ += sizeof value;
  }
  // Seven bits a byte, low ones first, as Protocol Buffers do.
  void PutVarint(uint64_t value) {
    char* p = Reserve(kMaxVarintBytes);
    while (value >= 0x80) {
      *p++ = static_cast<char>(value | 0x80);
      value >>= 7;
    }
    *p++ = static_cast<char>(value);
    end_ = p;
  }
  void PutBytes(std::string_view bytes) {
    char* p = Reserve(bytes.size());
    if (!bytes.empty()) std::memcpy(p, bytes.data(), bytes.size());
    end_ += bytes.size();
  }

  std::string ToString() const { return std::string(view()); }
  // Hands the bytes over; the encoder is empty afterwards.
  Buffer TakeBuffer();

 private:
  static constexpr size_t kMaxVarintBytes = 10;

  void Grow(size_t bytes);

  Slab slab_;
  char* begin_ = nullptr;  // Of the slab.
  char* end_ = nullptr;
  char* limit_ = nullptr;
  Form form_ = Form::kPlain;
};

// Reads what an Encoder wrote, from bytes that nobody vouches for: a value that does not fit makes
// the decoder fail, after which it is at its end and everything read is zero or empty.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : p_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool done() const { return p_ == end_; }
  bool failed() const { return failed_; }
  size_t remaining() const { return static_cast<size_t>(end_ - p_); }
  const char* position() const { return p_; }
  void Fail() {
    failed_ = true;
    p_ = end_;
  }
  // Around each struct. Fails where structs lie in structs deeper than any sane record: a few bytes
  // could otherwise make the decoder of a recursive type use up the stack.
  void Enter() {
    if (++depth_ > kDepthMax) Fail();
  }
  void Leave() { --depth_; }

  template <class T>
  T GetFixed() {
    T value{};
    if (remaining() < sizeof value) {
      Fail();
    } else {
      std::memcpy(&value, p_, sizeof value);
      p_ += sizeof value;
    }
    return value;
  }
  uint64_t GetVarint() {
    if (p_ != end_ && static_cast<uint8_t>(*p_) < 0x80) return static_cast<uint8_t>(*p_++);
    return GetLongVarint();
  }
  // A view into the decoder's bytes.
  std::string_view GetBytes(uint64_t size) {
    if (remaining() < size) {
      Fail();
      return {};
    }
    const std::string_view bytes(p_, size);
    p_ += size;
    return bytes;
  }

 private:
  static constexpr int kDepthMax = 1000;

  uint64_t GetLongVarint();

  const char* p_;
  const char* end_;
  bool failed_ = false;
  int depth_ = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_RECORD_ENCODER_H_
