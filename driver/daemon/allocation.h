// Which application gets a worker on which node.
#ifndef MILLRACE_DRIVER_DAEMON_ALLOCATION_H_
#define MILLRACE_DRIVER_DAEMON_ALLOCATION_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "proto/application.pb.h"

namespace millrace {

struct NodeFacts {
  std::string executor_id;
  int cores = 0;
  int cores_free = 0;
  int64_t memory_mb = 0;
  int64_t memory_mb_free = 0;
};

struct ApplicationFacts {
  proto::Demand demand;
  std::vector<int> wanted_cores = {};  // Of each worker that it waits for, at least 1.
  int cores_held = 0;
  std::map<std::string, int> workers_held = {};  // By executor.
};

struct Placement {
  size_t application = 0;  // Indices of what was given.
  size_t node = 0;
  int cores = 0;
};

struct Allocation {
  std::vector<Placement> placements;  // Of each application in the order of its wishes.
  // For each application: why it gets none of the workers that it wants, else empty.
  std::vector<std::string> waiting;
};

// Applications in the order in which they came: one gets what those before it leave. Spread: each
// over as many nodes as there are; else over as few as do.
Allocation Allocate(const std::vector<ApplicationFacts>& applications, std::vector<NodeFacts> nodes,
                    bool is_spread);

// The cores of each worker that there is room for now, beside those that the application has; what
// it would take is taken from `nodes`. One that does not say how large its workers are gets one on
// a node, with the cores of its share there.
std::vector<int> PossibleWorkers(const ApplicationFacts& application, std::vector<NodeFacts>& nodes,
                                 bool is_spread);

// Why no node could ever hold a worker of this size; empty: one could.
std::string WhyNever(const proto::Demand& demand, const std::vector<NodeFacts>& nodes);

}  // namespace millrace

#endif  // MILLRACE_DRIVER_DAEMON_ALLOCATION_H_
