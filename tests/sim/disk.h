// What goes wrong with the disk that simulated processes share.
#ifndef MILLRACE_TESTS_SIM_DISK_H_
#define MILLRACE_TESTS_SIM_DISK_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "tests/sim/world.h"
#include "tests/support/memory_file_system.h"

namespace millrace::sim {

// A disk that is full or fails says so as common/fs says it.
//
// Threads: whoever has the turn.
class Disk {
 public:
  // Both outlive the disk.
  Disk(World& world, MemoryFileSystem& fs);

  // It has room for so many bytes more than it has files now.
  void SetRoom(uint64_t bytes) { fs_.SetCapacity(fs_.used_bytes() + bytes); }
  // One in so many writes, syncs, renames and opens for writing fails. 0: none.
  void SetFailing(int64_t one_in) { failing_one_in_ = one_in; }
  // How long a change takes at most. 0: no time.
  void SetDelayMax(int64_t micros) { delay_micros_max_ = micros; }
  // Nothing is wrong with it any more.
  void Reset();

  // A file below `directory` that nobody has open is no more what it was: a byte has changed, or
  // the file is gone unless it `must_stay`. Its path; empty: there is none. Of a log no byte
  // changes behind those that it says to be on the disk: that is a write that was cut short.
  std::string SpoilFile(const std::string& directory,
                        absl::FunctionRef<bool(const std::string& path)> must_stay);

  // Before a change of a file. Whoever cannot wait does not: event loops, the program's thread.
  void AwaitChange();

 private:
  // From its beginning on, that cannot change unnoticed.
  int64_t CheckedBytes(const std::string& path);
  absl::Status MayFail(FileOp op, const std::string& path);

  World& world_;
  MemoryFileSystem& fs_;
  int64_t failing_one_in_ = 0;
  int64_t delay_micros_max_ = 0;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_DISK_H_
