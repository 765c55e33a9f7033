#include "client/local/run_log.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "client/sink/console.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

std::string LastError(const ReceiverInfo& receiver) {
  if (receiver.last_error.empty()) return receiver.last_error_message;
  return absl::StrCat(receiver.last_error_message, ": ", receiver.last_error);
}

}  // namespace

void RunLog::OnReceiverError(const ReceiverInfo& receiver) {
  Console::Get().WriteLines([&] { LOG(WARNING) << receiver.name << ": " << LastError(receiver); });
}

void RunLog::OnReceiverStopped(const ReceiverInfo& receiver) {
  if (receiver.last_error.empty()) return;
  Console::Get().WriteLines(
      [&] { LOG(WARNING) << receiver.name << " stopped: " << LastError(receiver); });
}

void RunLog::OnOutputOperationCompleted(const OutputOperationInfo& operation) {
  if (!operation.failure_reason.has_value()) return;
  Console::Get().WriteLines([&] {
    LOG(ERROR) << operation.description << " failed in batch " << operation.batch_time << ": "
               << *operation.failure_reason;
  });
}

}  // namespace millrace::internal
