#include "common/env/in_process_transport.h"

#include <glog/logging.h>

#include <utility>

namespace millrace {

class InProcessTransport::Link : public WorkerTransport,
                                 public std::enable_shared_from_this<InProcessTransport::Link> {
 public:
  Link(InProcessTransport& transport, WorkerHandler handler)
      : transport_(transport), handler_(std::move(handler)) {}

  void SendToDriver(proto::ToDriver message) override {
    transport_.Deliver(shared_from_this(), std::move(message));
  }
  void Receive(proto::ToWorker message) {
    if (connected_) handler_(std::move(message));
  }
  void Disconnect() { connected_ = false; }
  bool connected() const { return connected_; }

 private:
  InProcessTransport& transport_;
  WorkerHandler handler_;
  bool connected_ = true;
};

InProcessTransport::InProcessTransport(Env& env) : env_(env) {}

InProcessTransport::~InProcessTransport() = default;

void InProcessTransport::ConnectDriver(DriverHandler handler) { driver_ = std::move(handler); }

WorkerTransport& InProcessTransport::ConnectWorker(int64_t worker_id, WorkerHandler handler) {
  auto& link = links_[worker_id];
  CHECK(link == nullptr) << "worker " << worker_id << " is connected already";
  link = std::make_shared<Link>(*this, std::move(handler));
  return *link;
}

void InProcessTransport::DisconnectWorker(int64_t worker_id, const absl::Status& /*reason*/) {
  const auto link = links_.find(worker_id);
  if (link == links_.end()) return;
  link->second->Disconnect();
  links_.erase(link);
}

void InProcessTransport::SendToWorker(int64_t worker_id, proto::ToWorker message) {
  const auto link = links_.find(worker_id);
  if (link == links_.end()) return;
  env_.Post([link = link->second, message = std::move(message)]() mutable {
    link->Receive(std::move(message));
  });
}

void InProcessTransport::Deliver(const std::shared_ptr<Link>& link, proto::ToDriver message) {
  env_.Post([this, link, message = std::move(message)]() mutable {
    if (link->connected()) driver_(std::move(message));
  });
}

}  // namespace millrace
