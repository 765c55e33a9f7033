// Removing what no batch can need any more from the logs of receivers.
#ifndef MILLRACE_CLIENT_DSTREAM_RECEIVED_LOG_CLEANER_H_
#define MILLRACE_CLIENT_DSTREAM_RECEIVED_LOG_CLEANER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "client/dstream/receiver_books.h"
#include "common/fs/file_system.h"

namespace millrace::internal {

// Segments go when none of the checkpoints that are kept needs them, directories when they are
// empty. What cannot be removed stays, which is no error.
//
// Threads: one at a time.
class ReceivedLogCleaner {
 public:
  // `fs` outlives the cleaner.
  explicit ReceivedLogCleaner(FileSystem& fs) : fs_(fs) {}

  // Of earlier drivers. They are sealed as a whole, so they go with all that is in them.
  void KnowEarlier(const std::set<std::string>& directories);
  // A checkpoint has been written that needs this of the logs, and nothing else.
  void CheckpointWritten(std::vector<NeededLog> needed);

 private:
  void Clean(const std::string& directory, int64_t first_segment);

  FileSystem& fs_;
  std::deque<std::vector<NeededLog>> kept_;  // By the latest checkpoints, all of this run.
  std::map<std::string, int64_t> cleaned_;   // Directories; their segments below are gone.
  std::set<std::string> earlier_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_DSTREAM_RECEIVED_LOG_CLEANER_H_
