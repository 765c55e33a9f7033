// Calls between processes, as gRPC makes them.
#ifndef MILLRACE_TESTS_SIM_DAEMON_CONNECTION_H_
#define MILLRACE_TESTS_SIM_DAEMON_CONNECTION_H_

#include <google/protobuf/message.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/sim/daemon_process.h"
#include "tests/sim/daemon_site.h"
#include "tests/sim/network.h"

namespace millrace::sim {

// What is called.
enum class Service : uint8_t {
  kExecutors,     // FromExecutor, ToExecutor
  kApplications,  // FromApplication, ToApplication
  kSubmissions,   // One request, one answer.
  kArtifacts,     // The same: ProgramFile to ProgramFile; without a name it is asked for.
  kWorkers        // WorkerRef to ApplicationEnding: of an application's driver.
};

using MessageRef = std::shared_ptr<const google::protobuf::Message>;

// A call in which both sides send messages: in order, or not at all. Messages and ends come on the
// event loops of their processes. The server is handed the next message when it has dealt with the
// last one.
//
// Threads: whoever has the turn.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Ref = std::shared_ptr<Connection>;
  struct Handlers {
    std::function<void(const google::protobuf::Message&)> on_message;
    std::function<void(const absl::Status&)> on_closed;  // Once, and last. The server's is OK.
  };

  // The caller's; Unavailable at its `on_closed`: nobody is there.
  static Ref Open(Process& caller, const std::string& address, Service service, Handlers handlers);

  template <class Message>
  void SendToServer(Message message) {
    if (!caller_.is_done && caller_.process->BeforeStep()) {
      Send(caller_, std::make_shared<const Message>(std::move(message)));
    }
  }
  template <class Message>
  void SendToCaller(Message message) {
    if (!server_.is_done && server_.process->BeforeStep()) {
      Send(server_, std::make_shared<const Message>(std::move(message)));
    }
  }
  // The server ends the call, after what was sent.
  void Close(const absl::Status& status);
  // The caller says that nothing more comes; the server then ends the call.
  void FinishWriting();

  // -- Of the network ---------------------------------------------------------------------------

  bool is_open() const { return !caller_.is_done && !server_.is_done; }
  std::string Name() const;
  bool IsBetween(NodeId one, NodeId other) const;
  // Either side learns of it, each at its time; what is under way is lost, or it may come until
  // then.
  void Break();
  // The caller's pings are not answered.
  void GiveUp();

  // The process ends, or is forgotten at the end of the run.
  void OnEnded(const Process& process);
  void Forget(const Process& process);

 private:
  struct Side {
    Process* process = nullptr;
    Handlers handlers;
    bool is_done = false;  // Nothing is sent any more, or taken.
    Network::ChannelRef out;
  };

  Connection(Site& site, Process& caller, Service service, Handlers handlers);

  void Send(Side& from, MessageRef message);
  void ArriveAtServer(const std::string& address);
  void HandToServer();
  void CallerLearns(const absl::Status& status);
  void ServerLearns();
  void PostClosed(Side& side, const absl::Status& status);
  // Its way out: what it sends from here on comes, or nothing of what it has sent before either.
  void MayLoseSent(Side& side);

  Site& site_;
  const Service service_;
  Side caller_;
  Side server_;                   // No process: it has not arrived.
  std::deque<MessageRef> inbox_;  // Of the server.
  bool is_server_busy_ = false;
};

// Who listens on an address. It stays when its process ends.
struct Endpoint {
  NodeId machine = kNobody;
  Process* process = nullptr;  // Null: nobody.
  std::function<Connection::Handlers(Service service, const Connection::Ref& connection)> accept;
};

// One request and its answer. Unavailable: whether it was done is not known.
using Answer = std::function<void(const absl::StatusOr<MessageRef>& answer)>;
template <class Request>
void Ask(Process& caller, const std::string& address, Service service, Request request,
         Answer on_answer) {
  const auto answer = std::make_shared<MessageRef>();
  const Connection::Ref call =
      Connection::Open(caller, address, service,
                       {.on_message =
                            [answer](const google::protobuf::Message& message) {
                              google::protobuf::Message* const copy = message.New();
                              copy->CopyFrom(message);
                              answer->reset(copy);
                            },
                        .on_closed =
                            [answer, on_answer = std::move(on_answer)](const absl::Status& status) {
                              if (!status.ok()) return on_answer(status);
                              if (*answer == nullptr)
                                return on_answer(absl::UnavailableError("no answer came"));
                              on_answer(*answer);
                            }});
  call->SendToServer(std::move(request));
}

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_DAEMON_CONNECTION_H_
