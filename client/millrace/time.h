// Batch time.
#ifndef MILLRACE_CLIENT_MILLRACE_TIME_H_
#define MILLRACE_CLIENT_MILLRACE_TIME_H_

#include "common/time/time.h"

#endif  // MILLRACE_CLIENT_MILLRACE_TIME_H_
