// How messages go between simulated processes.
#ifndef MILLRACE_TESTS_SIM_NETWORK_H_
#define MILLRACE_TESTS_SIM_NETWORK_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "tests/sim/world.h"

namespace millrace::sim {

// Every message takes a time that the seed decides. Where the way is blocked, messages wait until
// it is free again, as TCP makes them, whether their sender lives or not.
//
// Threads: whoever has the turn.
class Network {
 public:
  // One direction of a connection: messages arrive in their order, until it is closed.
  class Channel {
   public:
    NodeId from() const { return from_; }
    NodeId to() const { return to_; }
    bool is_open() const { return is_open_; }
    // What is under way is lost.
    void Close() { is_open_ = false; }

   private:
    friend class Network;
    Channel(NodeId from, NodeId to) : from_(from), to_(to) {}

    const NodeId from_;
    const NodeId to_;
    bool is_open_ = true;
    int64_t last_arrival_micros_ = 0;
  };
  using ChannelRef = std::shared_ptr<Channel>;

  explicit Network(World& world) : world_(world) {}  // Which outlives the network.

  ChannelRef Open(NodeId from, NodeId to);
  // Runs `arrive` at the other end.
  void Send(const ChannelRef& channel, Closure arrive);

  bool is_blocked(NodeId from, NodeId to) const { return blocked_.contains({from, to}); }

  // -- Faults -----------------------------------------------------------------------------------

  // One way, until it was freed as often as it was blocked.
  void Block(NodeId from, NodeId to) { ++blocked_[{from, to}]; }
  void Unblock(NodeId from, NodeId to);
  // Nothing comes from the process or to it any more, also of what is under way.
  void Silence(NodeId node);
  // The same, but what it has sent still comes.
  void SilenceFromHereOn(NodeId node);
  // What a message takes at most from here on.
  void SetDelayMax(int64_t micros) { delay_micros_max_ = micros; }
  void ResetDelayMax() { delay_micros_max_ = kDelayMicrosMax; }

 private:
  static constexpr int64_t kDelayMicrosMax = 2'000;

  void Dispatch(const ChannelRef& channel, Closure arrive);

  World& world_;
  int64_t delay_micros_max_ = kDelayMicrosMax;
  std::map<std::pair<NodeId, NodeId>, int> blocked_;
  // What waits for a blocked way to be free, by way: also of those that have ended since.
  std::map<std::pair<NodeId, NodeId>, std::deque<std::pair<ChannelRef, Closure>>> held_;
  std::vector<std::weak_ptr<Channel>> channels_;
  std::set<NodeId> silent_;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_NETWORK_H_
