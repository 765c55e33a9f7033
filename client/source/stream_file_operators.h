// Reading the files of a file stream. A file that cannot be read any more is passed over: whoever
// put it there may have taken it away, and one file must not cost a batch.
#ifndef MILLRACE_CLIENT_SOURCE_STREAM_FILE_OPERATORS_H_
#define MILLRACE_CLIENT_SOURCE_STREAM_FILE_OPERATORS_H_

#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "executor/operator/operator_base.h"
#include "executor/operator/text_file.h"

namespace millrace::internal {

// Lines. Binding: split, an encoded TextFileSplit.
class StreamTextFileOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override;

 private:
  TextFileOperator lines_;
};

// All of the file that the node's split names, pinned for the task; nullopt and a warning when it
// cannot be read, also when the task has failed.
std::optional<std::string_view> ReadStreamFile(TaskNode& node);

// f makes records of a whole file: (std::string_view contents) -> range of T, or
// (std::string_view contents, Emitter<T>& emit) -> void or absl::Status.
// Binding: split, an encoded TextFileSplit. Params: f.
template <class T, class F>
class ParseFileOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<T>* const sink = SinkOf<T>(out);
    if (sink == nullptr) return FailWrongSink(node);
    Decoder params(node.params());
    const F f = DecodeFunction<F>(params);
    if (params.failed()) return FailWrongParams(node);
    const std::optional<std::string_view> contents = ReadStreamFile(node);
    if (!contents.has_value()) return !node.task().failed();
    const OperatorScope scope(node, 0);
    Emitter<T> emit(*sink);
    if constexpr (std::is_invocable_v<const F&, std::string_view, Emitter<T>&>) {
      if constexpr (std::is_void_v<std::invoke_result_t<const F&, std::string_view, Emitter<T>&>>) {
        f(*contents, emit);
      } else {
        absl::Status status = f(*contents, emit);
        if (!status.ok()) return node.task().Fail(std::move(status));
      }
    } else {
      auto&& records = f(*contents);
      if constexpr (kIsStatusOr<std::remove_cvref_t<decltype(records)>>) {
        if (!records.ok()) return node.task().Fail(records.status());
        for (auto&& record : *records) emit(T(record));
      } else {
        for (auto&& record : records) emit(T(record));
      }
    }
    return emit.Flush();
  }
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_SOURCE_STREAM_FILE_OPERATORS_H_
