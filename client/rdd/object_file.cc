#include "client/rdd/object_file.h"

#include <utility>
#include <vector>

#include "client/rdd/input_files.h"

namespace millrace::internal {

RddRef MakeWholeFiles(const ContextRef& context, const std::string& path, OperatorRef op,
                      const RecordTypeOperators& type) {
  auto files = FindInputPaths(*context->fs, path);
  if (!files.ok()) return MakeFailed(context, type, files.status(), op->label);
  std::vector<std::string> splits;
  for (InputPath& file : *files) splits.push_back(std::move(file.path));
  return MakeSplits(context, std::move(op), type, std::move(splits));
}

}  // namespace millrace::internal
