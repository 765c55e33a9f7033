#include "tests/sim/sim_peers.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/peer.pb.h"
#include "tests/sim/sim_workers.h"

namespace millrace::sim {
namespace {

// Until a caller learns that nobody listens there.
constexpr int64_t kRefusalMicrosMax = 50'000;
// Until it learns that a connection broke.
constexpr int64_t kNoticeMicrosMax = 50'000;

}  // namespace

void SimPeers::AddPeer(int64_t worker_id, std::string /*address*/) {
  streams_.emplace(worker_id, nullptr);
}

void SimPeers::RemovePeer(int64_t worker_id) {
  Break(worker_id, "it was given up");
  streams_.erase(worker_id);
}

void SimPeers::Call(int64_t worker_id, proto::PeerRequest request, Done done) {
  const std::shared_ptr<Stream> stream = StreamTo(worker_id);
  if (stream == nullptr) {
    return done(
        absl::UnavailableError(absl::StrCat("worker ", worker_id, " is not there any more")));
  }
  stream->waiting.push_back(std::move(done));
  Cluster& cluster = owner_.cluster();
  SimWorkers& workers = owner_;
  if (workers.Find(worker_id) == nullptr) {
    cluster.world.After(cluster.world.Delay(kRefusalMicrosMax), node_, EventKind::kMessage,
                        [this, worker_id] { Break(worker_id, "nobody listens there"); });
    return;
  }
  const bool is_answer_lost = loses_answer_.erase(worker_id) > 0;
  cluster.network.Send(stream->out, [this, caller = node_, is_answer_lost, &cluster, &workers,
                                     worker_id, stream, request = std::move(request)]() mutable {
    workers.Find(worker_id)->worker().HandlePeer(std::move(request), [&](proto::PeerReply reply) {
      if (!stream->back->is_open()) return;  // Of one that broke meanwhile.
      if (is_answer_lost) {
        // Nor does a later one come: answers are known by their order.
        stream->back->Close();
        // Of the caller, which may be gone by now.
        cluster.world.After(cluster.world.Delay(kNoticeMicrosMax), caller, EventKind::kMessage,
                            [this, worker_id] { Break(worker_id, "the connection broke"); });
        return;
      }
      cluster.network.Send(stream->back, [stream, reply = std::move(reply)]() mutable {
        Done answered = std::move(stream->waiting.front());
        stream->waiting.pop_front();
        answered(std::move(reply));
      });
    });
  });
}

std::shared_ptr<SimPeers::Stream> SimPeers::StreamTo(int64_t worker_id) {
  const auto known = streams_.find(worker_id);
  if (known == streams_.end()) return nullptr;
  if (known->second == nullptr) {
    // One that has ended keeps its address: its node gets nothing.
    const SimWorker* const peer = owner_.Find(worker_id);
    const NodeId node = peer != nullptr ? peer->node() : node_;
    known->second = std::make_shared<Stream>();
    known->second->out = owner_.cluster().network.Open(node_, node);
    known->second->back = owner_.cluster().network.Open(node, node_);
  }
  return known->second;
}

void SimPeers::Break(int64_t worker_id, const std::string& reason) {
  const auto known = streams_.find(worker_id);
  if (known == streams_.end() || known->second == nullptr) return;
  const std::shared_ptr<Stream> stream = std::exchange(known->second, nullptr);
  // What is under way may come when the next stream has been in use for long.
  if (owner_.cluster().world.OneIn(2)) stream->out->Close();
  stream->back->Close();
  for (Done& done : std::exchange(stream->waiting, {})) {
    done(absl::UnavailableError(absl::StrCat("worker ", worker_id, " did not answer: ", reason)));
  }
}

}  // namespace millrace::sim
