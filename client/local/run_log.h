// Saying what went wrong in a run, for whoever does not listen.
#ifndef MILLRACE_CLIENT_LOCAL_RUN_LOG_H_
#define MILLRACE_CLIENT_LOCAL_RUN_LOG_H_

#include "driver/event/streaming_listener.h"

namespace millrace::internal {

// Logs a warning for each error of a receiver and an error for each failed output, on lines of
// their own (see Console). Hears of trouble alone.
class RunLog final : public StreamingListener {
 public:
  void OnReceiverError(const ReceiverInfo& receiver) override;
  void OnReceiverStopped(const ReceiverInfo& receiver) override;
  void OnOutputOperationCompleted(const OutputOperationInfo& operation) override;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_LOCAL_RUN_LOG_H_
