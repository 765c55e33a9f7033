// Whether what daemons, applications and workers do fits together.
#ifndef MILLRACE_TESTS_SIM_DAEMON_CHECK_H_
#define MILLRACE_TESTS_SIM_DAEMON_CHECK_H_

#include <memory>
#include <string>
#include <vector>

#include "tests/sim/daemon_host.h"
#include "tests/sim/daemon_node.h"
#include "tests/sim/daemon_runs.h"
#include "tests/sim/daemon_users.h"

namespace millrace::sim {

// All that there is, looked at from outside. It knows of no faults.
struct DaemonParts {
  Site& site;
  DaemonHost& host;
  Runs& runs;
  DaemonUsers& users;
  std::vector<std::unique_ptr<DaemonNode>>& nodes;
  const DaemonHost::Options& options;
};

// What is not as it must be some time after the last fault: all daemons are up and know one
// another; each application that lives has its workers, or there is no room for them; nothing else
// runs; submissions are where their drivers have brought them.
std::vector<std::string> WhatIsWrong(const DaemonParts& parts);

// ...and what is left of applications when all have ended.
std::vector<std::string> WhatIsLeft(const DaemonParts& parts);

// Drivers whose processes live.
std::vector<Application*> AliveApplications(const DaemonParts& parts);

// Whether a submission has ended, so that the daemon may have forgotten it.
bool MayBeForgotten(const DaemonParts& parts, const Submitted& submitted);

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_DAEMON_CHECK_H_
