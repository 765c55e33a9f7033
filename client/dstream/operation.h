// What was asked for, and where in the user's program: whom an error names.
#ifndef MILLRACE_CLIENT_DSTREAM_OPERATION_H_
#define MILLRACE_CLIENT_DSTREAM_OPERATION_H_

#include <string>

#include "common/base/source_location.h"

namespace millrace::internal {

struct Operation {
  const char* name = "";  // "ReduceByKeyAndWindow"; lives as long as the program.
  Location where;
};

// "ReduceByKeyAndWindow at word_count.cc:14"
std::string ToString(const Operation& operation);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_DSTREAM_OPERATION_H_
