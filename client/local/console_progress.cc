#include "client/local/console_progress.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/sink/console.h"

namespace millrace::internal {
namespace {

// Short delays matter only where batches are short: three digits tell enough.
std::string Ms(std::chrono::microseconds duration) {
  const double ms = static_cast<double>(duration.count()) / 1000;
  return ms < 10 ? absl::StrFormat("%.2g ms", ms) : absl::StrFormat("%.0f ms", ms);
}

}  // namespace

std::string ProgressLine(const BatchInfo& batch) {
  const bool failed = std::any_of(
      batch.output_operation_infos.begin(), batch.output_operation_infos.end(),
      [](const auto& operation) { return operation.second.failure_reason.has_value(); });
  return absl::StrCat("Batch ", batch.batch_time.ms(), " ms: ", batch.num_records(),
                      " records, delay ", Ms(batch.precise_scheduling_delay), ", processing ",
                      Ms(batch.precise_processing_delay), failed ? ", failed" : "");
}

ConsoleProgress::~ConsoleProgress() { Console::Get().ClearProgress(); }

void ConsoleProgress::OnBatchCompleted(const BatchInfo& batch) {
  Console::Get().ShowProgress(ProgressLine(batch));
}

}  // namespace millrace::internal
