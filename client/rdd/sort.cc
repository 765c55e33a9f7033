#include "client/rdd/sort.h"

#include <cmath>

namespace millrace::internal {
namespace {

constexpr double kKeysForEachRange = 20;
constexpr double kKeysMax = 1e6;
// Partitions are unequal, and the driver does not know by how much before it asks.
constexpr double kOversampling = 3;

}  // namespace

uint64_t SampleKeyCount(int num_partitions, int num_ranges) {
  const double keys = std::fmin(kKeysForEachRange * num_ranges, kKeysMax);
  return static_cast<uint64_t>(std::ceil(kOversampling * keys / std::fmax(1, num_partitions)));
}

absl::StatusOr<std::vector<std::string>> RunSample(const ContextRef& context, const RddRef& node,
                                                   OperatorRef root) {
  const std::string label = root->label;
  return RunAction(context, node, std::move(root), label);
}

}  // namespace millrace::internal
