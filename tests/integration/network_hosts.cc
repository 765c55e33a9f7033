#include "tests/integration/network_hosts.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "tests/support/child_limits.h"

namespace millrace {
namespace {

constexpr char kOwnNetwork[] = "/proc/thread-self/ns/net";

// A user other than root may do so in a space of users in which it is itself, and stays there.
bool LeaveNetwork() {
  if (geteuid() == 0) return unshare(CLONE_NEWNET) == 0;
  const std::string users = "0 " + std::to_string(geteuid()) + " 1";
  const std::string groups = "0 " + std::to_string(getegid()) + " 1";
  return unshare(CLONE_NEWNET | CLONE_NEWUSER) == 0 && WriteTo("/proc/self/uid_map", users) &&
         WriteTo("/proc/self/setgroups", "deny") && WriteTo("/proc/self/gid_map", groups);
}

std::string FindMissing() {
  std::string missing;
  for (const std::string program : {"ip", "tc", "iptables", "nsenter"}) {
    bool is_there = false;
    for (const char* directory : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"}) {
      is_there |= access((directory + program).c_str(), X_OK) == 0;
    }
    if (!is_there) missing += " " + program;
  }
  return missing;
}

}  // namespace

NetworkHosts::NetworkHosts(int hosts) {
  if (const std::string missing = FindMissing(); !missing.empty()) {
    why_not_ = "programs are missing, which scripts/install-deps test installs:" + missing;
    return;
  }
  outside_fd_ = open(kOwnNetwork, O_RDONLY | O_CLOEXEC);
  if (outside_fd_ < 0 || !LeaveNetwork()) {
    why_not_ = std::string("no network namespace can be made: ") + strerror(errno);
    return;
  }
  std::string script =
      "ip link set lo up\n"
      "ip link add bridge type bridge\n"
      "ip address add " +
      test_address() +
      "/24 dev bridge\n"
      "ip link set bridge up\n";
  for (int host = 0; host < hosts; ++host) {
    Process::Options options;
    options.before = [] { return unshare(CLONE_NEWNET) == 0; };
    hosts_.push_back(std::make_unique<Process>(
        std::vector<std::string>{"/bin/sh", "-c", "echo made; exec sleep infinity"}, options));
    if (!hosts_.back()->Await(Process::kOut, "made")) {
      why_not_ = "no second network namespace can be made";
      return;
    }
    const std::string pid = std::to_string(hosts_.back()->pid());
    const std::string on_host = "nsenter --net --target " + pid + " ip ";
    const std::string cable = CableName(host);
    absl::StrAppend(&script, "ip link add ", cable, " type veth peer name eth0 netns ", pid, "\n");
    absl::StrAppend(&script, "ip link set ", cable, " master bridge up\n");
    absl::StrAppend(&script, on_host, "link set lo up\n");
    absl::StrAppend(&script, on_host, "address add ", address(host), "/24 dev eth0\n");
    absl::StrAppend(&script, on_host, "link set eth0 up\n");
  }
  if (!Run(script)) why_not_ = "no network of namespaces can be made: " + failure_;
}

NetworkHosts::~NetworkHosts() {
  hosts_.clear();
  if (outside_fd_ < 0) return;
  // Not back to what another space of users owns: whoever is not root stays.
  setns(outside_fd_, CLONE_NEWNET);
  close(outside_fd_);
}

std::function<bool()> NetworkHosts::Enter(int host) const {
  return [path = "/proc/" + std::to_string(hosts_[static_cast<size_t>(host)]->pid()) + "/ns/net"] {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    return fd >= 0 && setns(fd, CLONE_NEWNET) == 0;
  };
}

void NetworkHosts::Unplug(int host) {
  EXPECT_TRUE(Run("ip link set " + CableName(host) + " down")) << failure_;
}

void NetworkHosts::Plug(int host) {
  EXPECT_TRUE(Run("ip link set " + CableName(host) + " up")) << failure_;
}

void NetworkHosts::DropSent(int host, const std::string& other) {
  RunOn(host, "iptables -A OUTPUT -o eth0 -d " + other + " -j DROP");
}

void NetworkHosts::DropReceived(int host, const std::string& other) {
  RunOn(host, "iptables -A INPUT -i eth0 -s " + other + " -j DROP");
}

void NetworkHosts::LosePackets(int host, int percent) {
  const std::string share = (percent < 10 ? "0.0" : "0.") + std::to_string(percent);
  const std::string drop = " -m statistic --mode random --probability " + share + " -j DROP";
  RunOn(host, "iptables -A INPUT -i eth0" + drop);
  RunOn(host, "iptables -A OUTPUT -o eth0" + drop);
}

void NetworkHosts::LimitRate(int host, int kbit_per_s) {
  const std::string limit =
      " root tbf rate " + std::to_string(kbit_per_s) + "kbit burst 16k latency 100ms";
  RunOn(host, "tc qdisc replace dev eth0" + limit);
  EXPECT_TRUE(Run("tc qdisc replace dev " + CableName(host) + limit)) << failure_;
}

void NetworkHosts::Heal(int host) {
  RunOn(host, "iptables -F");
  RunOn(host, "tc qdisc delete dev eth0 root 2>/dev/null || true");
  EXPECT_TRUE(Run("tc qdisc delete dev " + CableName(host) + " root 2>/dev/null || true"))
      << failure_;
}

void NetworkHosts::RunOn(int host, const std::string& command) {
  const std::string pid = std::to_string(hosts_[static_cast<size_t>(host)]->pid());
  EXPECT_TRUE(Run("nsenter --net --target " + pid + " " + command)) << failure_;
}

bool NetworkHosts::Run(const std::string& script) {
  Process shell({"/bin/sh", "-c", "PATH=/usr/sbin:/usr/bin:/sbin:/bin; set -ex\n" + script});
  const bool has_run = shell.AwaitExit() == 0;
  failure_ = has_run ? "" : shell.text(Process::kErr);
  return has_run;
}

}  // namespace millrace
