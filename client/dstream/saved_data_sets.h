// Data sets of streams without state that are saved every so often.
#ifndef MILLRACE_CLIENT_DSTREAM_SAVED_DATA_SETS_H_
#define MILLRACE_CLIENT_DSTREAM_SAVED_DATA_SETS_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "client/rdd/context_state.h"
#include "client/rdd/data_set_format.h"
#include "common/fs/file_system.h"
#include "common/time/time.h"
#include "driver/lineage/rdd_node.h"

namespace millrace::internal {

class DStreamNode;
class StreamGraph;

// What DStream::Checkpoint asks for: the data set of each batch that is a multiple of the stream's
// checkpoint interval is written to the checkpoint directory behind the batch's outputs. Later
// batches that look back at it read it from there, and so do those of the next driver, which may
// have no other way to it. What it was computed from is needed no more.
//
// A directory is there as a whole or not at all, and what is in it follows from its name, so no
// checkpoint need name it. One that cannot be written is logged; nothing depends on it.
//
// Threads: any. What takes a stream is called under the graph's lock.
class SavedDataSets {
 public:
  // `fs` outlives this.
  SavedDataSets(const StreamGraph& graph, FileSystem& fs, std::string directory)
      : graph_(graph), fs_(fs), directory_(std::move(directory)) {}

  // Once, before all else: looks for what earlier drivers have left of these streams.
  absl::Status Open(const std::map<const DStreamNode*, std::string>& ids);

  // A data set that is to be saved behind the batch that is being made.
  struct Due {
    std::string key;
    Time time{0};
    RddRef data_set;
    DataSetFormat format;
  };
  // It has been made: it may be due.
  void Made(const DStreamNode& stream, Time time, const RddRef& data_set);
  std::vector<Due> TakeDue() { return std::exchange(due_, {}); }

  // On a job thread, within a JobScope, without the graph's lock.
  void Save(const ContextRef& context, const Due& due);
  // What Save has saved, once; null: nothing. It stands for the data set from here on.
  RddRef TakeSaved(const DStreamNode& stream, Time time);
  // What an earlier driver has saved of a batch that has ended; null: nothing, or not all of it.
  RddRef FindEarlier(const DStreamNode& stream, Time time);

  // Paths that no batch of this driver or, after it has written a checkpoint of that time, the next
  // one looks back at. They are to be removed.
  std::vector<std::string> TakeForgotten(Time written_completed);

 private:
  using Place = std::pair<std::string, Time>;  // A stream's key.

  const StreamGraph& graph_;
  FileSystem& fs_;
  const std::string directory_;
  // Under the graph's lock.
  std::map<const DStreamNode*, std::string> keys_;
  std::vector<Due> due_;

  absl::Mutex mutex_;
  // Names of directories.
  std::multimap<Place, std::string> there_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> of_nobody_ ABSL_GUARDED_BY(mutex_);
  std::map<Place, RddRef> saved_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_DSTREAM_SAVED_DATA_SETS_H_
