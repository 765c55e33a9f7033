// Text that Protocol Buffers take.
#ifndef MILLRACE_EXECUTOR_SERVICE_VALID_UTF8_H_
#define MILLRACE_EXECUTOR_SERVICE_VALID_UTF8_H_

#include <string>

namespace millrace::internal {

// `text` with every byte that is no part of well-formed UTF-8 replaced by U+FFFD. Errors quote what
// users and peers sent, but a message whose strings are not UTF-8 is refused by its receiver.
std::string ValidUtf8(std::string text);

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_SERVICE_VALID_UTF8_H_
