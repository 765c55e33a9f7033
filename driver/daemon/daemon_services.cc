#include "driver/daemon/daemon_services.h"

#include <algorithm>
#include <utility>

#include "common/rpc/rpc_status.h"

namespace millrace {

namespace {

constexpr int64_t kWaitMsMax = 60'000;

}  // namespace

SessionId SessionTable::Add(std::shared_ptr<ExecutorSession> session) {
  const absl::MutexLock lock(&mutex_);
  sessions_[++last_session_].executor = std::move(session);
  return last_session_;
}

SessionId SessionTable::Add(std::shared_ptr<ApplicationSession> session) {
  const absl::MutexLock lock(&mutex_);
  sessions_[++last_session_].application = std::move(session);
  return last_session_;
}

void SessionTable::Remove(SessionId session) {
  const absl::MutexLock lock(&mutex_);
  sessions_.erase(session);
}

SessionTable::Entry SessionTable::Find(SessionId session) {
  const absl::MutexLock lock(&mutex_);
  const auto it = sessions_.find(session);
  return it == sessions_.end() ? Entry{} : it->second;
}

void SessionTable::SendToExecutor(SessionId session, proto::ToExecutor message) {
  if (const Entry entry = Find(session); entry.executor) entry.executor->Send(std::move(message));
}

void SessionTable::SendToApplication(SessionId session, proto::ToApplication message) {
  const Entry entry = Find(session);
  if (entry.application) entry.application->Send(std::move(message));
}

void SessionTable::Close(SessionId session, absl::Status status) {
  const Entry entry = Find(session);
  if (entry.executor) entry.executor->Close(ToGrpcStatus(status));
  if (entry.application) entry.application->Close(ToGrpcStatus(status));
}

template <class Answer>
grpc::ServerUnaryReactor* SubmitServiceShell::AnswerOnLoop(grpc::CallbackServerContext& context,
                                                           Answer answer) {
  grpc::ServerUnaryReactor* const reactor = context.DefaultReactor();
  if (const grpc::Status status = security_.Admit(context); !status.ok()) {
    reactor->Finish(status);
    return reactor;
  }
  env_.Post([reactor, answer = std::move(answer)] { reactor->Finish(ToGrpcStatus(answer())); });
  return reactor;
}

grpc::ServerUnaryReactor* SubmitServiceShell::Submit(grpc::CallbackServerContext* context,
                                                     const proto::SubmitRequest* request,
                                                     proto::SubmitReply* reply) {
  return AnswerOnLoop(*context, [this, request, reply] {
    const auto status = submissions_.Submit(*request);
    if (!status.ok()) return status.status();
    reply->set_submission_id(status->submission_id());
    reply->set_warning(daemon_.WhyNever(request->demand()));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* SubmitServiceShell::GetStatus(grpc::CallbackServerContext* context,
                                                        const proto::StatusRequest* request,
                                                        proto::SubmissionStatus* reply) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  if (const grpc::Status status = security_.Admit(*context); !status.ok()) {
    reactor->Finish(status);
    return reactor;
  }
  env_.Post([this, reactor, request, reply] {
    const int64_t wait_ms = std::clamp<int64_t>(request->wait_ms(), 0, kWaitMsMax);
    submissions_.GetStatus(request->submission_id(), wait_ms * 1000,
                           [reactor, reply](const absl::StatusOr<proto::SubmissionStatus>& status) {
                             if (status.ok()) *reply = *status;
                             reactor->Finish(ToGrpcStatus(status.status()));
                           });
  });
  return reactor;
}

grpc::ServerUnaryReactor* SubmitServiceShell::Kill(grpc::CallbackServerContext* context,
                                                   const proto::KillRequest* request,
                                                   proto::SubmissionStatus* reply) {
  return AnswerOnLoop(*context, [this, request, reply] {
    auto status = submissions_.Kill(request->submission_id());
    if (!status.ok()) return status.status();
    *reply = *std::move(status);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* SubmitServiceShell::List(grpc::CallbackServerContext* context,
                                                   const proto::ListRequest* /*request*/,
                                                   proto::ListReply* reply) {
  return AnswerOnLoop(*context, [this, reply] {
    *reply = daemon_.List();
    return absl::OkStatus();
  });
}

}  // namespace millrace
