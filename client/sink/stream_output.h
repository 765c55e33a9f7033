// Output operations of a stream, as functions of one batch's data set.
#ifndef MILLRACE_CLIENT_SINK_STREAM_OUTPUT_H_
#define MILLRACE_CLIENT_SINK_STREAM_OUTPUT_H_

#include <millrace/rdd.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "client/dstream/lift.h"
#include "client/dstream/stream_ref.h"
#include "client/rdd/lineage.h"
#include "common/text/text_form.h"
#include "executor/operator/actions.h"
#include "executor/sink/save_operators.h"

namespace millrace::internal {

// Writes a batch to standard output: a head with the time, the first `n` of `records` one a line,
// `...` when there are more, a blank line.
absl::Status PrintBatch(Time time, const std::vector<std::string>& records, int64_t n);
std::string FormatBatch(Time time, const std::vector<std::string>& records, int64_t n);

// "prefix-1000.suffix"; without what is empty.
std::string OutputPath(const std::string& prefix, const std::string& suffix, Time time);

// The operators below are made once, so that all batches share a plan.

template <class T>
OutputFunction PrintFunction(const StreamRef& stream, int64_t n, Location at) {
  CheckTextForm<T>();
  // One more tells whether there are more.
  const uint64_t limit = static_cast<uint64_t>(std::max<int64_t>(0, n)) + 1;
  return [context = ContextOf(stream), n, limit,
          collect = CollectRoot<T>(limit, OperatorLabel("Print", at))](const RddRef& data_set,
                                                                       Time time) -> absl::Status {
    const auto records = TakeFirst(RDD<T>(context, data_set), collect, limit);
    if (!records.ok()) return records.status();
    std::vector<std::string> lines;
    for (const Owned<T>& record : *records) lines.push_back(ToText(record));
    return PrintBatch(time, lines, n);
  };
}

// Writes each data set by `root` to a directory that its batch names.
OutputFunction SaveFunction(const StreamRef& stream, OperatorRef root, std::string prefix,
                            std::string suffix);

template <class T>
OutputFunction SaveTextFunction(const StreamRef& stream, std::string prefix, std::string suffix,
                                Location at) {
  CheckTextForm<T>();
  return SaveFunction(
      stream,
      MakeSpec<SaveTextOperator<T>>("", OperatorLabel("SaveAsTextFiles", at), BindingKind::kOutput),
      std::move(prefix), std::move(suffix));
}

template <class T>
OutputFunction SaveObjectFunction(const StreamRef& stream, std::string prefix, std::string suffix,
                                  Location at) {
  return SaveFunction(stream,
                      MakeSpec<SaveObjectsOperator<T>>("", OperatorLabel("SaveAsObjectFiles", at),
                                                       BindingKind::kOutput),
                      std::move(prefix), std::move(suffix));
}

// The user's f, which may capture anything and is shared by all batches.
template <class T, class F>
OutputFunction ForeachFunction(const StreamRef& stream, F f) {
  static_assert(TakesTime<F, RDD<T>> || std::is_invocable_v<F&, RDD<T>&>,
                "ForeachRDD: the function must take (RDD<T>) or (RDD<T>, Time)");
  using Result = decltype(CallOnDriver<F, RDD<T>>(f, Time(), std::declval<RDD<T>&>()));
  static_assert(std::is_void_v<Result> || std::is_convertible_v<Result, absl::Status>,
                "ForeachRDD: the function must return nothing or absl::Status (of an "
                "absl::StatusOr: `return result.status();`)");
  return [context = ContextOf(stream), shared = std::make_shared<F>(std::move(f))](
             const RddRef& data_set, Time time) -> absl::Status {
    RDD<T> rdd(context, data_set);
    if constexpr (std::is_void_v<decltype(CallOnDriver(*shared, time, rdd))>) {
      CallOnDriver(*shared, time, rdd);
      return absl::OkStatus();
    } else {
      return CallOnDriver(*shared, time, rdd);
    }
  };
}

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_SINK_STREAM_OUTPUT_H_
