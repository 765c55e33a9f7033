// What the driver daemon's core is asked over gRPC.
#ifndef MILLRACE_DRIVER_DAEMON_DAEMON_SERVICES_H_
#define MILLRACE_DRIVER_DAEMON_DAEMON_SERVICES_H_

#include <map>
#include <memory>

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

// Each call is admitted and handed to the event loop, where the core answers it. What is handed to
// the constructors outlives the server.
class DriverDaemonServiceShell : public proto::DriverDaemonService::CallbackService {
 public:
  DriverDaemonServiceShell(Env& env, DriverDaemon& daemon, SessionTable& sessions,
                           const RpcSecurity& security)
      : env_(env), daemon_(daemon), sessions_(sessions), security_(security) {}

  grpc::ServerBidiReactor<proto::FromExecutor, proto::ToExecutor>* Connect(
      grpc::CallbackServerContext* context) override;

 private:
  Env& env_;
  DriverDaemon& daemon_;
  SessionTable& sessions_;
  const RpcSecurity& security_;
};

class ApplicationServiceShell : public proto::ApplicationService::CallbackService {
 public:
  ApplicationServiceShell(Env& env, DriverDaemon& daemon, SessionTable& sessions,
                          const RpcSecurity& security)
      : env_(env), daemon_(daemon), sessions_(sessions), security_(security) {}

  grpc::ServerBidiReactor<proto::FromApplication, proto::ToApplication>* Connect(
      grpc::CallbackServerContext* context) override;

 private:
  Env& env_;
  DriverDaemon& daemon_;
  SessionTable& sessions_;
  const RpcSecurity& security_;
};

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
