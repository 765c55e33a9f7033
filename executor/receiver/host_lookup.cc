#include "executor/receiver/host_lookup.h"

#include <netdb.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/concurrent/named_thread.h"
#include "executor/receiver/tcp_connection.h"

namespace millrace::internal {

namespace {

using Result = absl::StatusOr<std::vector<HostAddress>>;

Result Resolve(const SocketAddress& address, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  // Everywhere the loopback (RFC 6761, 6.3), also on a bare machine without a file of hosts.
  if (error != 0 && address.host == "localhost") return Resolve({"127.0.0.1", address.port}, flags);
  if (error != 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot find host ", address.host, ": ",
                     error == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(error)));
  }
  std::vector<HostAddress> addresses;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    if (info->ai_addrlen > sizeof(sockaddr_storage)) continue;
    HostAddress& added = addresses.emplace_back();
    std::memcpy(&added.storage, info->ai_addr, info->ai_addrlen);
    added.length = info->ai_addrlen;
  }
  if (addresses.empty()) {
    return absl::UnavailableError(absl::StrCat("host ", address.host, " has no address"));
  }
  return addresses;
}

// Shared by the asker, who may leave first, and the thread.
struct Lookup {
  WakeFlag done;
  absl::Mutex mutex;
  Result result ABSL_GUARDED_BY(mutex);
};

}  // namespace

Result LookUpHost(const SocketAddress& address, const WakeFlag& wake,
                  std::chrono::milliseconds timeout) {
  Result numeric = Resolve(address, AI_NUMERICHOST);
  if (numeric.ok()) return numeric;

  const auto lookup = std::make_shared<Lookup>();
  StartThread("host-lookup", [lookup, address] {
    Result result = Resolve(address, AI_ADDRCONFIG);
    {
      absl::MutexLock lock(&lookup->mutex);
      lookup->result = std::move(result);
    }
    lookup->done.Raise();
  }).detach();

  std::array<pollfd, 2> waits = {pollfd{.fd = wake.fd(), .events = POLLIN, .revents = 0},
                                 pollfd{.fd = lookup->done.fd(), .events = POLLIN, .revents = 0}};
  int ready = 0;
  do {
    ready = poll(waits.data(), waits.size(), static_cast<int>(timeout.count()));
  } while (ready < 0 && errno == EINTR);
  if (waits[0].revents != 0) return absl::CancelledError("stopped while looking for the host");
  if (ready == 0) {
    return absl::DeadlineExceededError(absl::StrCat("cannot find host ", address.host,
                                                    ": no answer within ", timeout.count(), " ms"));
  }
  absl::MutexLock lock(&lookup->mutex);
  return std::move(lookup->result);
}

}  // namespace millrace::internal
