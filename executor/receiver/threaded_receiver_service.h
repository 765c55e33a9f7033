// Receivers on threads.
#ifndef MILLRACE_EXECUTOR_RECEIVER_THREADED_RECEIVER_SERVICE_H_
#define MILLRACE_EXECUTOR_RECEIVER_THREADED_RECEIVER_SERVICE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/env/env.h"
#include "common/fs/file_system.h"
#include "common/log/write_ahead_log.h"
#include "executor/block/block_store.h"
#include "executor/receiver/receiver_service.h"
#include "executor/receiver/receiver_supervisor.h"

namespace millrace::internal {

// The worker's receivers by stream, each under a supervisor with a thread of its own. Cuts their
// blocks on the event loop, every block interval and at the end of each batch.
//
// Where the driver limits what may be unprocessed, the worker's memory limits it too: the receivers
// share half of it among them, twice all of it where blocks may go to disk.
//
// Threads: the event loop; the destructor runs after the loop has ended, and waits for receivers.
class ThreadedReceiverService : public ReceiverService {
 public:
  // All outlive the service. `replicator`: for second copies of blocks; null where there are no
  // other workers. `fs`: for logs; null where there are none.
  ThreadedReceiverService(Env& env, BlockStore& store, BlockReplicator* replicator = nullptr,
                          FileSystem* fs = nullptr)
      : env_(env), store_(store), replicator_(replicator), fs_(fs) {}

  void SetListener(Listener* listener) override { listener_ = listener; }
  void Start(const proto::StartReceiver& request) override;
  void Stop(int64_t stream_id, const std::string& reason) override;
  void UpdateRate(const proto::UpdateRate& request) override;
  void CutBlocks(int64_t batch_time_ms) override;
  std::vector<proto::RunningReceiver> Running() const override;

 private:
  struct Stream {
    int64_t stream_id = 0;
    proto::StartReceiver request;
    int64_t reported_bytes = 0;
    std::string name;
    int64_t block_interval_micros = 0;
    bool may_spill = false;
    BlockGenerator::Limits limits;  // As the driver said.
    TimerId cut_timer = kNoTimer;
    std::unique_ptr<WriteAheadLog> log;
    std::unique_ptr<ReceiverSupervisor> supervisor;
  };

  // Runs `callback(stream)` on the loop if this start of the stream still lives there.
  template <class Callback>
  void PostTo(std::weak_ptr<Stream> stream, Callback callback);
  ReceiverSupervisor::Callbacks CallbacksOf(const std::shared_ptr<Stream>& stream);
  void OnEvent(Stream& stream, ReceiverSupervisor::Event event, const std::string& message,
               const std::string& error);
  void ArmCutTimer(const std::shared_ptr<Stream>& stream);
  void Deliver(Stream& stream);
  void ApplyLimits(Stream& stream) const;
  void ApplyAllLimits() const;
  void RefuseStart(const proto::StartReceiver& request, const std::string& error);
  int64_t NowMs() const { return env_.NowMicros() / 1000; }

  Env& env_;
  BlockStore& store_;
  BlockReplicator* const replicator_;
  FileSystem* const fs_;
  Listener* listener_ = nullptr;
  absl::flat_hash_map<int64_t, std::shared_ptr<Stream>> streams_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_RECEIVER_THREADED_RECEIVER_SERVICE_H_
