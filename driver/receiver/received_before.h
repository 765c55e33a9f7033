// What workers have of receivers that an earlier driver of the application has started.
#ifndef MILLRACE_DRIVER_RECEIVER_RECEIVED_BEFORE_H_
#define MILLRACE_DRIVER_RECEIVER_RECEIVED_BEFORE_H_

#include <cstdint>
#include <map>
#include <vector>

#include "driver/batch/streaming_handle.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

// Numbers that cannot be are passed over. Gathered from the hellos and reports of workers until
// there is a streaming run, which takes it over or has it dropped.
//
// Threads: the driver core's event loop.
class ReceivedBefore {
 public:
  struct Held {
    int64_t worker_id = 0;
    proto::StoredBlock block;
  };
  struct Running {
    int64_t worker_id = 0;
    proto::RunningReceiver receiver;
  };

  void Add(int64_t worker_id, const proto::WorkerHello& hello);
  void Add(int64_t worker_id, const proto::BlockReport& report);
  // It ended by itself.
  void ReceiverStopped(int64_t worker_id, int64_t stream_id);
  void WorkerLost(int64_t worker_id);

  // In the order of their sequences for each stream; a block for each worker that has it.
  std::vector<Held> blocks() const;
  const std::vector<Running>& receivers() const { return receivers_; }
  // The same for the graph.
  EarlierBlocks Describe() const;

 private:
  void AddBlock(int64_t worker_id, const proto::StoredBlock& block);

  std::vector<Held> blocks_;
  std::vector<Running> receivers_;
};

// A worker's word: what is summed over blocks stays a number.
ReceivedBlock ToReceivedBlock(const proto::StoredBlock& stored, int64_t worker_id);

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_RECEIVER_RECEIVED_BEFORE_H_
