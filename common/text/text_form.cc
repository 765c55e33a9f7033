#include "common/text/text_form.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <ostream>
#include <streambuf>

namespace millrace::internal {

namespace {

// Room for the longest plain form (16 digits before the point, or 4 zeros after it and then the
// digits) and the longest exponent form.
constexpr size_t kFloatChars = 64;

// Exponents for which the plain form is used, as in Python and its kin: people read it, and up to
// 1e16 it has no digits that are not in the value.
constexpr int kPlainExponentMin = -4;
constexpr int kPlainExponentMax = 15;

template <class Integer>
void AppendDecimal(std::string& out, Integer value) {
  char digits[std::numeric_limits<Integer>::digits10 + 2];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  out.append(digits, end);
}

template <class Float>
void AppendShortest(std::string& out, Float value) {
  if (std::isnan(value)) {
    out += "nan";  // Without its sign, which means nothing.
    return;
  }
  char text[kFloatChars];
  auto end = std::to_chars(text, text + sizeof(text), value, std::chars_format::scientific).ptr;
  const std::string_view scientific(text, end - text);
  const size_t e = scientific.find('e');
  if (e != std::string_view::npos) {
    const int exponent = std::atoi(std::string(scientific.substr(e + 1)).c_str());
    if (kPlainExponentMin <= exponent && exponent <= kPlainExponentMax) {
      end = std::to_chars(text, text + sizeof(text), value, std::chars_format::fixed).ptr;
      out.append(text, end);
      if (std::string_view(text, end - text).find('.') == std::string_view::npos) out += ".0";
      return;
    }
  }
  out.append(text, end);
}

class AppendingBuffer : public std::streambuf {
 public:
  explicit AppendingBuffer(std::string& out) : out_(out) {}

 private:
  int_type overflow(int_type c) override {
    if (!traits_type::eq_int_type(c, traits_type::eof())) out_ += traits_type::to_char_type(c);
    return traits_type::not_eof(c);
  }
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    out_.append(text, static_cast<size_t>(size));
    return size;
  }

  std::string& out_;
};

}  // namespace

void AppendInteger(std::string& out, int64_t value) { AppendDecimal(out, value); }
void AppendInteger(std::string& out, uint64_t value) { AppendDecimal(out, value); }

void AppendFloat(std::string& out, float value) { AppendShortest(out, value); }
void AppendFloat(std::string& out, double value) { AppendShortest(out, value); }
void AppendFloat(std::string& out, long double value) { AppendShortest(out, value); }

void AppendCodePoint(std::string& out, char32_t code_point) {
  uint32_t c = code_point;
  if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = 0xFFFD;
  if (c < 0x80) {
    out += static_cast<char>(c);
    return;
  }
  if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
  } else {
    if (c < 0x10000) {
      out += static_cast<char>(0xE0 | c >> 12);
    } else {
      out += static_cast<char>(0xF0 | c >> 18);
      out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    }
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
  }
  out += static_cast<char>(0x80 | (c & 0x3F));
}

void AppendStreamed(std::string& out, void (*print)(std::ostream& os, const void* value),
                    const void* value) {
  AppendingBuffer buffer(out);
  std::ostream os(&buffer);
  os.imbue(std::locale::classic());
  print(os, value);
}

}  // namespace millrace::internal
