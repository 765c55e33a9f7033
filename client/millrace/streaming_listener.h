// Watching a streaming run.
#ifndef MILLRACE_CLIENT_MILLRACE_STREAMING_LISTENER_H_
#define MILLRACE_CLIENT_MILLRACE_STREAMING_LISTENER_H_

#include "driver/event/streaming_listener.h"

#endif  // MILLRACE_CLIENT_MILLRACE_STREAMING_LISTENER_H_
