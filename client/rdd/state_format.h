// How keyed state is saved and read again.
#ifndef MILLRACE_CLIENT_RDD_STATE_FORMAT_H_
#define MILLRACE_CLIENT_RDD_STATE_FORMAT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "driver/lineage/rdd_node.h"

namespace millrace::internal {

struct StateFormat {
  std::string schema;    // Of its records (common/record/schema.h).
  OperatorRef read;      // Leaf: SavedStateOperator.
  OperatorRef add_hash;  // On what `read` gives.
  // Updates that put out none of `type`: one that changes nothing, and one that starts with what
  // was saved, its input.
  OperatorRef save;
  OperatorRef load;
  const RecordTypeOperators* type = nullptr;
};

// Where a state is saved: a directory with all of its keys and, each building on the one before it,
// directories with what changed since. In each a part for every partition.
struct SavedChain {
  struct Link {
    std::string path;
    int64_t time_ms = -1;  // The batch that it is as of.
    int64_t bytes = 0;     // Of its parts.
  };
  int num_partitions = 0;
  std::vector<Link> links;  // Oldest first. None: nothing was saved.
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_STATE_FORMAT_H_
