// Leaf that reads a partition of saved state: a file with all of it, and files with what changed
// since.
#ifndef MILLRACE_EXECUTOR_OPERATOR_SAVED_STATE_SOURCE_H_
#define MILLRACE_EXECUTOR_OPERATOR_SAVED_STATE_SOURCE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "executor/operator/combine_table.h"
#include "executor/operator/operator_base.h"
#include "executor/state/snapshot_writer.h"
#include "executor/state/state_file.h"

namespace millrace::internal {

// One file of a partition.
struct SavedPart {
  std::string path;
  int64_t time_ms = -1;  // The batch that it is as of.

  template <class Archive>
  void serialize(Archive& archive) {
    archive(path, time_ms);
  }
};

// The split of a SavedStateOperator.
struct SavedPartition {
  uint32_t partition = 0;
  std::vector<SavedPart> parts;  // Each builds on the one before it.

  template <class Archive>
  void serialize(Archive& archive) {
    archive(partition, parts);
  }
};

// Records of one file.
struct SavedRecords {
  std::string_view bytes;  // Pinned.
  uint32_t count = 0;
  int64_t time_ms = -1;         // The batch that they are as of.
  bool has_all_keys = false;    // No older file counts.
  bool is_object_file = false;  // Plain pairs, as they were saved before there were files of state.
  // Says that the bytes are not what they should be. Always false.
  std::function<bool()> fail;
};

// Calls `push` for the records of the split's files, those of the newest file first, up to the
// first one that has all keys; checks that each builds on the one before it. False as
// Operator::Compute.
bool PushSavedState(TaskNode& node, const std::function<bool(const SavedRecords&)>& push);

// Pairs of the keys of a partition of saved state and their states, `with_times` pairs of that and
// the time of the key's last record. The newest file is read first, so that a key that was seen
// before is known to be older: what is kept in memory are the keys that changed since the file with
// all of them. Binding: split, a SavedPartition.
template <class K, class S, bool with_times>
class SavedStateOperator : public Operator {
 public:
  using Value = std::conditional_t<with_times, std::pair<S, int64_t>, S>;
  using Record = std::pair<K, Value>;

  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<Record>* const sink = SinkOf<Record>(out);
    if (sink == nullptr) return FailWrongSink(node);
    Seen seen;
    return PushSavedState(
        node, [&](const SavedRecords& records) { return PushNewest(node, records, seen, *sink); });
  }

 private:
  struct Nothing {};
  using Seen = CombineTable<K, Nothing>;

  static bool PushNewest(TaskNode& node, const SavedRecords& records, Seen& seen,
                         ChunkSink<Record>& sink) {
    Decoder decoder(records.bytes);
    ChunkBuffer<Record> buffer(sink);
    for (uint32_t i = 0; i < records.count; ++i) {
      Record record{};
      const uint8_t mark = DecodeRecord(decoder, records, record);
      if (decoder.failed() || mark > kKeyHasState) return records.fail();
      const bool is_new = IsNew(records, seen, record.first);
      if (is_new && mark == kKeyHasState && !buffer.Emplace(std::move(record))) return false;
      if (node.task().cancelled()) return false;
    }
    return decoder.done() ? buffer.Flush() : records.fail();
  }

  static uint8_t DecodeRecord(Decoder& decoder, const SavedRecords& records, Record& record) {
    if (records.is_object_file) {
      Decode(decoder, record);
      return kKeyHasState;
    }
    const auto mark = decoder.GetFixed<uint8_t>();
    Decode(decoder, record.first);
    if (mark != kKeyHasState) return mark;
    if constexpr (with_times) {
      Decode(decoder, record.second.first);
      record.second.second = TouchedAt(decoder.GetVarint(), records.time_ms);
    } else {
      Decode(decoder, record.second);
    }
    return mark;
  }

  static bool IsNew(const SavedRecords& records, Seen& seen, const K& key) {
    if (records.has_all_keys && seen.size() == 0) return true;
    const uint64_t hash = StableHash(key);
    if (records.has_all_keys) return seen.Find(hash, key) == nullptr;
    bool is_new = false;
    seen.FindOrAdd(hash, key, is_new, [] { return Nothing(); });
    return is_new;
  }
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_SAVED_STATE_SOURCE_H_
