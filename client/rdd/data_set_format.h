// How data sets of one record type are saved and read again.
#ifndef MILLRACE_CLIENT_RDD_DATA_SET_FORMAT_H_
#define MILLRACE_CLIENT_RDD_DATA_SET_FORMAT_H_

#include <string>

#include "driver/lineage/rdd_node.h"

namespace millrace::internal {

struct DataSetFormat {
  OperatorRef write;   // Root: a file for each partition. Null: they cannot be saved.
  OperatorRef read;    // Leaf; its split is a file.
  std::string schema;  // Of a record (common/record/schema.h).
  const RecordTypeOperators* type = nullptr;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_DATA_SET_FORMAT_H_
