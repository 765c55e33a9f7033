#include "tests/golden/value.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace millrace::golden {
namespace {

// What ends an atom that stands without quotes. Bytes of UTF-8 do not.
bool IsBare(char c) {
  constexpr std::string_view kSpecial = "()[],\"\\";
  return !absl::ascii_isspace(static_cast<unsigned char>(c)) &&
         !absl::ascii_iscntrl(static_cast<unsigned char>(c)) &&
         kSpecial.find(c) == std::string_view::npos;
}

class ValueParser {
 public:
  explicit ValueParser(std::string_view text) : text_(text) {}

  absl::StatusOr<std::vector<Value>> ParseAll() {
    std::vector<Value> values;
    SkipBlanks();
    while (!rest().empty()) {
      ASSIGN_OR_RETURN(Value value, ParseOne());
      values.push_back(std::move(value));
      if (!rest().empty() && rest()[0] != ' ') return Error("a blank");
      SkipBlanks();
    }
    return values;
  }

 private:
  std::string_view rest() const { return std::string_view(text_).substr(at_); }
  void SkipBlanks() {
    while (!rest().empty() && rest()[0] == ' ') ++at_;
  }
  void Skip(size_t count) { at_ = std::min(at_ + count, text_.size()); }
  bool Take(char c) {
    if (rest().empty() || rest()[0] != c) return false;
    ++at_;
    return true;
  }
  absl::Status Error(const std::string& wanted) const {
    return absl::InvalidArgumentError(
        absl::StrCat(wanted, " must stand before \"", std::string(rest()), "\" in ", text_));
  }

  absl::StatusOr<Value> ParseOne() {
    if (Take('[')) {
      ASSIGN_OR_RETURN(std::vector<Value> elements, ParseElements(']'));
      return Value::List(std::move(elements));
    }
    if (Take('(')) {
      ASSIGN_OR_RETURN(std::vector<Value> elements, ParseElements(')'));
      return Value::Tuple(std::move(elements));
    }
    if (Take('"')) return ParseQuoted();
    std::string atom;
    while (!rest().empty() && IsBare(rest()[0])) atom += text_[at_++];
    if (atom.empty()) return Error("a record");
    if (!Take('(')) return Value::Atom(std::move(atom));
    ASSIGN_OR_RETURN(std::vector<Value> elements, ParseElements(')'));
    return Value{Value::Kind::kTuple, std::move(atom), std::move(elements)};
  }

  absl::StatusOr<std::vector<Value>> ParseElements(char end) {
    std::vector<Value> elements;
    if (Take(end)) return elements;
    do {
      ASSIGN_OR_RETURN(Value element, ParseOne());
      elements.push_back(std::move(element));
    } while (Take(','));
    if (!Take(end)) return Error(absl::StrCat("a comma or ", std::string(1, end)));
    return elements;
  }

  // The opening quote has been taken.
  absl::StatusOr<Value> ParseQuoted() {
    const size_t begin = at_;
    while (!rest().empty() && rest()[0] != '"') Skip(rest()[0] == '\\' ? 2 : 1);
    const std::string quoted = text_.substr(begin, at_ - begin);
    if (!Take('"')) return Error("the closing quote");
    std::string bytes;
    std::string error;
    if (!absl::CUnescape(quoted, &bytes, &error)) {
      return absl::InvalidArgumentError(absl::StrCat("\"", quoted, "\": ", error));
    }
    return Value::Atom(std::move(bytes));
  }

  const std::string text_;
  size_t at_ = 0;
};

template <class Part>
std::string Join(const std::vector<Part>& parts, std::string_view separator) {
  std::string joined;
  for (const Part& part : parts) {
    if (!joined.empty()) joined += separator;
    joined += ToString(part);
  }
  return joined;
}

}  // namespace

bool Value::operator==(const Value& other) const { return (*this <=> other) == 0; }

std::strong_ordering Value::operator<=>(const Value& other) const {
  if (const auto order = kind <=> other.kind; order != 0) return order;
  if (const auto order = text <=> other.text; order != 0) return order;
  return std::lexicographical_compare_three_way(elements.begin(), elements.end(),
                                                other.elements.begin(), other.elements.end());
}

absl::StatusOr<std::vector<Value>> ParseValues(std::string_view text) {
  return ValueParser(text).ParseAll();
}

std::string ToString(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kList:
      return absl::StrCat("[", Join(value.elements, ","), "]");
    case Value::Kind::kTuple:
      return absl::StrCat(value.text, "(", Join(value.elements, ","), ")");
    case Value::Kind::kAtom:
      break;
  }
  if (!value.text.empty() && std::all_of(value.text.begin(), value.text.end(), IsBare)) {
    return value.text;
  }
  return absl::StrCat("\"", absl::Utf8SafeCHexEscape(value.text), "\"");
}

std::string ToString(const std::vector<Value>& values) { return Join(values, " "); }

Value SortLists(Value value) {
  for (Value& element : value.elements) element = SortLists(std::move(element));
  if (value.kind == Value::Kind::kList) std::sort(value.elements.begin(), value.elements.end());
  return value;
}

}  // namespace millrace::golden
