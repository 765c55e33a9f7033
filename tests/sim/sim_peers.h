// A simulated worker's calls to other workers.
#ifndef MILLRACE_TESTS_SIM_SIM_PEERS_H_
#define MILLRACE_TESTS_SIM_SIM_PEERS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/env/peer_transport.h"
#include "tests/sim/network.h"
#include "tests/sim/world.h"

namespace millrace::sim {

class SimWorkers;

// As GrpcPeerTransport: one stream to each peer, made at the first call and anew after it broke;
// answers come in the order of the requests.
//
// Threads: whoever has the turn.
class SimPeers final : public PeerConnections {
 public:
  SimPeers(SimWorkers& owner, NodeId node) : owner_(owner), node_(node) {}

  void AddPeer(int64_t worker_id, std::string address) override;
  void RemovePeer(int64_t worker_id) override;
  void Call(int64_t worker_id, proto::PeerRequest request, Done done) override;

  // The next call to that worker is carried out, and then the stream breaks instead of an answer.
  void LoseAnswer(int64_t worker_id) { loses_answer_.insert(worker_id); }
  // The stream to that worker, if there is one, breaks: what is under way may have been done, or is
  // still to be done, behind what goes on the next stream.
  void Break(int64_t worker_id, const std::string& reason);

 private:
  struct Stream {
    Network::ChannelRef out;
    Network::ChannelRef back;
    std::deque<Done> waiting;  // For their answers, in order.
  };

  std::shared_ptr<Stream> StreamTo(int64_t worker_id);

  SimWorkers& owner_;
  const NodeId node_;
  std::set<int64_t> loses_answer_;
  std::map<int64_t, std::shared_ptr<Stream>> streams_;  // Of the known peers; null: none yet.
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_SIM_PEERS_H_
