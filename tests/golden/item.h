// A record type as a program may have one.
#ifndef MILLRACE_TESTS_GOLDEN_ITEM_H_
#define MILLRACE_TESTS_GOLDEN_ITEM_H_

#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "tests/golden/record_value.h"

namespace millrace::golden {

struct Item {
  Text name;
  Int size = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(name, size);
  }
  // name#size
  template <class Sink>
  friend void AbslStringify(Sink& sink, const Item& item) {
    sink.Append(item.name + "#" + std::to_string(item.size));
  }
  friend bool operator==(const Item& a, const Item& b) = default;
  // By size, then by name.
  friend bool operator<(const Item& a, const Item& b) {
    return a.size != b.size ? a.size < b.size : a.name < b.name;
  }
};

using ItemInt = std::pair<Item, Int>;
using ItemText = std::pair<Item, Text>;
using TextItem = std::pair<Text, Item>;

// An atom: the text form.
template <>
struct RecordForm<Item> {
  static std::string Name() { return "item"; }
  static Value ToValue(const Item& record) { return Value::Atom(ToText(record)); }
  static bool FromValue(const Value& value, Item& record) {
    const size_t mark = value.text.rfind('#');
    if (value.kind != Value::Kind::kAtom || mark == std::string::npos) return false;
    record.name = value.text.substr(0, mark);
    return absl::SimpleAtoi(value.text.substr(mark + 1), &record.size);
  }
};

}  // namespace millrace::golden

#endif  // MILLRACE_TESTS_GOLDEN_ITEM_H_
