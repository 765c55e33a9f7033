#include "client/rdd/reshape.h"

#include <numeric>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace millrace::internal {

uint64_t RandomSeed() {
  std::random_device random;
  return uint64_t{random()} << 32 | random();
}

absl::Status CheckFraction(bool with_replacement, double fraction) {
  // With replacement: what the operator does at most (executor/operator/sample.cc).
  const double most = with_replacement ? 10'000 : 1;
  if (fraction >= 0 && fraction <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the fraction is ", fraction,
                                                 "; it must be from 0 to ", most,
                                                 with_replacement ? "" : " without replacement"));
}

absl::StatusOr<std::string> CountFirstIndices(const ContextRef& context, const RddRef& node,
                                              OperatorRef count) {
  std::vector<int64_t> first_indices{0};
  if (node->num_partitions > 1) {
    std::vector<int> partitions(static_cast<size_t>(node->num_partitions) - 1);
    std::iota(partitions.begin(), partitions.end(), 0);
    const std::string label = count->label;
    ASSIGN_OR_RETURN(const std::vector<std::string> results,
                     RunAction(context, node, std::move(count), label, std::move(partitions)));
    for (const std::string& result : results) {
      int64_t records = 0;
      if (!DecodeFromBytes(result, records)) {
        return absl::DataLossError(absl::StrCat(label, ": a count cannot be decoded"));
      }
      first_indices.push_back(first_indices.back() + records);
    }
  }
  return EncodeToString(first_indices);
}

}  // namespace millrace::internal
