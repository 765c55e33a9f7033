// Writing data sets to directories of part files.
#ifndef MILLRACE_CLIENT_RDD_SAVE_H_
#define MILLRACE_CLIENT_RDD_SAVE_H_

#include <string>

#include "absl/status/status.h"
#include "client/rdd/rdd_base.h"
#include "common/text/text_form.h"
#include "executor/sink/save_operators.h"

namespace millrace::internal {

// Tells what this process writes from what every other one writes beside it.
const std::string& ProcessName();

// Runs `root`, which writes a part file for each partition, and makes the directory appear as a
// whole. Within a batch it replaces what an earlier run of the batch has written there; otherwise
// an existing directory is AlreadyExists.
absl::Status SaveFiles(const ContextRef& context, const RddRef& node, OperatorRef root,
                       const std::string& path);

template <class T>
absl::Status SaveAsText(const RDD<T>& rdd, const std::string& path, Location where) {
  CheckTextForm<T>();
  return SaveFiles(rdd.context(), rdd.node(),
                   MakeSpec<SaveTextOperator<T>>("", OperatorLabel("SaveAsTextFile", where),
                                                 BindingKind::kOutput),
                   path);
}

template <class T>
absl::Status SaveAsObjects(const RDD<T>& rdd, const std::string& path, Location where) {
  return SaveFiles(rdd.context(), rdd.node(),
                   MakeSpec<SaveObjectsOperator<T>>("", OperatorLabel("SaveAsObjectFile", where),
                                                    BindingKind::kOutput),
                   path);
}

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_SAVE_H_
