// On which worker a receiver runs.
#ifndef MILLRACE_DRIVER_RECEIVER_RECEIVER_PLACEMENT_H_
#define MILLRACE_DRIVER_RECEIVER_RECEIVER_PLACEMENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace millrace::internal {

struct PlacementFacts {
  struct Candidate {
    int64_t worker_id = 0;
    std::string host;
    int receivers = 0;  // Running or about to run there.
  };
  std::vector<Candidate> workers;
  std::string preferred_host{};            // Empty: none.
  std::optional<int64_t> failed_worker{};  // Where it ended last; another one is better.
};

// The worker with the fewest receivers: among those on the preferred host, else among all; of equal
// ones the first. Nothing when there is no worker.
std::optional<int64_t> PlaceReceiver(const PlacementFacts& facts);

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_RECEIVER_RECEIVER_PLACEMENT_H_
