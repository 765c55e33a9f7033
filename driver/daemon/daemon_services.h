// What the driver daemon's core is asked over gRPC.
#ifndef MILLRACE_DRIVER_DAEMON_DAEMON_SERVICES_H_
#define MILLRACE_DRIVER_DAEMON_DAEMON_SERVICES_H_

#include <map>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/env/env.h"
#include "common/rpc/rpc_security.h"
#include "common/rpc/server_session.h"
#include "driver/daemon/daemon_peers.h"
#include "driver/daemon/driver_daemon.h"
#include "driver/daemon/submissions.h"
#include "proto/application.grpc.pb.h"
#include "proto/driver.grpc.pb.h"
#include "proto/submit.grpc.pb.h"

namespace millrace {

// The connections of executor daemons and applications, by number.
// Threads: any.
class SessionTable : public DaemonPeers {
 public:
  using ExecutorSession = ServerSession<proto::FromExecutor, proto::ToExecutor>;
  using ApplicationSession = ServerSession<proto::FromApplication, proto::ToApplication>;

  SessionId Add(std::shared_ptr<ExecutorSession> session);
  SessionId Add(std::shared_ptr<ApplicationSession> session);
  void Remove(SessionId session);

  void SendToExecutor(SessionId session, proto::ToExecutor message) override;
  void SendToApplication(SessionId session, proto::ToApplication message) override;
  void Close(SessionId session, absl::Status status) override;

 private:
  struct Entry {
    std::shared_ptr<ExecutorSession> executor;
    std::shared_ptr<ApplicationSession> application;
  };
  Entry Find(SessionId session);

  absl::Mutex mutex_;
  std::map<SessionId, Entry> sessions_ ABSL_GUARDED_BY(mutex_);
  SessionId last_session_ ABSL_GUARDED_BY(mutex_) = kNoSession;
};

// A service of sessions, whose messages and ends are handed to the core on the event loop: one
// message of each at a time. What is handed to the constructors of the shells outlives the server.
template <class Service, class In, class Out,
          void (DriverDaemon::*kOnMessage)(SessionId, const In&)>
class SessionServiceShell : public Service {
 public:
  SessionServiceShell(Env& env, DriverDaemon& daemon, SessionTable& sessions,
                      const RpcSecurity& security)
      : env_(env), daemon_(daemon), sessions_(sessions), security_(security) {}

  grpc::ServerBidiReactor<In, Out>* Connect(grpc::CallbackServerContext* context) override {
    using Session = ServerSession<In, Out>;
    const std::shared_ptr<Session> session = Session::Make(context);
    if (const grpc::Status status = security_.Admit(*context); !status.ok()) {
      session->Close(status);
      return session.get();
    }
    const SessionId id = sessions_.Add(session);
    session->Begin({.on_message =
                        [this, id, weak = std::weak_ptr<Session>(session)](In message) {
                          env_.Post(
                              [this, id, session = weak.lock(), message = std::move(message)] {
                                (daemon_.*kOnMessage)(id, message);
                                session->ReadOn();
                              });
                        },
                    .on_closed =
                        [this, id] {
                          sessions_.Remove(id);
                          env_.Post([this, id] { daemon_.OnClosed(id); });
                        }});
    return session.get();
  }

 private:
  Env& env_;
  DriverDaemon& daemon_;
  SessionTable& sessions_;
  const RpcSecurity& security_;
};

using DriverDaemonServiceShell =
    SessionServiceShell<proto::DriverDaemonService::CallbackService, proto::FromExecutor,
                        proto::ToExecutor, &DriverDaemon::OnExecutorMessage>;
using ApplicationServiceShell =
    SessionServiceShell<proto::ApplicationService::CallbackService, proto::FromApplication,
                        proto::ToApplication, &DriverDaemon::OnApplicationMessage>;

// Each call is admitted and answered on the event loop.
class SubmitServiceShell : public proto::SubmitService::CallbackService {
 public:
  SubmitServiceShell(Env& env, DriverDaemon& daemon, Submissions& submissions,
                     const RpcSecurity& security)
      : env_(env), daemon_(daemon), submissions_(submissions), security_(security) {}

  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context,
                                   const proto::SubmitRequest* request,
                                   proto::SubmitReply* reply) override;
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const proto::StatusRequest* request,
                                      proto::SubmissionStatus* reply) override;
  grpc::ServerUnaryReactor* Kill(grpc::CallbackServerContext* context,
                                 const proto::KillRequest* request,
                                 proto::SubmissionStatus* reply) override;
  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                 const proto::ListRequest* request,
                                 proto::ListReply* reply) override;

 private:
  // Runs `answer` on the event loop and finishes the call with what it returns.
  template <class Answer>
  grpc::ServerUnaryReactor* AnswerOnLoop(grpc::CallbackServerContext& context, Answer answer);

  Env& env_;
  DriverDaemon& daemon_;
  Submissions& submissions_;
  const RpcSecurity& security_;
};

}  // namespace millrace

#endif  // MILLRACE_DRIVER_DAEMON_DAEMON_SERVICES_H_
