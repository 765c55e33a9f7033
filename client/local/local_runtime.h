// local[N]: driver and worker in this process.
#ifndef MILLRACE_CLIENT_LOCAL_LOCAL_RUNTIME_H_
#define MILLRACE_CLIENT_LOCAL_LOCAL_RUNTIME_H_

#include <cstddef>
#include <memory>
#include <string>

#include "client/local/runtime.h"
#include "common/env/in_process_transport.h"
#include "common/env/real_env.h"
#include "common/memory/memory_budget.h"
#include "driver/service/driver_service.h"
#include "executor/block/block_store.h"
#include "executor/block/spill_dir.h"
#include "executor/receiver/threaded_receiver_service.h"
#include "executor/service/worker_core.h"
#include "executor/shuffle/shuffle_store.h"
#include "executor/state/state_store.h"

namespace millrace::internal {

// The driver core and one worker core on one event loop, N task threads, job threads, a thread for
// each receiver. Messages between the cores are the same as in a cluster; only their way is
// shorter.
//
// Threads: as Runtime says.
class LocalRuntime final : public Runtime, public std::enable_shared_from_this<LocalRuntime> {
 public:
  struct Options {
    int task_threads = 1;
    int concurrent_jobs = 1;  // Of batches.
    TaskOptions tasks;
    size_t memory_bytes = 0;
    std::string local_dir;  // Where what memory does not hold is put.
    bool manual_clock = false;
    int64_t driver_epoch = 1;
  };

  LocalRuntime(const Options& options, FileSystem& fs);
  ~LocalRuntime() override;

  DriverHandle& driver() override { return driver_; }
  std::shared_ptr<StreamingHandle> NewStreaming() override;
  Time Now() override { return Time(env_.NowMicros() / 1000); }
  void AdvanceClock(std::chrono::milliseconds step) override { env_.AdvanceWall(step); }
  void Stop() override;

 private:
  void ConnectCores();

  // The env outlives all but the file system: its threads end with Stop, before anything goes.
  RealEnv env_;
  MemoryBudget memory_;
  SpillDir disk_;
  BlockStore blocks_;
  ShuffleStore shuffles_;
  ShuffleRouter router_;
  StateStore states_;
  ThreadedReceiverService receivers_;
  InProcessTransport transport_;
  DriverService driver_;
  std::unique_ptr<WorkerCore> worker_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_LOCAL_LOCAL_RUNTIME_H_
