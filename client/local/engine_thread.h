// Telling the threads that stopping waits for from those that may wait for it.
#ifndef MILLRACE_CLIENT_LOCAL_ENGINE_THREAD_H_
#define MILLRACE_CLIENT_LOCAL_ENGINE_THREAD_H_

#include <memory>

#include "driver/event/streaming_listener.h"

namespace millrace::internal {

// The calling thread runs a function of the user's for the engine: a job, a batch being made, a
// listener. It must not wait for the engine to stop, for the engine waits for it.
bool OnEngineThread();

// Passes events on to `listener`; OnEngineThread() is true meanwhile.
std::shared_ptr<StreamingListener> GuardListener(std::shared_ptr<StreamingListener> listener);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_LOCAL_ENGINE_THREAD_H_
