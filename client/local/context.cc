#include <millrace/context.h>

#include <mutex>
#include <utility>

#include "client/local/context_core.h"
#include "client/rdd/input_files.h"
#include "client/rdd/local_properties.h"

namespace millrace {

Context::Context(const Conf& conf)
    : core_(std::make_shared<internal::ContextCore>(conf, internal::RuntimeOptions())) {}

Context::Context(std::shared_ptr<internal::ContextCore> core) : core_(std::move(core)) {}

absl::Status Context::status() const { return core_->status(); }

const Conf& Context::conf() const { return core_->state()->conf; }

int Context::default_parallelism() const { return core_->state()->default_parallelism; }

void Context::SetCheckpointDir(const std::string& directory) {
  const std::lock_guard lock(state()->checkpoint_mutex);
  state()->checkpoint_dir = internal::AbsolutePath(directory);
}

void Context::SetLocalProperty(std::string_view key, std::string_view value) const {
  if (value.empty()) {
    internal::ThreadProperties().erase(std::string(key));
  } else {
    internal::ThreadProperties()[std::string(key)] = std::string(value);
  }
}

std::optional<std::string> Context::GetLocalProperty(std::string_view key) const {
  const internal::LocalProperties& properties = internal::ThreadProperties();
  const auto found = properties.find(key);
  if (found == properties.end()) return std::nullopt;
  return found->second;
}

void Context::Stop() { core_->Stop(); }

const internal::ContextRef& Context::state() const { return core_->state(); }

}  // namespace millrace
