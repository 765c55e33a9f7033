// Splitting lines into words, and looking for words in them.
#ifndef MILLRACE_CLIENT_MILLRACE_SPLIT_H_
#define MILLRACE_CLIENT_MILLRACE_SPLIT_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "common/text/byte_scan.h"

namespace millrace {

// Given to Split: empty pieces are left out.
struct SkipEmpty {};

// The pieces of a text between delimiters, as views into it. See Split.
class SplitRange {
 public:
  SplitRange(std::string_view text, char delimiter, bool skip_empty)
      : text_(text), delimiter_(delimiter), skip_empty_(skip_empty) {}

  class iterator {
   public:
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using reference = std::string_view;
    using pointer = const std::string_view*;
    using iterator_category = std::input_iterator_tag;

    iterator() = default;
    std::string_view operator*() const { return piece_; }
    iterator& operator++() {
      Advance();
      return *this;
    }
    iterator operator++(int) {
      iterator old = *this;
      Advance();
      return old;
    }
    friend bool operator==(const iterator& a, const iterator& b) {
      return a.at_end_ == b.at_end_ && (a.at_end_ || a.piece_.data() == b.piece_.data());
    }

   private:
    friend class SplitRange;
    iterator(std::string_view text, char delimiter, bool skip_empty)
        : rest_(text), delimiter_(delimiter), skip_empty_(skip_empty), at_end_(false) {
      Advance();
    }
    void Advance() {
      do {
        if (exhausted_) {
          at_end_ = true;
          return;
        }
        const size_t end = rest_.find(delimiter_);
        piece_ = rest_.substr(0, end);
        exhausted_ = end == std::string_view::npos;
        if (!exhausted_) rest_.remove_prefix(end + 1);
      } while (skip_empty_ && piece_.empty());
    }

    std::string_view piece_;
    std::string_view rest_;
    char delimiter_ = ' ';
    bool skip_empty_ = false;
    bool exhausted_ = false;
    bool at_end_ = true;
  };

  iterator begin() const { return iterator(text_, delimiter_, skip_empty_); }
  iterator end() const { return iterator(); }

  // Calls `take(piece)` for each piece until it returns false; false then. FlatMap uses this
  // rather than the iterators: delimiters are found 64 bytes at a time.
  template <class Take>
  bool ForEach(Take take) const {
    constexpr size_t kBlocks = 8;
    uint64_t masks[kBlocks];
    const char* piece = text_.data();
    const char* const end = piece + text_.size();
    for (const char* window = piece; window < end; window += kBlocks * internal::kScanBlockBytes) {
      const auto left = static_cast<size_t>(end - window);
      const size_t size =
          left < kBlocks * internal::kScanBlockBytes ? left : kBlocks * internal::kScanBlockBytes;
      internal::MatchByte(window, size, delimiter_, masks);
      for (size_t block = 0; block < internal::ScanBlockCount(size); ++block) {
        const char* const base = window + block * internal::kScanBlockBytes;
        for (uint64_t mask = masks[block]; mask != 0; mask &= mask - 1) {
          const char* const found = base + std::countr_zero(mask);
          if (!(skip_empty_ && found == piece)) {
            if (!take(std::string_view(piece, static_cast<size_t>(found - piece)))) return false;
          }
          piece = found + 1;
        }
      }
    }
    if (skip_empty_ && piece == end) return true;
    return take(std::string_view(piece, static_cast<size_t>(end - piece)));
  }

 private:
  std::string_view text_;
  char delimiter_;
  bool skip_empty_;
};

// The pieces of `text` between single `delimiter`s: Split("a b", ' ') is a, b; Split("a  b", ' ')
// is a, an empty piece, b; Split("", ' ') is one empty piece. The pieces are views into `text`.
inline SplitRange Split(std::string_view text, char delimiter) {
  return SplitRange(text, delimiter, /*skip_empty=*/false);
}
// The same without the empty ones: Split(" a  b", ' ', SkipEmpty()) is a, b.
inline SplitRange Split(std::string_view text, char delimiter, SkipEmpty /*skip*/) {
  return SplitRange(text, delimiter, /*skip_empty=*/true);
}

// Whether `needle` occurs in `text`; faster than std::string_view::find.
inline bool Contains(std::string_view text, std::string_view needle) {
  return internal::ContainsBytes(text, needle);
}

}  // namespace millrace

#endif  // MILLRACE_CLIENT_MILLRACE_SPLIT_H_
