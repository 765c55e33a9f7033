// Making lineage nodes: what the typed transformations of this folder come down to, compiled once.
//
// A null parent, that of an empty handle, makes a null node.
#ifndef MILLRACE_CLIENT_RDD_LINEAGE_H_
#define MILLRACE_CLIENT_RDD_LINEAGE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/rdd/context_state.h"
#include "common/base/source_location.h"
#include "driver/lineage/rdd_node.h"

namespace millrace::internal {

struct JobSpec;

// "Map at network_word_count.cc:14"
std::string OperatorLabel(const char* operation, const Location& where);

// A node without dependencies yet, with an id of its own and the batch of the thread's JobScope.
RddRef MakeNode(const ContextRef& context, OperatorRef op, const RecordTypeOperators& type,
                int num_partitions);

// One operator on each partition of `parent`. A partitioner survives only operators that leave keys
// alone.
RddRef MakeNarrow(const ContextRef& context, OperatorRef op, const RecordTypeOperators& type,
                  const RddRef& parent, bool keeps_partitioner);

// The partitions of all parents, in their order; no parents: an empty data set. Parents that are
// partitioned alike are united partition by partition, so that the result is partitioned too.
RddRef MakeUnion(const ContextRef& context, const RecordTypeOperators& type,
                 std::vector<RddRef> parents);

// Partition p holds the parent's partitions `groups[p]`, in that order.
RddRef MakeConcat(const ContextRef& context, const RecordTypeOperators& type, const RddRef& parent,
                  std::vector<std::vector<int>> groups);

// Partition p * m + q: `op` over partition p of the first parent, q of the second, which has m.
RddRef MakeProduct(const ContextRef& context, OperatorRef op, const RecordTypeOperators& type,
                   const RddRef& first, const RddRef& second);

// A leaf whose operator reads the split that travels with each task (values, a piece of a file).
RddRef MakeSplits(const ContextRef& context, OperatorRef op, const RecordTypeOperators& type,
                  std::vector<std::string> splits);

// InvalidArgument unless it is positive.
absl::Status CheckPartitionCount(int num_partitions);

// A data set that could not be made: every action on it returns `error`.
RddRef MakeFailed(const ContextRef& context, const RecordTypeOperators& type,
                  const absl::Status& error, const std::string& label);

// One keyed input of an operator that wants all records of a key together, as HashedRecord.
struct KeyedInput {
  RddRef parent;
  OperatorRef write;     // Root of the map stage.
  OperatorRef read;      // Leaf of the reduce stage.
  OperatorRef add_hash;  // Instead of both, when the parent is partitioned already.
};

// `op` over inputs that are brought together by `partitioner`. An input that is partitioned like
// that is not shuffled again. The result is partitioned if `keeps_keys`.
RddRef MakeKeyed(const ContextRef& context, OperatorRef op, const RecordTypeOperators& type,
                 const std::vector<KeyedInput>& inputs,
                 const std::shared_ptr<const PartitionerSpec>& partitioner, bool keeps_keys = true);

// A shuffle that knows no keys.
RddRef MakeRedistributed(const ContextRef& context, OperatorRef op, OperatorRef write,
                         OperatorRef read, const RecordTypeOperators& type, const RddRef& parent,
                         int num_partitions);

// The partitioner of a keyed operation that names none: that of the first parent that has one, else
// by hash into millrace.default.parallelism partitions, else into as many as the largest parent
// has.
std::shared_ptr<const PartitionerSpec> DefaultPartitioner(const ContextRef& context,
                                                          const std::vector<RddRef>& parents);
std::shared_ptr<const PartitionerSpec> HashPartitionerSpec(int num_partitions);
bool IsPartitionedBy(const RddRef& node, const PartitionerSpec& partitioner);

// Workers keep the data set's partitions from its first computation on.
void PersistNode(const ContextRef& context, const RddRef& node, StorageLevel level);
void UnpersistNode(const RddRef& node);

// A job that runs `root` on all partitions of `node`, on behalf of the thread's JobScope.
JobSpec MakeJob(const RddRef& node, OperatorRef root, const std::string& description);

// Runs `root` on partitions of `node`, all of them by default, on behalf of the thread's JobScope.
// FailedPrecondition when `node` is null.
absl::StatusOr<std::vector<std::string>> RunAction(const ContextRef& context, const RddRef& node,
                                                   OperatorRef root,
                                                   const std::string& description);
absl::StatusOr<std::vector<std::string>> RunAction(const ContextRef& context, const RddRef& node,
                                                   OperatorRef root, const std::string& description,
                                                   std::vector<int> partitions);

// The groups of Coalesce: `count` runs of neighbouring partitions of about the same length.
std::vector<std::vector<int>> CoalesceGroups(int partitions, int count);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_LINEAGE_H_
