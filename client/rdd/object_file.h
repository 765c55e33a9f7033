// Files of encoded records as data sets.
#ifndef MILLRACE_CLIENT_RDD_OBJECT_FILE_H_
#define MILLRACE_CLIENT_RDD_OBJECT_FILE_H_

#include <string>

#include "client/rdd/rdd_base.h"
#include "executor/operator/object_file_source.h"

namespace millrace::internal {

// One partition for each file that `path` names (see FindInputPaths).
RddRef MakeWholeFiles(const ContextRef& context, const std::string& path, OperatorRef op,
                      const RecordTypeOperators& type);

// What SaveAsObjectFile has written of a data set of T.
template <class T>
RDD<T> MakeObjectFile(const ContextRef& context, const std::string& path, Location where) {
  OperatorRef op =
      MakeSpec<ObjectFileOperator<T>>("", OperatorLabel("ObjectFile", where), BindingKind::kSplit);
  return RDD<T>(context, MakeWholeFiles(context, path, std::move(op), RecordOperators<T>()));
}

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_OBJECT_FILE_H_
