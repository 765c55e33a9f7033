#include <millrace/context.h>

#include <mutex>
#include <utility>

#include "client/local/context_core.h"
#include "client/rdd/input_files.h"

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

void Context::Stop() { core_->Stop(); }

const internal::ContextRef& Context::state() const { return core_->state(); }

}  // namespace millrace
