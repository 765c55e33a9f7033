#include <millrace/offset_ranges.h>

#include "absl/strings/str_cat.h"

namespace millrace {

absl::StatusOr<std::vector<OffsetRange>> HasOffsetRanges(const internal::RddBase& rdd) {
  if (!rdd) return absl::FailedPreconditionError("HasOffsetRanges: the RDD holds no data set");
  const internal::RddNode& node = *rdd.node();
  if (node.offset_ranges != nullptr) return *node.offset_ranges;
  return absl::InvalidArgumentError(absl::StrCat(
      "HasOffsetRanges: the data set of ", node.op == nullptr ? "a union" : node.op->label,
      " has no offset ranges; only that of a direct stream itself has, before any operation: take "
      "it in the stream's own Transform or ForeachRDD"));
}

}  // namespace millrace
