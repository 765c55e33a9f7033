// How keyed state is saved and read again.
#ifndef MILLRACE_CLIENT_RDD_STATE_FORMAT_H_
#define MILLRACE_CLIENT_RDD_STATE_FORMAT_H_

#include <string>

#include "driver/lineage/rdd_node.h"

namespace millrace::internal {

struct StateFormat {
  std::string schema;    // Of its records (common/record/schema.h).
  OperatorRef read;      // Leaf; its splits are the paths of files.
  OperatorRef add_hash;  // On what `read` gives.
  // Updates that put out none of `type`: one that changes nothing, and one that starts with what
  // was saved, its input.
  OperatorRef save;
  OperatorRef load;
  const RecordTypeOperators* type = nullptr;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_STATE_FORMAT_H_
