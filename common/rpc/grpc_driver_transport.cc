#include "common/rpc/grpc_driver_transport.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>

#include <chrono>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/config/master_url.h"
#include "common/metrics/metrics_registry.h"
#include "common/rpc/rpc_limits.h"
#include "common/rpc/rpc_security.h"
#include "common/rpc/rpc_status.h"
#include "common/rpc/send_queue.h"
#include "glog/logging.h"
#include "proto/worker.grpc.pb.h"

namespace millrace {

namespace {

// Read from one connection and not yet handled; then reading waits, and with it the worker.
constexpr int kUnhandledMax = 256;
constexpr uint32_t kTaskSlotsMax = 1u << 16;

void CountRefusal(MetricsRegistry* metrics, const char* reason) {
  if (metrics == nullptr) return;
  metrics
      ->GetCounter("millrace_rpc_refused_total", "Calls of peers that may not call",
                   {{"reason", reason}})
      ->Increment();
}

}  // namespace

// What connections need of their transport.
struct GrpcDriverTransport::Shared {
  explicit Shared(Env& env) : env(env) {}

  Env& env;
  Options options;
  Owner* owner = nullptr;
  // The event loop's.
  absl::flat_hash_map<int64_t, std::shared_ptr<Connection>> connections;
};

class GrpcDriverTransport::Connection final
    : public grpc::ServerBidiReactor<proto::ToDriver, proto::ToWorker>,
      public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Shared> shared, grpc::CallbackServerContext* context)
      : shared_(std::move(shared)), context_(context), peer_(context->peer()) {}

  void Begin() {
    self_ = shared_from_this();
    StartRead(&incoming_);
  }

  // The event loop's. A connection whose reader has stopped is ended.
  void Send(proto::ToWorker message) ABSL_LOCKS_EXCLUDED(mutex_) {
    const size_t bytes = message.ByteSizeLong();
    if (bytes > internal::kMessageBytesMax) return RefuseToSend(message, bytes);
    {
      const absl::MutexLock lock(&mutex_);
      if (has_ended_) return;
      if (const proto::ToWorker* const first = outgoing_.Push(std::move(message))) {
        StartWrite(first);
      }
      const bool is_full = outgoing_.count() > internal::kSendQueueCountMax ||
                           outgoing_.bytes() > internal::kSendQueueBytesMax;
      if (!is_full) return;
      // Else what is being written would keep the call until the worker reads. The context is
      // there: the call has not been finished.
      context_->TryCancel();
    }
    End(absl::ResourceExhaustedError(
        absl::StrCat("worker ", worker_id_, " at ", peer_, " does not take what it is sent")));
  }

  void End(const absl::Status& reason) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      const absl::MutexLock lock(&mutex_);
      if (std::exchange(has_ended_, true)) return;
      end_reason_ = reason;
    }
    Finish(ToGrpcStatus(reason));
  }

  void OnReadDone(bool ok) override {
    if (!ok) return End(absl::OkStatus());
    {
      const absl::MutexLock lock(&mutex_);
      ++unhandled_count_;
    }
    // Posted before the next one is read, so they stay in order.
    shared_->env.PostAndRun([self = shared_from_this(), message = std::move(incoming_)]() mutable {
      self->Deliver(std::move(message));
    });
    const absl::MutexLock lock(&mutex_);
    if (unhandled_count_ < kUnhandledMax) {
      ReadNext();
    } else {
      is_reading_paused_ = true;
    }
  }

  void OnWriteDone(bool ok) override {
    const absl::MutexLock lock(&mutex_);
    if (!ok || has_ended_) return;
    if (const proto::ToWorker* const next = outgoing_.Pop()) StartWrite(next);
  }

  void OnCancel() override { End(absl::CancelledError("the connection broke")); }

  // After the last message, whatever ended the stream.
  void OnDone() override {
    shared_->env.PostAndRun([self = std::move(self_)] { self->Leave(); });
  }

 private:
  // A worker without a broadcast value fails the tasks that use it; other messages it cannot do
  // without.
  void RefuseToSend(const proto::ToWorker& message, size_t bytes) {
    const std::string why =
        absl::StrCat(" of ", bytes >> 20, " MiB is larger than the ",
                     internal::kMessageBytesMax >> 20, " MiB that can be sent to a worker");
    if (message.has_put_broadcast()) {
      LOG(ERROR) << "the broadcast value " << message.put_broadcast().broadcast_id() << why;
    } else {
      End(absl::ResourceExhaustedError("a message" + why));
    }
  }

  void ReadNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (has_ended_) return;
    incoming_.Clear();
    StartRead(&incoming_);
  }

  // The event loop's from here on.
  void Deliver(proto::ToDriver message) {
    if (has_joined_ || Join(message)) {
      const auto connection = shared_->connections.find(worker_id_);
      const bool is_connected =
          connection != shared_->connections.end() && connection->second.get() == this;
      message.set_worker_id(worker_id_);
      if (is_connected) shared_->owner->OnMessage(std::move(message));
    }
    const absl::MutexLock lock(&mutex_);
    --unhandled_count_;
    if (std::exchange(is_reading_paused_, false)) ReadNext();
  }

  bool Join(const proto::ToDriver& message) {
    const absl::Status status = CheckHello(message);
    if (status.ok()) {
      worker_id_ = message.worker_id();
      has_joined_ = true;
      shared_->connections[worker_id_] = shared_from_this();
      return true;
    }
    LOG_EVERY_T(WARNING, 1) << "refused a worker at " << peer_ << ": " << status.message();
    CountRefusal(shared_->options.metrics, "hello");
    End(status);
    return false;
  }

  absl::Status CheckHello(const proto::ToDriver& message) const {
    if (!message.has_hello()) {
      return absl::InvalidArgumentError("the first message of a worker must be its hello");
    }
    const proto::WorkerHello& hello = message.hello();
    const int64_t id = message.worker_id();
    if (hello.application_id() != shared_->options.application_id) {
      return absl::InvalidArgumentError(
          absl::StrCat("this is the driver of application '", shared_->options.application_id,
                       "', and worker ", id, " is one of '", hello.application_id(), "'"));
    }
    if (hello.binary_digest() != shared_->options.binary_digest) {
      return absl::FailedPreconditionError(absl::StrCat(
          "worker ", id, " runs another binary (digest ", hello.binary_digest(),
          ") than its driver (digest ", shared_->options.binary_digest,
          "): all processes of an application must run the same executable, unchanged since it "
          "was started"));
    }
    if (hello.task_slots() == 0 || hello.task_slots() > kTaskSlotsMax) {
      return absl::InvalidArgumentError(absl::StrCat("worker ", id, " says that it has ",
                                                     hello.task_slots(), " task slots; 1 to ",
                                                     kTaskSlotsMax, " are possible"));
    }
    if (hello.driver_epoch() > shared_->options.driver_epoch) {
      return absl::FailedPreconditionError(absl::StrCat(
          "worker ", id, " has a later driver than this one, which has been replaced"));
    }
    if (shared_->connections.contains(id)) {
      return absl::AlreadyExistsError(absl::StrCat("worker ", id, " is connected already"));
    }
    return shared_->owner->MayJoin(id);
  }

  void Leave() {
    if (!has_joined_) return;
    const auto connection = shared_->connections.find(worker_id_);
    if (connection == shared_->connections.end() || connection->second.get() != this) return;
    shared_->connections.erase(connection);
    absl::Status reason;
    {
      const absl::MutexLock lock(&mutex_);
      reason = end_reason_;
    }
    shared_->owner->OnDisconnected(
        worker_id_, reason.ok() ? "its connection ended" : std::string(reason.message()));
  }

  const std::shared_ptr<Shared> shared_;
  grpc::CallbackServerContext* const context_;  // Until the call has been finished.
  const std::string peer_;
  std::shared_ptr<Connection> self_;  // Until gRPC is done with it.
  proto::ToDriver incoming_;          // Of the read under way.

  // The event loop's.
  int64_t worker_id_ = 0;
  bool has_joined_ = false;

  absl::Mutex mutex_;
  internal::SendQueue<proto::ToWorker> outgoing_ ABSL_GUARDED_BY(mutex_);
  int unhandled_count_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_reading_paused_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status end_reason_ ABSL_GUARDED_BY(mutex_);
};

class GrpcDriverTransport::Service final : public proto::WorkerSession::CallbackService {
 public:
  explicit Service(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  absl::Status Listen() {
    const Options& options = shared_->options;
    grpc::ServerBuilder builder;
    internal::LimitServer(builder);
    builder.RegisterService(this);
    const std::string address = HostPort{options.listen_host, options.port}.ToString();
    builder.AddListeningPort(address, options.security->server_credentials(), &port_);
    server_ = builder.BuildAndStart();
    if (server_ != nullptr && port_ != 0) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, " for workers"));
  }

  int port() const { return port_; }

  void Stop() {
    if (server_ == nullptr) return;
    // Calls under way are cancelled at once.
    server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }

  grpc::ServerBidiReactor<proto::ToDriver, proto::ToWorker>* Connect(
      grpc::CallbackServerContext* context) override {
    const grpc::Status admitted = shared_->options.security->Admit(*context);
    if (!admitted.ok()) return new Refused(admitted);
    const auto connection = std::make_shared<Connection>(shared_, context);
    connection->Begin();
    return connection.get();
  }

 private:
  struct Refused final : grpc::ServerBidiReactor<proto::ToDriver, proto::ToWorker> {
    explicit Refused(const grpc::Status& status) { Finish(status); }
    void OnDone() override { delete this; }
  };

  const std::shared_ptr<Shared> shared_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

GrpcDriverTransport::GrpcDriverTransport(Env& env) : shared_(std::make_shared<Shared>(env)) {}

GrpcDriverTransport::~GrpcDriverTransport() { Stop(); }

absl::Status GrpcDriverTransport::Listen(const Options& options, Owner& owner) {
  CHECK(service_ == nullptr) << "the transport listens already";
  shared_->options = options;
  shared_->owner = &owner;
  service_ = std::make_unique<Service>(shared_);
  return service_->Listen();
}

int GrpcDriverTransport::port() const { return service_->port(); }

void GrpcDriverTransport::SendToWorker(int64_t worker_id, proto::ToWorker message) {
  const auto connection = shared_->connections.find(worker_id);
  if (connection != shared_->connections.end()) connection->second->Send(std::move(message));
}

void GrpcDriverTransport::DisconnectWorker(int64_t worker_id, const absl::Status& reason) {
  const auto connection = shared_->connections.extract(worker_id);
  if (!connection.empty()) connection.mapped()->End(reason);
}

void GrpcDriverTransport::Stop() {
  if (service_ != nullptr) service_->Stop();
  shared_->connections.clear();
}

}  // namespace millrace
