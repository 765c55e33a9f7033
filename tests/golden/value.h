// Records as the case files write them: without types.
#ifndef MILLRACE_TESTS_GOLDEN_VALUE_H_
#define MILLRACE_TESTS_GOLDEN_VALUE_H_

#include <compare>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace millrace::golden {

// a   "b c"   (a,1)   [1,2]   some(1)
struct Value {
  enum class Kind { kAtom, kTuple, kList };

  static Value Atom(std::string text) { return {Kind::kAtom, std::move(text), {}}; }
  static Value Tuple(std::vector<Value> elements) {
    return {Kind::kTuple, "", std::move(elements)};
  }
  static Value List(std::vector<Value> elements) { return {Kind::kList, "", std::move(elements)}; }

  bool operator==(const Value& other) const;
  std::strong_ordering operator<=>(const Value& other) const;

  Kind kind = Kind::kAtom;
  std::string text;  // An atom's bytes; the word before a tuple ("some").
  std::vector<Value> elements;
};

// Records with blanks between them.
absl::StatusOr<std::vector<Value>> ParseValues(std::string_view text);

// The form that ParseValues reads back.
std::string ToString(const Value& value);
std::string ToString(const std::vector<Value>& values);

// Lists sorted at every depth: equal for values that differ in the order of lists alone.
Value SortLists(Value value);

}  // namespace millrace::golden

#endif  // MILLRACE_TESTS_GOLDEN_VALUE_H_
