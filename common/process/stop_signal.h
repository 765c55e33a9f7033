// SIGTERM and SIGINT of a daemon.
#ifndef MILLRACE_COMMON_PROCESS_STOP_SIGNAL_H_
#define MILLRACE_COMMON_PROCESS_STOP_SIGNAL_H_

namespace millrace {

// Before any thread is started: they all inherit it. The processes that a daemon starts do not.
void BlockStopSignals();

// Waits for one of them. A connection that breaks is no reason to end: SIGPIPE is ignored.
void AwaitStopSignal();

}  // namespace millrace

#endif  // MILLRACE_COMMON_PROCESS_STOP_SIGNAL_H_
