#include "client/rdd/state.h"

#include <utility>

namespace millrace::internal {

RddRef MakeStateful(const ContextRef& context, OperatorRef op, const RecordTypeOperators& type,
                    const std::vector<KeyedInput>& inputs,
                    const std::shared_ptr<const PartitionerSpec>& partitioner, bool keeps_keys,
                    StateUpdateRef update) {
  RddRef node = MakeKeyed(context, std::move(op), type, inputs, partitioner, keeps_keys);
  node->batch_time_ms = update->batch_time_ms;
  node->state = std::move(update);
  PersistNode(context, node, StorageLevel::kMemoryAndDisk);
  return node;
}

}  // namespace millrace::internal
