// The line on a terminal that says how the batches are doing.
#ifndef MILLRACE_CLIENT_LOCAL_CONSOLE_PROGRESS_H_
#define MILLRACE_CLIENT_LOCAL_CONSOLE_PROGRESS_H_

#include <string>

#include "driver/event/streaming_listener.h"

namespace millrace::internal {

// Rewrites one line of the console for each batch that completes.
class ConsoleProgress final : public StreamingListener {
 public:
  ~ConsoleProgress() override;
  void OnBatchCompleted(const BatchInfo& batch) override;
};

// "Batch 1357008430000 ms: 1200 records, delay 1.2 ms, processing 14 ms"
std::string ProgressLine(const BatchInfo& batch);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_LOCAL_CONSOLE_PROGRESS_H_
