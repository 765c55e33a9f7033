// The deliberate mistakes by their names.
#ifndef MILLRACE_TESTS_SIM_MISTAKES_H_
#define MILLRACE_TESTS_SIM_MISTAKES_H_

#include <string>
#include <vector>

#include "common/base/mistake.h"

namespace millrace::sim {

struct NamedMistake {
  Mistake mistake;
  std::string name;
  // Where it would show, if that is seldom; empty: anywhere.
  std::string scenario = {};
  std::string program = {};
  std::string inputs = {};
  bool is_of_daemons = false;
};

// All of them.
const std::vector<NamedMistake>& Mistakes();

// Builds for use make none.
inline constexpr bool kMakesMistakes =
#ifdef NDEBUG
    false;
#else
    true;
#endif

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_MISTAKES_H_
