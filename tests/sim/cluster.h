// What the processes of a simulated run share.
#ifndef MILLRACE_TESTS_SIM_CLUSTER_H_
#define MILLRACE_TESTS_SIM_CLUSTER_H_

#include <cstdint>
#include <vector>

#include "tests/sim/disk.h"
#include "tests/sim/network.h"
#include "tests/sim/sim_env.h"
#include "tests/sim/world.h"
#include "tests/support/memory_file_system.h"

namespace millrace::sim {

struct Cluster {
  Cluster(uint64_t seed, const Pace& pace)
      : pace(pace), world(seed), network(world), disk(world, fs) {}

  NodeId NewNode() { return ++last_node; }

  const Pace pace;      // Of all its processes.
  MemoryFileSystem fs;  // A shared directory.
  World world;
  Network network;
  Disk disk;  // Of the files.
  NodeId last_node = kNobody;
  std::vector<NodeId> outside;  // Processes that are not the application's.
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_CLUSTER_H_
