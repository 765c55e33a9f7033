// Where in the user's program an operator was written.
#ifndef MILLRACE_COMMON_BASE_SOURCE_LOCATION_H_
#define MILLRACE_COMMON_BASE_SOURCE_LOCATION_H_

#include <iosfwd>
#include <string>
#include <string_view>

namespace millrace::internal {

// A caller's place, taken by a default argument:
//   DStream<U> Map(F f, Location at = Location::Current());
// (std::source_location does the same, but clang 14 has none with this standard library.)
struct Location {
  const char* file = "";  // As the compiler was given it; lives as long as the program.
  int line = 0;

  static constexpr Location Current(const char* file = __builtin_FILE(),
                                    int line = __builtin_LINE()) {
    return {file, line};
  }
};

// "wordcount.cc:12", without folders: short in messages, the same wherever the program was built.
std::string ToString(const Location& location);
// "Map at wordcount.cc:12"; "Map" where the place is not known.
std::string WithPlace(std::string_view what, const Location& where);
std::ostream& operator<<(std::ostream& os, const Location& location);

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_BASE_SOURCE_LOCATION_H_
