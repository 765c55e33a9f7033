#include "driver/receiver/receiver_placement.h"

#include <tuple>

namespace millrace::internal {

std::optional<int64_t> PlaceReceiver(const PlacementFacts& facts) {
  const auto badness = [&facts](const PlacementFacts::Candidate& candidate) {
    const bool is_elsewhere =
        !facts.preferred_host.empty() && candidate.host != facts.preferred_host;
    const bool failed_before = facts.failed_worker == candidate.worker_id;
    return std::tuple(is_elsewhere, failed_before, candidate.receivers);
  };
  const PlacementFacts::Candidate* best = nullptr;
  for (const PlacementFacts::Candidate& candidate : facts.workers) {
    if (best == nullptr || badness(candidate) < badness(*best)) best = &candidate;
  }
  if (best == nullptr) return std::nullopt;
  return best->worker_id;
}

}  // namespace millrace::internal
