#include "executor/receiver/socket_receiver.h"

#include <chrono>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/concurrent/named_thread.h"

namespace millrace::internal {

namespace {

constexpr std::chrono::milliseconds kConnectTimeout{10000};

}  // namespace

void SocketReceiver::OnStart() {
  wake_.Lower();
  thread_ = StartThread(absl::StrCat("socket-", stream_id()), [this] { Run(); });
}

void SocketReceiver::OnStop() {
  wake_.Raise();
  if (thread_.joinable()) thread_.join();
}

void SocketReceiver::Run() {
  absl::StatusOr<TcpConnection> connection = TcpConnection::Open(peer_, wake_, kConnectTimeout);
  const absl::Status end = connection.ok() ? ReadAll(*connection) : connection.status();
  // Does nothing if the end was asked for.
  Restart(std::string(end.message()));
}

}  // namespace millrace::internal
