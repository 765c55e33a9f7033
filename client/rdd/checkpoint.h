// Data sets that begin anew: written to the checkpoint directory, and read from there.
#ifndef MILLRACE_CLIENT_RDD_CHECKPOINT_H_
#define MILLRACE_CLIENT_RDD_CHECKPOINT_H_

#include <string>

#include "client/rdd/data_set_format.h"
#include "client/rdd/rdd_base.h"
#include "common/record/schema.h"
#include "executor/operator/object_file_source.h"
#include "executor/sink/save_operators.h"

namespace millrace::internal {

// Runs `write` on the partitions of `node`, into a new directory below that of the context; a leaf
// that reads them by `read`, partitioned as `node`. A failed data set when that fails, or where the
// context has no checkpoint directory.
RddRef MakeCheckpoint(const ContextRef& context, const RecordTypeOperators& type,
                      const RddRef& node, OperatorRef write, OperatorRef read);

template <class T>
RDD<T> Checkpoint(const RDD<T>& rdd, Location where) {
  if (!rdd) return rdd;
  const std::string label = OperatorLabel("Checkpoint", where);
  return RDD<T>(rdd.context(),
                MakeCheckpoint(rdd.context(), RecordOperators<T>(), rdd.node(),
                               MakeSpec<SaveObjectsOperator<T>>("", label, BindingKind::kOutput),
                               MakeSpec<ObjectFileOperator<T>>("", label, BindingKind::kSplit)));
}

// How data sets of T are saved by others.
template <class T>
DataSetFormat MakeDataSetFormat(Location where) {
  const std::string label = OperatorLabel("Checkpoint", where);
  return {MakeSpec<SaveObjectsOperator<T>>("", label, BindingKind::kOutput),
          MakeSpec<ObjectFileOperator<T>>("", label, BindingKind::kSplit), SchemaOf<Owned<T>>(),
          &RecordOperators<T>()};
}

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_CHECKPOINT_H_
