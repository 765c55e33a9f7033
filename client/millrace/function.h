// Functions that carry data openly, and named functions.
#ifndef MILLRACE_CLIENT_MILLRACE_FUNCTION_H_
#define MILLRACE_CLIENT_MILLRACE_FUNCTION_H_

#include "common/function/bind_front.h"

#endif  // MILLRACE_CLIENT_MILLRACE_FUNCTION_H_
