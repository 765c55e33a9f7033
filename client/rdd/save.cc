#include "client/rdd/save.h"

#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/rdd/input_files.h"
#include "client/rdd/job_scope.h"
#include "common/base/annotate_status.h"
#include "common/fs/atomic_output.h"
#include "driver/service/driver_handle.h"

namespace millrace::internal {
namespace {

absl::Status RunInto(const ContextRef& context, const RddRef& node, OperatorRef root,
                     const std::string& directory) {
  const std::string label = root->label;
  JobSpec job = MakeJob(node, std::move(root), label);
  job.output_path = directory;
  return context->driver->RunJob(std::move(job)).status();
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
  const auto if_exists =
      JobScope::Current() == nullptr ? IfOutputExists::kFail : IfOutputExists::kReplace;
  AtomicOutput output(*context->fs, AbsolutePath(path),
                      absl::StrCat(ProcessName(), "-", context->driver->NewId()));
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
