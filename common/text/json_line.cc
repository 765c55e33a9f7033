#include "common/text/json_line.h"

#include <cstddef>
#include <utility>

namespace millrace {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD.

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The length of the UTF-8 character that `text` begins with; 0: it begins with none.
size_t CharacterLength(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if (!IsContinuation(text[i])) return 0;
  }
  const auto second = static_cast<unsigned char>(text[1]);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool no_character = (first == 0xED && second >= 0xA0) || (first == 0xF4 && second >= 0x90);
  return overlong || no_character ? 0 : length;
}

void AppendEscaped(unsigned char c, std::string& text) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      text += "\\\"";
      break;
    case '\\':
      text += "\\\\";
      break;
    case '\n':
      text += "\\n";
      break;
    case '\r':
      text += "\\r";
      break;
    case '\t':
      text += "\\t";
      break;
    default:
      text += "\\u00";
      text += kHex[c >> 4];
      text += kHex[c & 15];
  }
}

bool MustBeEscaped(char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; }

}  // namespace

JsonLine& JsonLine::Add(std::string_view name, std::string_view value) {
  AddName(name);
  AddString(value);
  return *this;
}

JsonLine& JsonLine::Add(std::string_view name, int64_t value) {
  AddName(name);
  text_ += std::to_string(value);
  return *this;
}

JsonLine& JsonLine::Add(std::string_view name, bool value) {
  AddName(name);
  text_ += value ? "true" : "false";
  return *this;
}

JsonLine& JsonLine::BeginObject(std::string_view name) {
  AddName(name);
  text_ += '{';
  return *this;
}

JsonLine& JsonLine::BeginList(std::string_view name) {
  AddName(name);
  text_ += '[';
  return *this;
}

JsonLine& JsonLine::BeginElement() {
  Separate();
  text_ += '{';
  return *this;
}

JsonLine& JsonLine::End() {
  text_ += '}';
  return *this;
}

JsonLine& JsonLine::EndList() {
  text_ += ']';
  return *this;
}

std::string JsonLine::Take() {
  text_ += "}\n";
  return std::exchange(text_, "{");
}

void JsonLine::AddName(std::string_view name) {
  Separate();
  AddString(name);
  text_ += ':';
}

void JsonLine::Separate() {
  if (text_.back() != '{' && text_.back() != '[') text_ += ',';
}

void JsonLine::AddString(std::string_view value) {
  text_ += '"';
  while (!value.empty()) {
    const size_t length = CharacterLength(value);
    if (length == 0) {
      text_ += kReplacement;
    } else if (MustBeEscaped(value[0])) {
      AppendEscaped(static_cast<unsigned char>(value[0]), text_);
    } else {
      text_ += value.substr(0, length);
    }
    value.remove_prefix(length == 0 ? 1 : length);
  }
  text_ += '"';
}

}  // namespace millrace
