#include "client/rdd/state.h"

#include <utility>

#include "common/fs/atomic_output.h"
#include "common/fs/path.h"

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
                      const std::string& path) {
  return MakeWholeFiles(context, path, format.read, *format.type);
}

// A part has the keys of its partition, so none of them has to move.
RddRef LoadSavedState(const ContextRef& context, const StateFormat& format, const std::string& path,
                      int num_partitions, StateUpdateRef update) {
  std::vector<std::string> parts;
  parts.reserve(static_cast<size_t>(num_partitions));
  for (int part = 0; part < num_partitions; ++part) {
    parts.push_back(JoinPath(path, PartFileName(part)));
  }
  const auto partitioner = HashPartitionerSpec(num_partitions);
  KeyedInput saved;
  saved.parent = MakeSplits(context, format.read, *format.type, std::move(parts));
  saved.parent->partitioner = partitioner;
  saved.add_hash = format.add_hash;
  return MakeStateful(context, format.load, *format.type, {saved}, partitioner,
                      /*keeps_keys=*/false, std::move(update));
}

}  // namespace millrace::internal
