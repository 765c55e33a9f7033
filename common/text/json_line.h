// One object of JSON on one line, as logs for programs are written.
#ifndef MILLRACE_COMMON_TEXT_JSON_LINE_H_
#define MILLRACE_COMMON_TEXT_JSON_LINE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

// Writes fields in the order of the calls. Strings may hold any bytes: what JSON does not allow is
// escaped, and what is no UTF-8 becomes U+FFFD, so every line can be read back.
//
//   JsonLine().Add("event", "batchCompleted").Add("batchTime", 1000).Take()
//   {"event":"batchCompleted","batchTime":1000}\n
class JsonLine {
 public:
  JsonLine() : text_("{") {}

  JsonLine& Add(std::string_view name, std::string_view value);
  JsonLine& Add(std::string_view name, const char* value) {
    return Add(name, std::string_view(value));
  }
  JsonLine& Add(std::string_view name, int64_t value);
  JsonLine& Add(std::string_view name, int value) { return Add(name, int64_t{value}); }
  JsonLine& Add(std::string_view name, bool value);
  // Left out when there is none.
  template <class T>
  JsonLine& Add(std::string_view name, const std::optional<T>& value) {
    return value.has_value() ? Add(name, *value) : *this;
  }

  // Objects and lists of objects, to be closed in turn.
  JsonLine& BeginObject(std::string_view name);
  JsonLine& BeginList(std::string_view name);
  JsonLine& BeginElement();  // Of a list.
  JsonLine& End();           // Of an object or element.
  JsonLine& EndList();

  // The line, with its end.
  std::string Take();

 private:
  void AddName(std::string_view name);
  void AddString(std::string_view value);
  void Separate();

  std::string text_;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_TEXT_JSON_LINE_H_
