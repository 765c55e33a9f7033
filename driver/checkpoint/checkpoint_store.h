// The checkpoint directory of an application.
#ifndef MILLRACE_DRIVER_CHECKPOINT_CHECKPOINT_STORE_H_
#define MILLRACE_DRIVER_CHECKPOINT_CHECKPOINT_STORE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/fs/file_system.h"
#include "proto/checkpoint.pb.h"

namespace millrace::internal {

// Threads: one at a time. One live store writes to a directory.
class CheckpointStore {
 public:
  // Checkpoints; older ones are removed.
  static constexpr size_t kKept = 3;

  // `fs` outlives the store.
  CheckpointStore(FileSystem& fs, std::string directory)
      : fs_(fs), directory_(std::move(directory)) {}

  const std::string& directory() const { return directory_; }
  // Where the states that checkpoints name are saved.
  std::string state_directory() const;

  // The newest checkpoint; none when there is no directory or no checkpoint in it. DataLoss,
  // Unimplemented: it cannot be read; the message says which file, why, and what can be done.
  absl::StatusOr<std::optional<proto::Checkpoint>> ReadLatest();

  // To be called before the first Write: removes what a run that was cut off has left, half-written
  // or written for a checkpoint that never came.
  absl::Status Open();
  // On the disk when this returns; on an error the checkpoints that were there still are. Then
  // what only older checkpoints need is removed.
  absl::Status Write(const proto::Checkpoint& checkpoint);

 private:
  struct Kept {
    int64_t number = 0;
    // Below the directory. None: the file cannot be read, so nobody knows what it needs.
    std::optional<std::set<std::string>> state_paths;
  };

  std::string PathOf(int64_t number) const;
  // Rising.
  absl::StatusOr<std::deque<int64_t>> Numbers();
  absl::StatusOr<proto::Checkpoint> Read(int64_t number);
  absl::Status DropOld();
  // By the checkpoints that are kept. None: nobody knows, for one cannot be read.
  std::optional<std::set<std::string>> NeededStates() const;

  FileSystem& fs_;
  const std::string directory_;
  std::deque<Kept> kept_;  // By rising number. Known from Open on.
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_CHECKPOINT_CHECKPOINT_STORE_H_
