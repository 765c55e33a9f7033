#include "client/rdd/save.h"

#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/rdd/input_files.h"
#include "client/rdd/job_scope.h"
#include "common/base/annotate_status.h"
#include "common/fs/atomic_output.h"
#include "common/fs/left_outputs.h"
#include "driver/service/driver_handle.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

absl::Status RunInto(const ContextRef& context, const RddRef& node, OperatorRef root,
                     const std::string& directory) {
  const std::string label = root->label;
  JobSpec job = MakeJob(node, std::move(root), label);
  job.output_path = directory;
  return context->driver->RunJob(std::move(job)).status();
}

// Nobody sees it, so what cannot be removed is no error of the batch.
void RemoveLeft(const JobScope& scope, const AtomicOutput& output) {
  if (scope.left_outputs() == nullptr) return;
  const absl::Status removed = scope.left_outputs()->Remove(output.path());
  LOG_IF(WARNING, !removed.ok()) << "what an earlier driver has left of '" << output.path()
                                 << "' stays: " << removed;
}

}  // namespace

const std::string& ProcessName() {
  static const std::string& name = *new std::string([] {
    std::random_device random;
    return absl::StrCat(absl::Hex(random(), absl::kZeroPad8), absl::Hex(random(), absl::kZeroPad8));
  }());
  return name;
}

absl::Status SaveFiles(const ContextRef& context, const RddRef& node, OperatorRef root,
                       const std::string& path) {
  const std::string label = root->label;
  if (node == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat(label, ": the RDD is default-constructed and holds no data set"));
  }
  const JobScope* const scope = JobScope::Current();
  const auto if_exists = scope == nullptr ? IfOutputExists::kFail : IfOutputExists::kReplace;
  AtomicOutput output(*context->fs, AbsolutePath(path),
                      absl::StrCat(ProcessName(), "-", context->driver->NewId()));
  if (scope != nullptr) RemoveLeft(*scope, output);
  absl::Status status = output.Begin(if_exists);
  if (!status.ok()) return AnnotateStatus(status, label);
  status = RunInto(context, node, std::move(root), output.staging_path());
  if (status.ok()) {
    status = output.Publish(if_exists);
    if (status.ok()) return status;
    status = AnnotateStatus(status, label);
  }
  output.Abandon().IgnoreError();
  return status;
}

}  // namespace millrace::internal
