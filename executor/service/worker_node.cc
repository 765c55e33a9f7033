#include "executor/service/worker_node.h"

#include <chrono>
#include <utility>

#include "common/config/master_url.h"

namespace millrace::internal {
namespace {

// For another worker's answer to a task.
constexpr std::chrono::milliseconds kFetchTimeout{120'000};

}  // namespace

WorkerNode::WorkerNode(const Options& options, const Parts& parts)
    : options_(options),
      parts_(parts),
      memory_(options.memory_bytes),
      disk_(parts.fs, options.spill_path),
      blocks_(memory_, disk_),
      shuffles_(memory_, blocks_, disk_),
      replicator_({.worker_id = options.worker_id, .host = options.host}, parts.peers),
      copier_(parts.env, blocks_, parts.peers),
      receivers_(parts.env, blocks_, &replicator_, &parts.fs),
      router_({.worker_id = options.worker_id,
               .message_bytes = options.shuffle_message_bytes,
               .codec = options.shuffle_codec},
              shuffles_, parts.peers),
      remote_reads_(parts.peers, kFetchTimeout),
      peer_service_(blocks_, replicas_, shuffles_) {}

void WorkerNode::MakeCore(WorkerOptions options) {
  options.worker_id = options_.worker_id;
  options.host = options_.host;
  const TaskServices services{blocks_,   shuffles_,      router_,       states_,
                              parts_.fs, options_.nanos, &remote_reads_};
  core_ = std::make_unique<WorkerCore>(
      std::move(options),
      WorkerCore::Parts{parts_.env, parts_.transport, services, disk_, memory_, receivers_});
}

void WorkerNode::Handle(proto::ToWorker message) {
  const int64_t epoch_before = core_->driver_epoch();
  if (!core_->Hears(message)) return;
  if (epoch_before != 0 && core_->driver_epoch() != epoch_before) ForgetPeers();
  switch (message.kind_case()) {
    case proto::ToWorker::kPeers:
      for (const auto& peer : message.peers().added()) AddPeer(peer);
      for (const int64_t id : message.peers().removed()) RemovePeer(id);
      return;
    case proto::ToWorker::kCopyBlocks:
      return copier_.Copy(message.copy_blocks(), [this](proto::BlocksCopied copied) {
        core_->NoteCopies(copied);
        proto::ToDriver answer;
        *answer.mutable_blocks_copied() = std::move(copied);
        core_->Send(std::move(answer));
      });
    case proto::ToWorker::kDropBlocks:
      replicas_.Remove(message.drop_blocks());
      return core_->Handle(std::move(message));
    default:
      return core_->Handle(std::move(message));
  }
}

void WorkerNode::AddPeer(const proto::Peers::Peer& peer) {
  introduced_.insert(peer.worker_id());
  replicas_.TakeBack(peer.worker_id());
  const auto address = ParseHostPort(peer.address());
  parts_.peers.AddPeer(peer.worker_id(), peer.address());
  const std::string host = address.ok() ? address->host : peer.address();
  replicator_.AddPeer(peer.worker_id(), host);
  router_.AddPeer(peer.worker_id(), host == options_.host);
}

// A new driver introduces those that it has. What the others still send is not kept, for nobody
// would ever hear of it.
void WorkerNode::ForgetPeers() {
  for (const int64_t worker_id : std::exchange(introduced_, {})) {
    Disconnect(worker_id, replicas_.Suspend(worker_id));
  }
}

void WorkerNode::RemovePeer(int64_t worker_id) {
  introduced_.erase(worker_id);
  Disconnect(worker_id, replicas_.GiveUp(worker_id));
}

void WorkerNode::Disconnect(int64_t worker_id, std::vector<proto::BlockReport> copies) {
  replicator_.RemovePeer(worker_id);
  router_.RemovePeer(worker_id);
  parts_.peers.RemovePeer(worker_id);
  for (proto::BlockReport& report : copies) core_->OnBlockReport(std::move(report));
}

void WorkerNode::HandlePeer(proto::PeerRequest request,
                            absl::FunctionRef<void(proto::PeerReply)> reply) {
  reply(peer_service_.Handle(std::move(request)));
  if (shuffles_.has_ready()) parts_.env.PostAndRun([this] { core_->OnMapOutputsArrived(); });
}

}  // namespace millrace::internal
