// A worker: its core, its stores, and what it does for its peers.
#ifndef MILLRACE_EXECUTOR_SERVICE_WORKER_NODE_H_
#define MILLRACE_EXECUTOR_SERVICE_WORKER_NODE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/env/env.h"
#include "common/env/peer_transport.h"
#include "common/memory/compression.h"
#include "common/memory/memory_budget.h"
#include "executor/block/block_store.h"
#include "executor/block/replica_book.h"
#include "executor/block/spill_dir.h"
#include "executor/receiver/block_copier.h"
#include "executor/receiver/block_replicator.h"
#include "executor/receiver/threaded_receiver_service.h"
#include "executor/service/peer_service.h"
#include "executor/service/worker_core.h"
#include "executor/shuffle/shuffle_router.h"
#include "executor/shuffle/shuffle_store.h"
#include "executor/state/state_store.h"
#include "executor/task/remote_reads.h"
#include "proto/peer.pb.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

// Everything of a worker but its connections, which its owner makes: a process, or a simulation.
//
// Threads: the event loop of `env`, but for HandlePeer. It outlives what it gave to the Env.
class WorkerNode {
 public:
  struct Options {
    int64_t worker_id = 0;
    std::string host = "localhost";
    size_t memory_bytes = 0;
    std::string spill_path;
    // As in ShuffleRouter.
    size_t shuffle_message_bytes = size_t{1} << 20;
    CompressionCodec shuffle_codec = CompressionCodec::kNone;
    int64_t (*nanos)() = nullptr;  // As in TaskServices.
  };
  // All outlive the node.
  struct Parts {
    Env& env;
    FileSystem& fs;
    WorkerTransport& transport;
    PeerConnections& peers;
  };

  WorkerNode(const Options& options, const Parts& parts);
  WorkerNode(const WorkerNode&) = delete;
  WorkerNode& operator=(const WorkerNode&) = delete;

  // Once, before the first message, on any thread: when it is known where peers reach this worker.
  void MakeCore(WorkerOptions options);
  WorkerCore& core() { return *core_; }

  // There is a connection to the driver, and there is none any more.
  void Connected() { core_->Start(replicas_.blocks()); }
  void Disconnected() { core_->Disconnected(); }
  // Every message but Shutdown, which is its owner's.
  void Handle(proto::ToWorker message);
  // On any thread. May wait for the disk, but not after `reply`, which is called once.
  void HandlePeer(proto::PeerRequest request, absl::FunctionRef<void(proto::PeerReply)> reply);

  BlockStore& blocks() { return blocks_; }
  const ShuffleStore& shuffles() const { return shuffles_; }
  const StateStore& states() const { return states_; }

 private:
  void AddPeer(const proto::Peers::Peer& peer);
  void RemovePeer(int64_t worker_id);
  void Disconnect(int64_t worker_id, std::vector<proto::BlockReport> copies);
  void ForgetPeers();

  const Options options_;
  const Parts parts_;
  MemoryBudget memory_;
  SpillDir disk_;
  BlockStore blocks_;
  ShuffleStore shuffles_;
  StateStore states_;
  ReplicaBook replicas_;  // Of other workers' blocks, here.
  BlockReplicator replicator_;
  BlockCopier copier_;
  ThreadedReceiverService receivers_;
  ShuffleRouter router_;
  RemoteReads remote_reads_;
  PeerService peer_service_;
  std::set<int64_t> introduced_;  // Peers, by the driver that is listened to.
  std::unique_ptr<WorkerCore> core_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_SERVICE_WORKER_NODE_H_
