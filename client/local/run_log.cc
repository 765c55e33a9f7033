#include "client/local/run_log.h"

#include "glog/logging.h"

namespace millrace::internal {

void RunLog::OnReceiverError(const ReceiverInfo& receiver) {
  LOG(WARNING) << receiver.name << ": " << receiver.last_error_message << " "
               << receiver.last_error;
}

void RunLog::OnReceiverStopped(const ReceiverInfo& receiver) {
  if (receiver.last_error.empty()) return;
  LOG(WARNING) << receiver.name << " stopped: " << receiver.last_error_message << " "
               << receiver.last_error;
}

void RunLog::OnOutputOperationCompleted(const OutputOperationInfo& operation) {
  if (!operation.failure_reason.has_value()) return;
  LOG(ERROR) << operation.description << " failed in batch " << operation.batch_time << ": "
             << *operation.failure_reason;
}

}  // namespace millrace::internal
