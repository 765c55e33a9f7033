#include <millrace/log_stream.h>

#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/dstream/stream_graph.h"
#include "client/source/direct_input_node.h"
#include "client/source/log_offset_source.h"
#include "common/config/keys.h"
#include "common/time/system_clock.h"
#include "executor/operator/log_records.h"

namespace millrace {
namespace {

using internal::DirectSource;
using internal::OffsetLimits;
using internal::Operation;

OffsetLimits LimitsOf(const Conf& conf) {
  OffsetLimits limits;
  limits.max_rate_per_partition =
      static_cast<double>(conf.GetInt(keys::kLogMaxRatePerPartition).value_or(0));
  limits.min_per_partition = conf.GetInt(keys::kLogMinRatePerPartition).value_or(1);
  return limits;
}

void CheckOptions(const Operation& operation, const LogStreamOptions& options,
                  internal::StreamGraph& graph) {
  for (const auto& [partition, offset] : options.start_offsets) {
    if (partition >= 0 && offset >= 0) continue;
    graph.AddError(operation, absl::StrCat("start_offsets: partition ", partition, " at offset ",
                                           offset, ": neither may be negative"));
  }
}

}  // namespace

DStream<std::string_view> LogStream(StreamingContext& ssc, const std::string& directory,
                                    LogStreamOptions options, StreamingContext::Location at) {
  const Operation operation{"LogStream", at};
  CheckOptions(operation, options, *ssc.graph());
  const internal::ContextRef& context = ssc.graph()->context();
  DirectSource source;
  source.kind = "Log direct";
  // A context that could not be made never starts its streams.
  source.offsets = std::make_unique<internal::LogOffsetSource>(
      context == nullptr ? nullptr : context->fs, std::filesystem::absolute(directory).string(),
      std::move(options), MonotonicNanos);
  source.read = internal::MakeSpec<internal::LogRecordsOperator>("", internal::ToString(operation),
                                                                 internal::BindingKind::kSplit);
  source.type = &internal::RecordOperators<std::string_view>();
  if (context != nullptr) source.limits = LimitsOf(context->conf);
  return DStream<std::string_view>(AddDirect(operation, ssc.graph(), std::move(source)));
}

}  // namespace millrace
