// Hosts with a network of their own on this machine, and what may happen to their links.
#ifndef MILLRACE_TESTS_INTEGRATION_NETWORK_HOSTS_H_
#define MILLRACE_TESTS_INTEGRATION_NETWORK_HOSTS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace millrace {

// Network namespaces that a bridge joins. The test itself moves to the bridge's namespace, where it
// is one more host. Nothing outside is touched, and nothing has a name that could stay: namespaces
// end with the last process in them, and processes with the test. One thread, before the process
// has others.
class NetworkHosts {
 public:
  // Where this machine cannot: see why_not().
  explicit NetworkHosts(int hosts);
  ~NetworkHosts();
  NetworkHosts(const NetworkHosts&) = delete;
  NetworkHosts& operator=(const NetworkHosts&) = delete;

  // Why there are no hosts; empty: there are.
  const std::string& why_not() const { return why_not_; }

  // Of the test, and of a host from 0.
  static std::string test_address() { return "10.77.0.254"; }
  static std::string address(int host) { return "10.77.0." + std::to_string(host + 1); }
  // For Process::Options::before: the program runs on the host.
  std::function<bool()> Enter(int host) const;

  // The cable of a host.
  void Unplug(int host);
  void Plug(int host);
  // What the host sends, or all that is sent to it, is lost without a word; `other` limits that to
  // what goes there or comes from there.
  void DropSent(int host, const std::string& other = "0.0.0.0/0");
  void DropReceived(int host, const std::string& other = "0.0.0.0/0");
  // In both directions: of 100 packets this many are lost.
  void LosePackets(int host, int percent);
  // In both directions.
  void LimitRate(int host, int kbit_per_s);
  // Ends all of the above but an unplugged cable.
  void Heal(int host);

 private:
  // By a shell, with the privileges that the namespaces give.
  bool Run(const std::string& script);
  void RunOn(int host, const std::string& command);
  std::string CableName(int host) const { return "cable" + std::to_string(host); }

  std::string why_not_;
  std::vector<std::unique_ptr<Process>> hosts_;  // Each holds its namespace.
  int outside_fd_ = -1;                          // The namespace that the test was in.
  std::string failure_;                          // Of the last script.
};

}  // namespace millrace

#endif  // MILLRACE_TESTS_INTEGRATION_NETWORK_HOSTS_H_
