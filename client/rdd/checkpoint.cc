#include "client/rdd/checkpoint.h"

#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/rdd/object_file.h"
#include "client/rdd/save.h"

namespace millrace::internal {
namespace {

std::string CheckpointDir(const ContextState& context) {
  const std::lock_guard lock(context.checkpoint_mutex);
  return context.checkpoint_dir;
}

}  // namespace

RddRef MakeCheckpoint(const ContextRef& context, const RecordTypeOperators& type,
                      const RddRef& node, OperatorRef write, OperatorRef read) {
  const std::string label = read->label;
  const std::string directory = CheckpointDir(*context);
  if (directory.empty()) {
    return MakeFailed(context, type,
                      absl::FailedPreconditionError(
                          "the checkpoint directory has not been set; call "
                          "Context::SetCheckpointDir(directory), or for the data sets of streams "
                          "StreamingContext::Checkpoint(directory)"),
                      label);
  }
  const std::string path = absl::StrCat(directory, "/rdds-", ProcessName(), "/rdd-", node->rdd_id);
  const absl::Status saved = SaveFiles(context, node, std::move(write), path);
  if (!saved.ok()) return MakeFailed(context, type, saved, label);
  RddRef checkpoint = MakeWholeFiles(context, path, std::move(read), type);
  if (checkpoint->num_partitions == node->num_partitions) {
    checkpoint->partitioner = node->partitioner;
  }
  return checkpoint;
}

}  // namespace millrace::internal
