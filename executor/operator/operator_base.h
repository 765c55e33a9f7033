// What typed operators share: finding their sink, decoding their functions, reporting errors.
#ifndef MILLRACE_EXECUTOR_OPERATOR_OPERATOR_BASE_H_
#define MILLRACE_EXECUTOR_OPERATOR_OPERATOR_BASE_H_

#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/function/shippable.h"
#include "common/plan/operator_registry.h"
#include "common/plan/operator_spec.h"
#include "executor/operator/chunk_buffer.h"
#include "executor/operator/chunk_sink.h"
#include "executor/task/task_node.h"

namespace millrace::internal {

template <class T>
inline constexpr bool kIsStatusOr = false;
template <class T>
inline constexpr bool kIsStatusOr<absl::StatusOr<T>> = true;

template <class T>
struct WithoutStatusOr {
  using type = T;
};
template <class T>
struct WithoutStatusOr<absl::StatusOr<T>> {
  using type = T;
};

// The record type that a function's result stands for: U for U and absl::StatusOr<U>.
template <class F, class T>
using RecordResultOf = typename WithoutStatusOr<ResultOf<F, T>>::type;

// A function of a Filter: T -> bool or absl::StatusOr<bool>.
template <class F, class T>
using VerdictOf = typename WithoutStatusOr<std::remove_cvref_t<decltype(CallPredicate(
    std::declval<const F&>(), std::declval<const T&>()))>>::type;
template <class F, class T>
concept PredicateOf = CallablePredicate<F, T> && std::is_constructible_v<bool, VerdictOf<F, T>>;

// A function of a FlatMap: T -> range or absl::StatusOr of a range.
template <class F, class T>
concept RangeFunction = CallableWith<F, T> && std::ranges::range<RecordResultOf<F, T>>;

// The records of a range: those of a map may be changed.
template <class T>
struct WithoutConst {
  using type = T;
};
template <class K, class V>
struct WithoutConst<std::pair<const K, V>> {
  using type = std::pair<K, V>;
};
template <class Range>
using RangeRecord = typename WithoutConst<std::ranges::range_value_t<Range>>::type;

// Fail with errors that mean that the plan was not made by this program. Always false.
bool FailWrongSink(TaskNode& node);
bool FailWrongParams(TaskNode& node);
bool FailCorruptRecords(TaskNode& node);

// The registered name of an operator, as specs carry it.
template <class Op>
std::shared_ptr<const OperatorSpec> MakeSpec(FunctionParams params, std::string label,
                                             BindingKind binding = BindingKind::kNone) {
  return std::make_shared<const OperatorSpec>(
      OperatorSpec{Registration<Op>::entry().name(), std::move(params.bytes), binding,
                   std::move(label), std::move(params.broadcasts)});
}

// Sinks that keep no view beyond a Push let a source reuse its memory; the operators between pass
// the question on.
template <class T, class Out>
class Kernel : public ChunkSink<T> {
 public:
  Kernel(TaskNode& node, ChunkSink<Out>& out) : ChunkSink<T>(node), node_(node), out_(out) {}
  bool keeps_views() const override { return out_.keeps_views(); }

 protected:
  TaskNode& node_;
  ChunkSink<Out>& out_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_OPERATOR_BASE_H_
