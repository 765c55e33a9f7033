// How keyed state is saved and read again.
#ifndef MILLRACE_CLIENT_RDD_STATE_FORMAT_H_
#define MILLRACE_CLIENT_RDD_STATE_FORMAT_H_

#include <functional>
#include <string>

#include "client/rdd/context_state.h"
#include "driver/lineage/rdd_node.h"

namespace millrace::internal {

struct StateFormat {
  std::string schema;  // Of its records (common/record/schema.h).
  // The data set of a saved state's directory.
  std::function<RddRef(const ContextRef&, const std::string& path)> read;
  // An update that changes nothing, and what it puts out none of.
  OperatorRef save;
  const RecordTypeOperators* type = nullptr;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_STATE_FORMAT_H_
