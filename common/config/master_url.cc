#include "common/config/master_url.h"

#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"

namespace millrace {

namespace {

constexpr int kThreadsMax = 4096;
constexpr int kWorkersMax = 1024;
constexpr int64_t kMemoryMbMax = int64_t{1} << 30;

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

absl::Status BadMaster(std::string_view url, std::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat(
      "millrace.master: '", Absl(url), "' is not allowed: ", Absl(reason),
      "; write local, local[N], local[*], local[N,F], local-cluster[workers,cores,memory_mb] or "
      "millrace://host:port[,host:port...]"));
}

// The comma-separated numbers between `name`'s brackets; nullopt when `url` is not of that form.
std::optional<std::vector<absl::string_view>> Arguments(std::string_view url,
                                                        std::string_view name) {
  if (!url.starts_with(name)) return std::nullopt;
  url.remove_prefix(name.size());
  if (!url.starts_with('[') || !url.ends_with(']')) return std::nullopt;
  return absl::StrSplit(Absl(url.substr(1, url.size() - 2)), ',');
}

std::optional<int64_t> NumberUpTo(int64_t max, absl::string_view text) {
  int64_t number;
  if (!absl::SimpleAtoi(text, &number) || number < 1 || number > max) return std::nullopt;
  return number;
}

absl::StatusOr<MasterUrl> ParseLocal(std::string_view url,
                                     const std::vector<absl::string_view>& arguments) {
  if (arguments.size() > 2)
    return BadMaster(url, "local takes a number of threads and of attempts");
  LocalMaster local;
  if (arguments[0] == "*") {
    local.threads = LocalMaster::kAllCores;
  } else {
    const auto threads = NumberUpTo(kThreadsMax, arguments[0]);
    if (!threads.has_value()) {
      return BadMaster(url, absl::StrCat("the threads must be * or 1 to ", kThreadsMax));
    }
    local.threads = static_cast<int>(*threads);
  }
  if (arguments.size() == 2) {
    const auto attempts = NumberUpTo(1000, arguments[1]);
    if (!attempts.has_value()) return BadMaster(url, "the attempts of a task must be 1 to 1000");
    local.max_failures = static_cast<int>(*attempts);
  }
  return local;
}

absl::StatusOr<MasterUrl> ParseLocalCluster(std::string_view url,
                                            const std::vector<absl::string_view>& arguments) {
  if (arguments.size() != 3) return BadMaster(url, "local-cluster takes three numbers");
  const auto workers = NumberUpTo(kWorkersMax, arguments[0]);
  const auto cores = NumberUpTo(kThreadsMax, arguments[1]);
  const auto memory_mb = NumberUpTo(kMemoryMbMax, arguments[2]);
  if (!workers || !cores || !memory_mb) {
    return BadMaster(url, absl::StrCat("the numbers must be 1 to ", kWorkersMax, ", 1 to ",
                                       kThreadsMax, " and 1 to ", kMemoryMbMax));
  }
  return LocalClusterMaster{.workers = static_cast<int>(*workers),
                            .cores_per_worker = static_cast<int>(*cores),
                            .memory_mb_per_worker = *memory_mb};
}

}  // namespace

std::string HostPort::ToString() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return is_ipv6 ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

absl::StatusOr<HostPort> ParseHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  const auto port = colon == std::string_view::npos
                        ? std::nullopt
                        : NumberUpTo(65535, Absl(text.substr(colon + 1)));
  if (!port.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", Absl(text), "' is not host:port with a port of 1 to 65535"));
  }
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const char* const not_in_host = bracketed ? "[]/ " : "[]/ :";
  if (host.empty() || host.find_first_of(not_in_host) != std::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", Absl(text), "' is not host:port or [address]:port"));
  }
  return HostPort{.host = std::string(host), .port = static_cast<int>(*port)};
}

absl::StatusOr<MasterUrl> ParseMasterUrl(std::string_view url) {
  constexpr std::string_view kClusterScheme = "millrace://";
  if (url == "local") return LocalMaster{};
  if (const auto arguments = Arguments(url, "local")) return ParseLocal(url, *arguments);
  if (const auto arguments = Arguments(url, "local-cluster")) {
    return ParseLocalCluster(url, *arguments);
  }
  if (!url.starts_with(kClusterScheme)) return BadMaster(url, "no such kind of master");
  ClusterMaster cluster;
  for (const absl::string_view daemon :
       absl::StrSplit(Absl(url.substr(kClusterScheme.size())), ',')) {
    auto host_port = ParseHostPort(std::string_view(daemon.data(), daemon.size()));
    if (!host_port.ok()) return BadMaster(url, std::string(host_port.status().message()));
    cluster.daemons.push_back(*std::move(host_port));
  }
  return cluster;
}

}  // namespace millrace
