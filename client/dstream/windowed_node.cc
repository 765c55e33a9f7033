#include "client/dstream/windowed_node.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/dstream/stream_graph.h"

namespace millrace::internal {
namespace {

using std::chrono::milliseconds;

bool CheckMultiple(StreamGraph& graph, const Operation& operation, const DStreamNode& parent,
                   const char* what, milliseconds value) {
  const milliseconds step = parent.slide();
  if (value > milliseconds(0) && (value % step).count() == 0) return true;
  graph.AddError(operation,
                 absl::StrCat("the window's ", what, " of ", value.count(),
                              " ms must be a positive multiple of the slide of its parent (",
                              parent.label(), "), ", step.count(), " ms"));
  return false;
}

}  // namespace

WindowedNode::WindowedNode(StreamGraph& graph, const Operation& operation, DStreamNode& parent,
                           milliseconds length, milliseconds slide, Unite unite)
    : DStreamNode(graph, operation, {&parent}, slide), length_(length), unite_(std::move(unite)) {
  parent.PersistForReuse();
}

absl::StatusOr<RddRef> WindowedNode::Compute(Time time) {
  auto data_sets = DataSetsBetween(*parents().front(), time - length_, time);
  if (!data_sets.ok()) return data_sets.status();
  return unite_(*std::move(data_sets));
}

absl::StatusOr<RddRef> DataSetAt(DStreamNode& stream, Time time) {
  absl::StatusOr<RddRef> data_set = stream.GetOrCompute(time);
  if (absl::IsOutOfRange(data_set.status())) return RddRef();
  return data_set;
}

absl::StatusOr<std::vector<RddRef>> DataSetsBetween(DStreamNode& stream, Time after, Time until) {
  std::vector<RddRef> data_sets;
  for (const Time time : (after + stream.slide()).To(until, stream.slide())) {
    absl::StatusOr<RddRef> data_set = DataSetAt(stream, time);
    if (!data_set.ok()) return data_set.status();
    if (*data_set != nullptr) data_sets.push_back(*std::move(data_set));
  }
  return data_sets;
}

void CheckWindow(StreamGraph& graph, const Operation& operation, const DStreamNode& parent,
                 milliseconds& length, milliseconds& slide) {
  const bool length_ok = CheckMultiple(graph, operation, parent, "length", length);
  const bool slide_ok = CheckMultiple(graph, operation, parent, "slide", slide);
  if (!length_ok || !slide_ok) length = slide = parent.slide();
}

}  // namespace millrace::internal
