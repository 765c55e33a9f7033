#include <algorithm>
#include <utility>

#include "client/dstream/stream_ref.h"
#include "client/rdd/lineage.h"
#include "executor/operator/partition_ops.h"

namespace millrace::internal {
namespace {

bool PartitionedAlike(const std::vector<RddRef>& data_sets) {
  const auto& first = data_sets.front()->partitioner;
  return first != nullptr &&
         std::all_of(data_sets.begin(), data_sets.end(), [&first](const RddRef& data_set) {
           return data_set->partitioner != nullptr && *data_set->partitioner == *first;
         });
}

// Partition p holds partition p of each data set.
RddRef AlignedUnion(const ContextRef& context, const RecordTypeOperators& type,
                    std::vector<RddRef> data_sets) {
  static const OperatorRef& aligned =
      *new OperatorRef(MakeSpec<AlignedUnionOperator>("", "Window"));
  RddRef node = MakeNode(context, aligned, type, data_sets.front()->num_partitions);
  node->partitioner = data_sets.front()->partitioner;
  for (RddRef& data_set : data_sets) {
    Dependency dependency;
    dependency.kind = DependencyKind::kOneToOne;
    dependency.parent = std::move(data_set);
    node->dependencies.push_back(std::move(dependency));
  }
  return node;
}

}  // namespace

RddRef UniteWindow(const ContextRef& context, const RecordTypeOperators& type,
                   std::vector<RddRef> data_sets) {
  if (data_sets.size() > 1 && PartitionedAlike(data_sets)) {
    return AlignedUnion(context, type, std::move(data_sets));
  }
  return MakeUnion(context, type, std::move(data_sets));
}

}  // namespace millrace::internal
