// One attempt's map output on its way to the workers where it gathers.
#ifndef MILLRACE_EXECUTOR_SHUFFLE_MAP_OUTPUT_WRITER_H_
#define MILLRACE_EXECUTOR_SHUFFLE_MAP_OUTPUT_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "common/memory/buffer.h"
#include "executor/shuffle/shuffle_router.h"

namespace millrace::internal {

// Pieces of buckets go out while the task runs, several in a message, and count once Finish has
// sent the last ones: the task holds some messages' worth however large its output is, and the
// workers that reduce it have most of it when it ends. A small output is one message to each
// worker. The task need not wait for the last acknowledgements, but it has not succeeded before.
//
// Threads: one at a time.
class MapOutputWriter {
 public:
  struct Output {
    int64_t shuffle_id = 0;
    uint32_t map_partition = 0;
    int64_t task_id = 0;
    size_t reduce_count = 0;
    // Where each reduce partition gathers. Empty: all on this worker.
    std::vector<int64_t> reduce_workers{};
  };

  // `router` outlives it.
  MapOutputWriter(const ShuffleRouter& router, Output output);
  // What was not acknowledged is abandoned.
  ~MapOutputWriter();
  MapOutputWriter(const MapOutputWriter&) = delete;
  MapOutputWriter& operator=(const MapOutputWriter&) = delete;

  // Whole records, which follow those added for the partition before. Waits while too much is under
  // way. Unavailable: a worker could not be reached; others may have what was sent to them.
  absl::Status Add(int reduce_partition, Buffer records);
  // Sends the rest. Errors as Add. Once, and behind the last Add.
  absl::Status Finish();
  // It has finished, and whatever went to other workers was acknowledged.
  bool is_acknowledged() const;
  // Behind Finish: runs `done` once that is so, or an error is known. On any thread, maybe before
  // this returns, and not when the writer has gone.
  void WhenAcknowledged(absl::AnyInvocable<void(const absl::Status&)> done);

  // Of what was added.
  size_t bytes() const { return bytes_; }

 private:
  class CallsUnderWay;
  struct Destination {
    int64_t worker_id = 0;
    std::vector<std::pair<uint32_t, Buffer>> waiting{};  // Pieces by reduce partition.
    size_t waiting_bytes = 0;
    uint32_t sent_count = 0;  // Messages.
  };

  absl::Status CheckPlaces() const;
  Destination& DestinationOf(uint32_t reduce_partition);
  // Sends what waits.
  absl::Status Send(Destination& destination, bool is_last);
  absl::Status SendToPeer(int64_t worker_id, MapOutput&& part);
  bool IsHere(const Destination& destination) const;
  void Abandon(const Destination& destination);

  const ShuffleRouter& router_;
  const Output output_;
  std::vector<Destination> destinations_;
  std::vector<uint32_t> destination_of_;  // By reduce partition; empty: all have the first.
  std::shared_ptr<CallsUnderWay> calls_;  // Null before the first.
  size_t bytes_ = 0;
  bool is_finished_ = false;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_SHUFFLE_MAP_OUTPUT_WRITER_H_
