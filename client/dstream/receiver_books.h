// What a stream's receiver has received, as the graph sees it: how far batches have come in it, and
// where its logs are, if it logs.
#ifndef MILLRACE_CLIENT_DSTREAM_RECEIVER_BOOKS_H_
#define MILLRACE_CLIENT_DSTREAM_RECEIVER_BOOKS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/dstream/logging_runs.h"
#include "common/fs/file_system.h"
#include "driver/batch/start_ranges.h"
#include "driver/batch/streaming_handle.h"

namespace millrace::proto {
class InputBlock;
class ReceiverBooks;
}  // namespace millrace::proto

namespace millrace::internal {

// What is needed of the log in a directory.
struct NeededLog {
  std::string directory;
  int64_t first_segment = 0;  // And all behind it.
};

// The books of one stream. Blocks that are in no log are on workers, which may outlive the driver.
// A start of its receiver is told apart by its number, which is that of its blocks, shifted; starts
// of later drivers have higher ones. Of each number that was given the books say one of three
// things: how far batches have come in it; that no driver has heard of it, so that whatever comes
// of it is new; or nothing, and then it is done.
//
// Threads: under the graph's lock. Copyable: what has not come to the disk may be taken back.
class ReceiverBooks {
 public:
  using Blocks = std::vector<ReceivedBlock>;
  using Batches = std::map<Time, Blocks>;

  ReceiverBooks() = default;
  // `id`: the stream's, which stays from run to run. This run's starts are numbered from
  // `first_start` on, at least.
  ReceiverBooks(LoggingRuns runs, const std::string& id, int64_t first_start = 0);

  // This run's.
  std::string directory() const;
  // Above all that any driver has given; once ReadEarlier has been called.
  int64_t first_sequence() const;

  // As a checkpoint says.
  absl::Status Restore(const proto::ReceiverBooks& saved);
  // Of a start that was restored.
  absl::StatusOr<ReceivedBlock> RestoreBlock(int64_t stream_id,
                                             const proto::InputBlock& saved) const;
  // Behind Restore: files that are not there though `batches` have blocks of them, or something was
  // written behind them that no batch has had. That the newest one is missing cannot be told where
  // no batch has had anything of it.
  absl::StatusOr<std::set<std::string>> MissingSegments(FileSystem& fs,
                                                        const Batches& batches) const;
  // Reads what earlier runs have logged and no batch has had, in the order in which it came.
  // `recovers` false: that is none of this run's.
  absl::StatusOr<Blocks> ReadEarlier(FileSystem& fs, int64_t stream_id, bool recovers);
  // Earlier drivers have started receivers with numbers below `end_start`, and may have done so
  // without anybody's knowing it yet. `may_count`: what comes of them is the stream's.
  void KnowEarlierStarts(int64_t end_start, bool may_count);
  // What workers have of an earlier driver: of these blocks, those that are in no log, and in no
  // batch as far as the books know.
  Blocks TakeOver(const Blocks& held) const;
  TakenOverStarts StartsOnWorkers() const;
  // The directories that ReadEarlier has seen.
  const std::set<std::string>& earlier_directories() const { return earlier_directories_; }

  // A batch has these.
  void Assign(const Blocks& blocks);
  // Their last blocks are in the next batch, or were in one before.
  void End(const std::vector<int64_t>& starts);

  // Some batch will have these, and it is not said yet which.
  void Expect(const Blocks& blocks);

  // `batches` are those that are still known. Forgets starts that are done with.
  void Save(const Batches& batches, proto::ReceiverBooks& to);
  static void SaveBlock(const ReceivedBlock& block, proto::InputBlock& to);
  std::vector<NeededLog> Needed(const Batches& batches) const;

 private:
  struct Start {
    int64_t run = 0;  // 0: it does not log.
    int64_t assigned_sequence = -1;
    int64_t assigned_segment = 0;
    bool is_ended = false;
    int64_t expected_sequence = -1;
    // All that there is has been in batches.
    bool is_done() const { return is_ended && assigned_sequence >= expected_sequence; }
  };

  using Segments = std::map<std::string, std::set<int64_t>>;  // By directory.

  // Those that the books name.
  Segments NamedSegments(const Batches& batches) const;
  // Adds, of starts that are to be read, what is missing in front of one that is there: of each
  // hole its last.
  absl::Status AddHoles(FileSystem& fs, Segments& named) const;
  absl::Status RestoreUnheard(const proto::ReceiverBooks& saved);
  // No batch will need more of it than the books know.
  bool IsDone(int64_t start, int64_t done_below) const;
  std::string DirectoryOf(int64_t run, int64_t start) const;
  // Those that are not listed.
  void KnowUnheard(int64_t begin, int64_t end);
  // The books of the start; null: it is done.
  Start* Hear(int64_t start);
  void KnowStartsUpTo(int64_t start);
  void ForgetOldStarts(const std::set<int64_t>& read);
  absl::Status ReadRun(FileSystem& fs, int64_t stream_id, int64_t run, int64_t done_below,
                       bool recovers, Blocks& found);

  LoggingRuns runs_;
  std::string name_;  // Of the stream's directory.
  int64_t first_start_ = 0;
  std::map<int64_t, Start> starts_;
  StartRanges unheard_;    // Of earlier drivers.
  int64_t end_start_ = 0;  // Those below that are in neither are done.
  std::set<std::string> earlier_directories_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_DSTREAM_RECEIVER_BOOKS_H_
