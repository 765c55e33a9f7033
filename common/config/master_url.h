// Where an application's work is done.
#ifndef MILLRACE_COMMON_CONFIG_MASTER_URL_H_
#define MILLRACE_COMMON_CONFIG_MASTER_URL_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

namespace millrace {

// local, local[N], local[*], local[N,F], local[*,F]: in this process.
struct LocalMaster {
  int threads = 1;       // kAllCores: as many as the machine has.
  int max_failures = 1;  // F: attempts of a task.

  static constexpr int kAllCores = 0;
  friend bool operator==(const LocalMaster&, const LocalMaster&) = default;
};

// local-cluster[workers,cores,memory_mb]: worker processes on this machine.
struct LocalClusterMaster {
  int workers = 1;
  int cores_per_worker = 1;
  int64_t memory_mb_per_worker = 1024;

  friend bool operator==(const LocalClusterMaster&, const LocalClusterMaster&) = default;
};

struct HostPort {
  std::string host;  // An IPv6 address without its brackets.
  int port = 0;

  std::string ToString() const;  // host:port or [address]:port.
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

// millrace://host:port[,host:port...]: driver daemons, one of which leads.
struct ClusterMaster {
  std::vector<HostPort> daemons;

  friend bool operator==(const ClusterMaster&, const ClusterMaster&) = default;
};

using MasterUrl = std::variant<LocalMaster, LocalClusterMaster, ClusterMaster>;

// InvalidArgument names millrace.master, the URL, what is wrong with it and what is allowed.
absl::StatusOr<MasterUrl> ParseMasterUrl(std::string_view url);

// "host:port" or "[address]:port"; the port is 1 to 65535.
absl::StatusOr<HostPort> ParseHostPort(std::string_view text);

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONFIG_MASTER_URL_H_
