// Starts the workers that applications wait for, where there is room.
#ifndef MILLRACE_DRIVER_DAEMON_WORKER_ALLOCATOR_H_
#define MILLRACE_DRIVER_DAEMON_WORKER_ALLOCATOR_H_

#include <cstdint>
#include <string>

#include "common/env/env.h"
#include "driver/daemon/cluster_books.h"
#include "driver/daemon/daemon_peers.h"

namespace millrace {

// What is asked for is done behind what happens now, once for all who ask.
//
// Threads: the event loop of `env`.
class WorkerAllocator {
 public:
  // All outlive this.
  WorkerAllocator(Env& env, DaemonPeers& peers, ClusterBooks& books)
      : env_(env), peers_(peers), books_(books) {}

  // Applications get what they wait for, and those that get nothing are told why.
  void AllocateSoon();
  // The same, and then tells those who take all of what is left.
  void ShareOutSoon();
  void AllocateAfter(int64_t delay_micros);

  // The application hears of a worker that it has.
  void TellLaunched(const ClusterBooks::Application& application, int64_t worker_id);

 private:
  using Application = ClusterBooks::Application;

  void Allocate();
  void OfferRoom();
  bool MayLaunch(const Application& application) const;
  void Launch(Application& application, const std::string& executor_id, int cores);
  void TellWaiting(Application& application, const std::string& reason);

  Env& env_;
  DaemonPeers& peers_;
  ClusterBooks& books_;
  bool is_allocation_posted_ = false;
  bool has_new_room_ = false;  // Since it was last offered.
};

}  // namespace millrace

#endif  // MILLRACE_DRIVER_DAEMON_WORKER_ALLOCATOR_H_
