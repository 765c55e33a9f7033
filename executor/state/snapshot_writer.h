// Saves a state partition to a file, for a driver to come. Included by user programs.
#ifndef MILLRACE_EXECUTOR_STATE_SNAPSHOT_WRITER_H_
#define MILLRACE_EXECUTOR_STATE_SNAPSHOT_WRITER_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "common/fs/atomic_output.h"
#include "common/record/codec.h"
#include "executor/task/task_node.h"

namespace millrace::internal {

// Writes a file of state (executor/state/state_file.h), part file of the directory that the task's
// state binding names. An error does not fail the task, for the update is as good as ever: it is
// logged, and the driver sees that the part is missing.
//
// One task, one thread.
class SnapshotWriter {
 public:
  // `since_ms`: as StateFileHead says.
  SnapshotWriter(TaskNode& node, const SnapshotOrder& order, int64_t since_ms);

  // False: an error has come.
  bool is_open() const { return file_.has_value(); }
  // For one key, which KeyDone ends.
  Encoder& BeginKey(bool has_state);
  void KeyDone() {
    ++record_count_;
    if (encoder_.size() >= kFlushBytes) Flush();
  }
  // The part is complete. False: it is not there.
  bool Finish();

 private:
  static constexpr size_t kFlushBytes = size_t{256} << 10;

  void Flush();
  // Notes an error and gives up.
  void Check(const absl::Status& status);

  TaskNode& node_;
  std::optional<PartFile> file_;
  Encoder encoder_;
  uint32_t record_count_ = 0;
  uint32_t frame_count_ = 0;
};

// The time of a key's last record, as files of state have it: 0 for none, which time 0 stands for,
// else 1 and the milliseconds from then to when the state was saved.
inline uint64_t AgeOf(int64_t touched_ms, int64_t saved_ms) {
  return touched_ms == 0 ? 0
                         : static_cast<uint64_t>(saved_ms) - static_cast<uint64_t>(touched_ms) + 1;
}
inline int64_t TouchedAt(uint64_t age, int64_t saved_ms) {
  return age == 0 ? 0 : static_cast<int64_t>(static_cast<uint64_t>(saved_ms) - (age - 1));
}

// What the task's state binding asks for, with the times of the keys' last records or without.
template <bool with_times, class Table>
void SaveState(TaskNode& node, Table& table) {
  const SnapshotOrder order = node.snapshot_order();
  if (order.directory.empty() || node.task().failed()) return;
  const int64_t since_ms = table.KeepChangesSince(order.since_ms);
  SnapshotWriter writer(node, order, since_ms);
  const auto save = [&](const typename Table::Entry& entry) {
    if (!writer.is_open()) return;
    Encoder& encoder = writer.BeginKey(entry.alive);
    Encode(encoder, entry.key);
    if (entry.alive) {
      Encode(encoder, entry.state);
      if constexpr (with_times) encoder.PutVarint(AgeOf(entry.touched_ms, order.time_ms));
    }
    writer.KeyDone();
  };
  if (since_ms < 0) {
    for (const auto& entry : table.entries()) {
      if (entry.alive) save(entry);
    }
  } else {
    table.ForEachChange(save);
  }
  if (writer.Finish()) table.Saved(order.time_ms);
}

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_STATE_SNAPSHOT_WRITER_H_
