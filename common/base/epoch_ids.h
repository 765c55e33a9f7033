// Ids that tell what belongs to one driver of an application from what belonged to those before it.
#ifndef MILLRACE_COMMON_BASE_EPOCH_IDS_H_
#define MILLRACE_COMMON_BASE_EPOCH_IDS_H_

#include <cstdint>

namespace millrace::internal {

// Ids of data sets, shuffles, states and task attempts that the driver of an epoch gives are from
// here on, and below those of the next epoch: no driver can give 2^40 of them. Those of shuffles
// for repairs are their negatives.
constexpr int64_t FirstIdOfEpoch(int64_t epoch) { return epoch << 40; }

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_BASE_EPOCH_IDS_H_
