// Data sets of numbers in a row.
#ifndef MILLRACE_CLIENT_RDD_RANGE_H_
#define MILLRACE_CLIENT_RDD_RANGE_H_

#include <cstdint>

#include "client/rdd/lineage.h"

namespace millrace::internal {

// `first`, first + step, ... before `end`, in `num_partitions` of about the same size. A step of 0
// fails the action that asks for it: InvalidArgument.
RddRef MakeRangeNode(const ContextRef& context, int64_t first, int64_t end, int64_t step,
                     int num_partitions, Location where);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_RANGE_H_
