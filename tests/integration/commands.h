// How to start the programs that the build has made.
#ifndef MILLRACE_TESTS_INTEGRATION_COMMANDS_H_
#define MILLRACE_TESTS_INTEGRATION_COMMANDS_H_

#include <string>
#include <utility>
#include <vector>

namespace millrace {

using Command = std::vector<std::string>;

inline Command MakeCommand(const std::string& directory, const std::string& name,
                           Command arguments) {
  arguments.insert(arguments.begin(), directory + "/" + name);
  return arguments;
}

// One of client/examples.
inline Command Example(const std::string& name, Command arguments) {
  return MakeCommand(MILLRACE_TEST_EXAMPLES, name, std::move(arguments));
}

// One of tests/integration/programs.
inline Command Program(const std::string& name, Command arguments) {
  return MakeCommand(MILLRACE_TEST_PROGRAMS, name, std::move(arguments));
}

// "--millrace_conf=millrace.KEY"; KEY is "streaming.blockInterval=100ms".
inline std::string Setting(const std::string& key_and_value) {
  return "--millrace_conf=millrace." + key_and_value;
}

}  // namespace millrace

#endif  // MILLRACE_TESTS_INTEGRATION_COMMANDS_H_
