// What peers say to one another as the input of a fuzz target: a step is a byte that says which
// message it is, and the message with its size.
#ifndef MILLRACE_TESTS_FUZZ_MESSAGE_SCRIPT_H_
#define MILLRACE_TESTS_FUZZ_MESSAGE_SCRIPT_H_

#include <google/protobuf/message.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/fuzz_target.h"

namespace millrace::internal {

struct ScriptStep {
  uint8_t kind = 0;
  std::string bytes;
};

// No more than a few dozen steps: a run must be short.
inline constexpr size_t kScriptStepsMax = 64;

std::vector<ScriptStep> ReadScript(std::string_view bytes);
std::string WriteScript(const std::vector<ScriptStep>& steps);

// False: a peer's library would refuse these bytes before any code of ours sees them.
bool ParseStep(const ScriptStep& step, google::protobuf::Message& message);

inline ScriptStep StepOf(uint8_t kind, const google::protobuf::Message& message) {
  return {kind, message.SerializeAsString()};
}

// A script with something changed: a field of a message, of whatever depth, or the steps' order and
// number. `prototypes` are the messages by kind; null where a step is plain bytes.
std::string MutateScript(std::string_view bytes,
                         const std::vector<const google::protobuf::Message*>& prototypes,
                         std::minstd_rand& random);

}  // namespace millrace::internal

#endif  // MILLRACE_TESTS_FUZZ_MESSAGE_SCRIPT_H_
