// Threads that a person can tell apart in a debugger, in top and in a core dump.
#ifndef MILLRACE_COMMON_CONCURRENT_NAMED_THREAD_H_
#define MILLRACE_COMMON_CONCURRENT_NAMED_THREAD_H_

#include <string>
#include <thread>

#include "absl/functional/any_invocable.h"

namespace millrace {

// A thread that runs `body` under `name`, of which Linux keeps the first 15 characters.
std::thread StartThread(std::string name, absl::AnyInvocable<void()> body);

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONCURRENT_NAMED_THREAD_H_
