#include "tests/sim/network.h"

#include <algorithm>

namespace millrace::sim {

Network::ChannelRef Network::Open(NodeId from, NodeId to) {
  std::erase_if(channels_, [](const auto& channel) { return channel.expired(); });
  ChannelRef channel(new Channel(from, to));
  channels_.push_back(channel);
  return channel;
}

void Network::Send(const ChannelRef& channel, Closure arrive) {
  const bool is_silent = silent_.contains(channel->from_) || silent_.contains(channel->to_);
  if (!channel->is_open_ || is_silent || world_.IsDead(channel->from_)) return;
  if (blocked_.contains({channel->from_, channel->to_})) {
    held_[{channel->from_, channel->to_}].emplace_back(channel, std::move(arrive));
    return;
  }
  Dispatch(channel, std::move(arrive));
}

void Network::Dispatch(const ChannelRef& channel, Closure arrive) {
  int64_t& last = channel->last_arrival_micros_;
  last = std::max(last + 1, world_.now_micros() + world_.Delay(delay_micros_max_));
  world_.At(last, channel->to_, EventKind::kMessage,
            [channel, arrive = std::move(arrive)]() mutable {
              if (channel->is_open_) arrive();
            });
}

void Network::Silence(NodeId node) {
  SilenceFromHereOn(node);
  for (const auto& weak : channels_) {
    const ChannelRef channel = weak.lock();
    if (channel != nullptr && channel->from_ == node) channel->Close();
  }
}

void Network::SilenceFromHereOn(NodeId node) {
  silent_.insert(node);
  for (const auto& weak : channels_) {
    const ChannelRef channel = weak.lock();
    if (channel != nullptr && channel->to_ == node) channel->Close();
  }
}

void Network::Unblock(NodeId from, NodeId to) {
  const auto blocks = blocked_.find({from, to});
  if (blocks == blocked_.end() || --blocks->second > 0) return;
  blocked_.erase(blocks);
  auto held = held_.extract({from, to});
  if (held.empty()) return;
  for (auto& [channel, arrive] : held.mapped()) {
    if (channel->is_open_) Dispatch(channel, std::move(arrive));
  }
}

}  // namespace millrace::sim
