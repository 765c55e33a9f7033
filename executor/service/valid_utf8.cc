#include "executor/service/valid_utf8.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace millrace::internal {

namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

bool IsAscii(char c) { return static_cast<uint8_t>(c) < 0x80; }

// Bytes of the well-formed character that `text` begins with; 0: it begins with none.
size_t CharacterBytes(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto first = byte(0);
  if (first < 0x80) return 1;
  const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  // Neither longer than needed, nor a surrogate, nor beyond U+10FFFF.
  const uint8_t second_min = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const uint8_t second_max = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < second_min || byte(1) > second_max) return 0;
  for (size_t i = 2; i < size; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  }
  return size;
}

}  // namespace

std::string ValidUtf8(std::string text) {
  if (std::all_of(text.begin(), text.end(), IsAscii)) return text;
  std::string valid;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t size = CharacterBytes(rest);
    valid += size == 0 ? kReplacement : rest.substr(0, size);
    rest.remove_prefix(std::max<size_t>(1, size));
  }
  return valid;
}

}  // namespace millrace::internal
