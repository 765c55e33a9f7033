// Which records of its source a batch of a direct stream has.
#ifndef MILLRACE_CLIENT_MILLRACE_OFFSET_RANGES_H_
#define MILLRACE_CLIENT_MILLRACE_OFFSET_RANGES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "client/rdd/rdd_base.h"
#include "driver/lineage/offset_range.h"

namespace millrace {

// One range for each partition of the data set, in their order; some or all may be empty. They say
// exactly what the batch has, so a program that saves them with its results, in one transaction,
// knows after a failure what has been done:
//
//   stream.ForeachRDD([](const RDD<std::string_view>& rdd, Time time) -> absl::Status {
//     const auto ranges = HasOffsetRanges(rdd);
//     if (!ranges.ok()) return ranges.status();
//     ...
//   });
//
// `rdd` is the data set of a direct stream (LogStream) itself, before any operation: the argument
// of its Transform or ForeachRDD. InvalidArgument, which names the operation: it is another one.
// FailedPrecondition: it is an empty handle.
absl::StatusOr<std::vector<OffsetRange>> HasOffsetRanges(const internal::RddBase& rdd);

}  // namespace millrace

#endif  // MILLRACE_CLIENT_MILLRACE_OFFSET_RANGES_H_
