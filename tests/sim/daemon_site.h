// What all processes of a run with daemons share.
#ifndef MILLRACE_TESTS_SIM_DAEMON_SITE_H_
#define MILLRACE_TESTS_SIM_DAEMON_SITE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/sim/cluster.h"

namespace millrace::sim {

class Application;
class Connection;
struct Endpoint;

struct Site {
  Site(uint64_t seed, const Pace& pace) : cluster(seed, pace) {}

  void Log(const std::string& text) {
    log.push_back(absl::StrCat(cluster.world.now_micros(), " us: ", text));
  }
  void Fail(const std::string& text) {
    failures.push_back(absl::StrCat(cluster.world.now_micros(), " us: ", text));
  }

  // Files are those of the driver daemon's machine. A node of the network is a machine; a process
  // has another node, with which its events end.
  Cluster cluster;
  std::map<std::string, Endpoint*> endpoints;  // Who listens where.
  // By the ids that the driver daemon gave them, those that have ended too.
  std::map<std::string, const Application*> applications;
  std::vector<std::weak_ptr<Connection>> connections;  // Those that are closed too.
  std::vector<std::string> log;                        // What went wrong on purpose, and the like.
  std::vector<std::string> failures;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_DAEMON_SITE_H_
