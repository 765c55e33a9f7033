#include <millrace/streaming_context.h>

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/dstream/input_node.h"
#include "client/dstream/stream_graph.h"
#include "client/local/earlier_driver.h"
#include "client/local/streaming_core.h"
#include "client/local/streaming_settings.h"
#include "common/config/keys.h"
#include "common/fs/local_file_system.h"
#include "driver/checkpoint/checkpoint_store.h"

namespace millrace {
namespace {

using internal::Operation;
using internal::RunState;
using internal::StreamingCore;

std::shared_ptr<StreamingCore> MakeCore(const Context& context, std::chrono::milliseconds interval,
                                        internal::Location at) {
  auto core = std::make_shared<StreamingCore>(context.core(), interval);
  const Operation operation{"StreamingContext", at};
  if (interval <= std::chrono::milliseconds(0)) {
    core->graph()->AddError(operation, absl::StrCat("the batch interval must be positive, got ",
                                                    interval.count(), " ms"));
  }
  const auto directory = context.conf().GetString(keys::kCheckpointDirectory);
  if (directory.has_value()) core->Checkpoint(operation, *directory);
  return core;
}

}  // namespace

StreamingContext::StreamingContext(const Conf& conf, Duration batch_interval, Location at)
    : StreamingContext(Context(conf), batch_interval, at) {}

StreamingContext::StreamingContext(Context context, Duration batch_interval, Location at)
    : context_(std::move(context)), core_(MakeCore(context_, batch_interval, at)) {}

StreamingContext::StreamingContext(std::shared_ptr<StreamingCore> core)
    : context_(core->context()), core_(std::move(core)) {}

StreamingContext::StreamingContext(StreamingContext&&) noexcept = default;

StreamingContext& StreamingContext::operator=(StreamingContext&& other) noexcept {
  std::swap(context_, other.context_);
  std::swap(core_, other.core_);
  std::swap(queue_mutex_, other.queue_mutex_);
  return *this;
}

StreamingContext::~StreamingContext() = default;

absl::Status StreamingContext::CheckCheckpointDirectory(const std::string& directory) {
  if (directory.empty()) {
    return absl::InvalidArgumentError("GetOrCreate: the checkpoint directory's name is empty");
  }
  internal::SetEarlierDriver(internal::EarlierDriver());
  LocalFileSystem fs;
  const auto info = fs.Stat(directory);
  if (absl::IsNotFound(info.status())) return absl::OkStatus();
  if (!info.ok()) return info.status();
  const auto latest = internal::CheckpointStore(fs, directory).ReadLatest();
  if (!latest.ok()) return latest.status();
  if (latest->has_value()) internal::SetEarlierDriver({{(*latest)->application_id()}});
  return absl::OkStatus();
}

void StreamingContext::RecoverFrom(const std::string& directory, Location at) {
  internal::SetEarlierDriver(std::nullopt);  // `create` has used a context that was there before.
  core_->RecoverFrom({"GetOrCreate", at}, directory);
}

absl::Status StreamingContext::Start(Location at) {
  return core_->Start(at, /*catch_signals=*/true);
}

absl::Status StreamingContext::AwaitTermination() {
  return core_->Await(std::chrono::milliseconds(-1)).status();
}

absl::StatusOr<bool> StreamingContext::AwaitTerminationOrTimeout(Duration timeout) {
  return core_->Await(std::max<std::chrono::milliseconds>(timeout, std::chrono::milliseconds(0)));
}

void StreamingContext::Stop() {
  core_->Stop(/*graceful=*/false, internal::StopsContextByDefault(context_.conf()));
}

void StreamingContext::Stop(StopOptions options) {
  core_->Stop(options.graceful, options.stop_context);
}

int StreamingContext::Run(Location at) {
  absl::Status status = Start(at);
  if (status.ok()) status = AwaitTermination();
  if (status.ok()) return 0;
  if (core_->state() == RunState::kActive) Stop();
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}

StreamingContextState StreamingContext::State() const {
  switch (core_->state()) {
    case RunState::kInitialized:
      return StreamingContextState::kInitialized;
    case RunState::kActive:
      return StreamingContextState::kActive;
    case RunState::kStopped:
      return StreamingContextState::kStopped;
  }
  return StreamingContextState::kStopped;
}

void StreamingContext::Remember(Duration duration, Location at) {
  graph()->Remember({"Remember", at}, duration);
}

void StreamingContext::Checkpoint(const std::string& directory, Location at) {
  core_->Checkpoint({"Checkpoint", at}, directory);
}

void StreamingContext::AddStreamingListener(std::shared_ptr<StreamingListener> listener) {
  core_->AddListener(std::move(listener));
}

std::chrono::milliseconds StreamingContext::batch_interval() const {
  return graph()->batch_interval();
}

const std::shared_ptr<internal::StreamGraph>& StreamingContext::graph() const {
  return core_->graph();
}

Time StreamingContext::Now() const {
  const auto runtime = core_->context()->runtime();
  return runtime == nullptr ? Time(0) : runtime->Now();
}

DStream<std::string_view> StreamingContext::TextFileStream(const std::string& directory,
                                                           const FileStreamOptions& options,
                                                           Location at) {
  using internal::InputFile;
  const Operation operation{"TextFileStream", at};
  return DStream<std::string_view>(internal::AddFiles(
      operation, graph(), directory, options, Now(),
      [context = context_.state(), op = internal::TextFilesOperator(internal::ToString(operation))](
          const std::vector<InputFile>& files) {
        return internal::ReadTextFiles(context, op, internal::RecordOperators<std::string_view>(),
                                       files);
      }));
}

internal::StreamRef StreamingContext::NoStreams(const Operation& operation) const {
  graph()->AddError(operation, "there are no streams to unite");
  return internal::AddGenerated(
      operation, graph(), "Empty",
      [](Time, int64_t*) -> absl::StatusOr<internal::RddRef> { return nullptr; });
}

}  // namespace millrace
