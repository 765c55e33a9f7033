// Output operations of a stream, as functions of one batch's data set.
#ifndef MILLRACE_CLIENT_SINK_STREAM_OUTPUT_H_
#define MILLRACE_CLIENT_SINK_STREAM_OUTPUT_H_

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "client/dstream/lift.h"
#include "client/dstream/stream_ref.h"
#include "common/text/text_form.h"
#include <millrace/rdd.h>

namespace millrace::internal {

// Writes a batch to standard output: a head with the time, the first `n` of `records` one a line,
// `...` when there are more, a blank line.
absl::Status PrintBatch(Time time, const std::vector<std::string>& records, int64_t n);
std::string FormatBatch(Time time, const std::vector<std::string>& records, int64_t n);

// "prefix-1000.suffix"; without what is empty.
std::string OutputPath(const std::string& prefix, const std::string& suffix, Time time);

template <class T>
OutputFunction PrintFunction(const StreamRef& stream, int64_t n, Location at) {
  return [context = ContextOf(stream), n, at](const RddRef& data_set, Time time) -> absl::Status {
    // One more tells whether there are more.
    auto records = RDD<T>(context, data_set).Take(n + 1, at);
    if (!records.ok()) return records.status();
    std::vector<std::string> lines;
    for (const Owned<T>& record : *records) lines.push_back(ToText(record));
    return PrintBatch(time, lines, n);
  };
}

template <class T>
OutputFunction SaveTextFunction(const StreamRef& stream, std::string prefix, std::string suffix,
                                Location at) {
  return [context = ContextOf(stream), prefix = std::move(prefix), suffix = std::move(suffix), at](
             const RddRef& data_set, Time time) -> absl::Status {
    return RDD<T>(context, data_set).SaveAsTextFile(OutputPath(prefix, suffix, time), at);
  };
}

template <class T>
OutputFunction SaveObjectFunction(const StreamRef& stream, std::string prefix, std::string suffix,
                                  Location at) {
  return [context = ContextOf(stream), prefix = std::move(prefix), suffix = std::move(suffix), at](
             const RddRef& data_set, Time time) -> absl::Status {
    return RDD<T>(context, data_set).SaveAsObjectFile(OutputPath(prefix, suffix, time), at);
  };
}

// The user's f, which may capture anything and is shared by all batches.
template <class T, class F>
OutputFunction ForeachFunction(const StreamRef& stream, F f) {
  static_assert(TakesTime<F, RDD<T>> || std::is_invocable_v<F&, RDD<T>&>,
                "ForeachRDD: the function must take (RDD<T>) or (RDD<T>, Time)");
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
