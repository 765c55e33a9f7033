#include <millrace/testing.h>

#include "client/local/context_core.h"
#include "client/local/streaming_core.h"

namespace millrace::testing {
namespace {

// A batch that takes longer hangs.
constexpr std::chrono::milliseconds kBatchTimeout = std::chrono::minutes(2);

StreamingContext MakeContext(std::chrono::milliseconds interval, StreamHarness::Options options) {
  options.conf.SetMaster(options.master);
  internal::RuntimeOptions runtime;
  runtime.manual_clock = true;
  StreamingContext context(std::make_shared<internal::StreamingCore>(
      std::make_shared<internal::ContextCore>(options.conf, runtime), interval));
  if (!options.checkpoint_dir.empty()) context.Checkpoint(options.checkpoint_dir);
  return context;
}

}  // namespace

StreamHarness::StreamHarness(internal::DurationParam interval, Options options)
    : interval_(interval), context_(MakeContext(interval, std::move(options))) {}

absl::Status StreamHarness::StartOnce(Location at) {
  // A test may have started the context itself.
  if (context_.State() == StreamingContextState::kActive) return absl::OkStatus();
  if (!started_.has_value()) started_ = context_.core().Start(at, /*catch_signals=*/false);
  return *started_;
}

absl::Status StreamHarness::RunBatches(int n, Location at) {
  if (absl::Status status = StartOnce(at); !status.ok()) return status;
  // A recovery may have moved the clock on.
  if (const auto runtime = context_.core().context()->runtime()) {
    batches_run_ = (runtime->Now() - Time(0)) / interval_;
  }
  absl::Status first_error;
  for (int i = 0; i < n; ++i) {
    ++batches_run_;
    first_error.Update(context_.core().RunBatch(Time(0) + batches_run_ * interval_, kBatchTimeout));
  }
  return first_error;
}

absl::Status StreamHarness::RestartDriver() { return context_.core().RestartDriver(); }

}  // namespace millrace::testing
