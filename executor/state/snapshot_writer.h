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

// Writes an object file, part file of the directory that the task's state binding names. An error
// does not fail the task, for the update is as good as ever: it is logged, and the driver sees that
// the part is missing.
//
// One task, one thread.
class SnapshotWriter {
 public:
  explicit SnapshotWriter(TaskNode& node);

  // False: nothing is to be saved, or an error has come.
  bool is_open() const { return file_.has_value(); }
  // For one record, which RecordDone ends.
  Encoder& encoder() { return encoder_; }
  void RecordDone() {
    ++record_count_;
    if (encoder_.size() >= kFlushBytes) Flush();
  }
  // The part is complete.
  void Finish();

 private:
  static constexpr size_t kFlushBytes = size_t{256} << 10;

  void Flush();
  // Notes an error and gives up.
  void Check(const absl::Status& status);

  TaskNode& node_;
  std::optional<PartFile> file_;
  Encoder encoder_;
  uint32_t record_count_ = 0;
};

// Records: pairs of key and state, or of key and a pair of state and the time of the key's last
// record.
template <bool with_times, class Table>
void SaveState(TaskNode& node, Table& table) {
  SnapshotWriter writer(node);
  if (!writer.is_open()) return;
  for (const auto& entry : table.entries()) {
    if (!entry.alive) continue;
    Encode(writer.encoder(), entry.key);
    Encode(writer.encoder(), entry.state);
    if constexpr (with_times) Encode(writer.encoder(), entry.touched_ms);
    writer.RecordDone();
  }
  writer.Finish();
}

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_STATE_SNAPSHOT_WRITER_H_
