#include "client/rdd/state.h"

#include <string>
#include <utility>
#include <vector>

#include "common/base/mistake.h"
#include "common/fs/atomic_output.h"
#include "common/fs/path.h"
#include "common/record/codec.h"

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

RddRef ReadSavedState(const ContextRef& context, const StateFormat& format,
                      const SavedChain& saved) {
  std::vector<std::string> splits;
  splits.reserve(static_cast<size_t>(saved.num_partitions));
  for (int i = 0; i < saved.num_partitions; ++i) {
    SavedPartition partition{static_cast<uint32_t>(i), {}};
    for (const SavedChain::Link& link : saved.links) {
      if (IsMade(Mistake::kSavedChangesForgotten) && !partition.parts.empty()) break;
      partition.parts.push_back({JoinPath(link.path, PartFileName(i)), link.time_ms});
    }
    Encoder split;
    Encode(split, partition);
    splits.push_back(split.ToString());
  }
  return MakeSplits(context, format.read, *format.type, std::move(splits));
}

// A part has the keys of its partition, so none of them has to move.
RddRef LoadSavedState(const ContextRef& context, const StateFormat& format, const SavedChain& saved,
                      StateUpdateRef update) {
  const auto partitioner = HashPartitionerSpec(saved.num_partitions);
  KeyedInput input;
  input.parent = ReadSavedState(context, format, saved);
  input.parent->partitioner = partitioner;
  input.add_hash = format.add_hash;
  return MakeStateful(context, format.load, *format.type, {input}, partitioner,
                      /*keeps_keys=*/false, std::move(update));
}

}  // namespace millrace::internal
