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

// Of several stores of one directory, in whatever process, the one that took it over last writes;
// a Write does that too where it was not done.
//
// Threads: one at a time.
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

  // Once, before what is below: reads what is there, and changes nothing of it.
  absl::Status Open();
  // Whoever wrote into the directory before must not any more. Removes what a run that was cut off
  // has left, half-written or written for a checkpoint that never came; so nothing may be saved for
  // a checkpoint to come before this. That one may have written until now: what ReadLatest has read
  // before is to be read again.
  absl::Status TakeOver();
  // On the disk when this returns; on an error the checkpoints that were there still are. Then
  // what only older checkpoints need is removed. FailedPrecondition: another store has taken the
  // directory over.
  absl::Status Write(const proto::Checkpoint& checkpoint);

 private:
  struct Kept {
    int64_t number = 0;
    // Below the directory. None: the file cannot be read, so nobody knows what it needs.
    std::optional<std::set<std::string>> state_paths;
  };

  std::string PathOf(int64_t number) const;
  std::string OwnerPath(int64_t owner) const;
  // Of the files with such names, rising.
  absl::StatusOr<std::deque<int64_t>> Numbers(const char* prefix);
  // Of the newest checkpoint; 0: none.
  int64_t newest() const { return kept_.empty() ? 0 : kept_.back().number; }
  absl::Status Claim();
  absl::Status RemoveLeftovers();
  absl::Status Append(const std::string& bytes, std::optional<std::set<std::string>> state_paths);
  absl::Status ReplacedError() const;
  absl::StatusOr<proto::Checkpoint> Read(int64_t number);
  absl::Status DropOld();
  // By the checkpoints that are kept. None: nobody knows, for one cannot be read.
  std::optional<std::set<std::string>> NeededStates() const;

  FileSystem& fs_;
  const std::string directory_;
  std::deque<Kept> kept_;  // By rising number. Known from Open on.
  int64_t owner_ = 0;      // 0: nothing has been written yet.
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_CHECKPOINT_CHECKPOINT_STORE_H_
