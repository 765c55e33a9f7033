#include "tests/sim/daemon_connection.h"

#include "absl/strings/str_cat.h"

namespace millrace::sim {
namespace {

// Until a caller has given a connection up that does not come about.
constexpr int64_t kConnectMicros = 2'000'000;
// Until a side learns that the connection broke.
constexpr int64_t kBreakMicrosMax = 2'000'000;
constexpr int64_t kCloseMicrosMax = 2'000;

}  // namespace

Connection::Connection(Site& site, Process& caller, Service service, Handlers handlers)
    : site_(site), service_(service) {
  caller_.process = &caller;
  caller_.handlers = std::move(handlers);
}

Connection::Ref Connection::Open(Process& caller, const std::string& address, Service service,
                                 Handlers handlers) {
  Site& site = caller.site();
  Ref connection(new Connection(site, caller, service, std::move(handlers)));
  site.connections.push_back(connection);
  caller.Add(connection);
  Network& network = site.cluster.network;
  const NodeId from = caller.machine();
  const NodeId to = site.endpoints.at(address)->machine;
  connection->caller_.out = network.Open(from, to);
  connection->server_.out = network.Open(to, from);
  if (!caller.is_alive()) {
    connection->caller_.is_done = true;
    return connection;
  }
  const auto is_blocked = [&network, from, to] {
    return network.is_blocked(from, to) || network.is_blocked(to, from);
  };
  if (is_blocked()) {
    site.cluster.world.After(kConnectMicros, from, EventKind::kMessage, [connection, is_blocked] {
      if (!is_blocked()) return;
      if (connection->server_.process == nullptr) connection->caller_.out->Close();
      connection->GiveUp();
    });
  }
  network.Send(connection->caller_.out,
               [connection, address] { connection->ArriveAtServer(address); });
  return connection;
}

void Connection::ArriveAtServer(const std::string& address) {
  Endpoint& endpoint = *site_.endpoints.at(address);
  if (endpoint.process == nullptr || !endpoint.process->is_alive()) {
    server_.is_done = true;
    site_.cluster.network.Send(server_.out, [self = shared_from_this()] {
      self->CallerLearns(absl::UnavailableError("nobody listens there"));
    });
    return;
  }
  server_.process = endpoint.process;
  server_.process->Add(shared_from_this());
  server_.handlers = endpoint.accept(service_, shared_from_this());
}

void Connection::Send(Side& from, MessageRef message) {
  const bool is_to_server = &from == &caller_;
  site_.cluster.network.Send(
      from.out, [self = shared_from_this(), is_to_server, message = std::move(message)] {
        if (is_to_server) {
          if (self->server_.is_done) return;
          self->inbox_.push_back(message);
          if (!self->is_server_busy_) self->HandToServer();
          return;
        }
        if (self->caller_.is_done) return;
        self->caller_.process->env().Post([self, message] {
          if (self->caller_.handlers.on_message) self->caller_.handlers.on_message(*message);
        });
      });
}

void Connection::HandToServer() {
  is_server_busy_ = true;
  const MessageRef message = std::move(inbox_.front());
  inbox_.pop_front();
  if (message == nullptr) return Close(absl::OkStatus());
  server_.process->env().Post([self = shared_from_this(), message] {
    if (!self->server_.process->is_alive()) return;
    // A copy: the call may be over meanwhile.
    const auto on_message = self->server_.handlers.on_message;
    if (on_message) on_message(*message);
    self->is_server_busy_ = false;
    if (!self->server_.is_done && !self->inbox_.empty()) self->HandToServer();
  });
}

void Connection::Close(const absl::Status& status) {
  if (server_.is_done || !server_.process->BeforeStep()) return;
  server_.is_done = true;
  site_.cluster.network.Send(server_.out,
                             [self = shared_from_this(), status] { self->CallerLearns(status); });
  World& world = site_.cluster.world;
  world.After(world.Delay(kCloseMicrosMax), server_.process->machine(), EventKind::kMessage,
              [self = shared_from_this()] { self->PostClosed(self->server_, absl::OkStatus()); });
}

void Connection::FinishWriting() {
  if (caller_.is_done || !caller_.process->is_alive()) return;
  site_.cluster.network.Send(caller_.out, [self = shared_from_this()] {
    if (self->server_.is_done) return;
    self->inbox_.push_back(nullptr);  // When it has dealt with what came before.
    if (!self->is_server_busy_) self->HandToServer();
  });
}

// Behind what was posted before.
void Connection::PostClosed(Side& side, const absl::Status& status) {
  if (!side.process->is_alive()) return;
  side.process->env().Post([self = shared_from_this(), &side, status] {
    const Handlers handlers = std::exchange(side.handlers, {});
    if (side.process->is_alive() && handlers.on_closed) handlers.on_closed(status);
  });
}

void Connection::CallerLearns(const absl::Status& status) {
  if (std::exchange(caller_.is_done, true)) return;
  PostClosed(caller_, status);
}

void Connection::ServerLearns() {
  if (std::exchange(server_.is_done, true)) return;
  PostClosed(server_, absl::OkStatus());
}

std::string Connection::Name() const {
  static constexpr const char* kServices[] = {"an executor daemon's", "an application's",
                                              "a user's", "for artifacts", "a worker's"};
  return absl::StrCat(kServices[static_cast<size_t>(service_)], " from machine ",
                      caller_.out->from(), " to machine ", caller_.out->to());
}

bool Connection::IsBetween(NodeId one, NodeId other) const {
  const NodeId from = caller_.out->from();
  const NodeId to = caller_.out->to();
  return (from == one && to == other) || (from == other && to == one);
}

void Connection::Break() {
  if (server_.process == nullptr) return;
  World& world = site_.cluster.world;
  // Else it comes as long as the other side has not learned of the end, behind what was sent anew.
  if (world.OneIn(2)) caller_.out->Close();
  if (world.OneIn(2)) server_.out->Close();
  world.After(world.Delay(kBreakMicrosMax), caller_.out->from(), EventKind::kMessage,
              [self = shared_from_this()] {
                self->CallerLearns(absl::UnavailableError("the connection broke"));
              });
  world.After(world.Delay(kBreakMicrosMax), caller_.out->to(), EventKind::kMessage,
              [self = shared_from_this()] { self->ServerLearns(); });
}

void Connection::GiveUp() {
  if (caller_.is_done) return;
  CallerLearns(absl::UnavailableError("the other side does not answer"));
  site_.cluster.network.Send(caller_.out, [self = shared_from_this()] {
    if (self->server_.process != nullptr) self->ServerLearns();
  });
}

void Connection::MayLoseSent(Side& side) {
  if (!site_.cluster.world.OneIn(2)) return;
  const NodeId from = side.out->from();
  const NodeId to = side.out->to();
  side.out->Close();
  side.out = site_.cluster.network.Open(from, to);
}

void Connection::OnEnded(const Process& process) {
  if (caller_.process == &process) {
    caller_.is_done = true;
    caller_.handlers = {};
    MayLoseSent(caller_);
    site_.cluster.network.Send(caller_.out, [self = shared_from_this()] {
      if (self->server_.process != nullptr) self->ServerLearns();
    });
  }
  if (server_.process == &process) {
    const bool was_closed = std::exchange(server_.is_done, true);
    server_.handlers = {};
    if (!was_closed) MayLoseSent(server_);
    site_.cluster.network.Send(server_.out, [self = shared_from_this()] {
      self->CallerLearns(absl::UnavailableError("the connection broke"));
    });
  }
}

void Connection::Forget(const Process& process) {
  if (caller_.process == &process) caller_.handlers = {};
  if (server_.process == &process) server_.handlers = {};
  if (caller_.process == &process) caller_.is_done = true;
  if (server_.process == &process) server_.is_done = true;
}

}  // namespace millrace::sim
