#include "client/dstream/input_node.h"

#include <utility>

#include "client/dstream/stream_graph.h"

namespace millrace::internal {

InputNode::InputNode(StreamGraph& graph, const Operation& operation, std::string kind)
    : DStreamNode(graph, operation, {}, graph.batch_interval()), kind_(std::move(kind)) {}

std::string InputNode::display_name() const {
  return kind_ + " stream [" + std::to_string(input_id_) + "]";
}

ReceiverInputNode::ReceiverInputNode(StreamGraph& graph, const Operation& operation,
                                     std::string kind, std::string receiver_class,
                                     ReceiverSpec spec, MakeDataSet make_data_set)
    : InputNode(graph, operation, std::move(kind)),
      receiver_class_(std::move(receiver_class)),
      spec_(std::move(spec)),
      make_data_set_(std::move(make_data_set)) {}

std::optional<ReceiverSpec> ReceiverInputNode::receiver() const {
  ReceiverSpec spec = spec_;
  spec.stream_id = input_id();
  spec.name = receiver_class_ + "-" + std::to_string(input_id());
  spec.label = label();
  return spec;
}

void ReceiverInputNode::BeginBatch(Time batch_time, const std::vector<ReceivedBlock>& blocks) {
  blocks_[batch_time] = blocks;
}

absl::StatusOr<RddRef> ReceiverInputNode::Compute(Time time) {
  const auto it = blocks_.find(time);
  if (it != blocks_.end()) return make_data_set_(it->second);
  // Its blocks went with the driver that had received them.
  if (graph().IsOfEarlierDriver(time)) return make_data_set_({});
  // Asked for by Slice: blocks may still be given to that batch, or were dropped long ago.
  graph().MarkProvisional();
  return make_data_set_({});
}

void ReceiverInputNode::ForgetBefore(Time batch_time) {
  DStreamNode::ForgetBefore(batch_time);
  blocks_.erase(blocks_.begin(), blocks_.upper_bound(batch_time - remember()));
}

void ReceiverInputNode::ForgetAll() {
  DStreamNode::ForgetAll();
  blocks_.clear();
}

GeneratedInputNode::GeneratedInputNode(StreamGraph& graph, const Operation& operation,
                                       std::string kind, Generate generate, IsRepeatable repeatable)
    : InputNode(graph, operation, std::move(kind)),
      generate_(std::move(generate)),
      repeatable_(repeatable) {}

absl::StatusOr<RddRef> GeneratedInputNode::Compute(Time time) {
  if (repeatable_ == IsRepeatable::kNo && graph().IsOfEarlierDriver(time)) return RddRef();
  StreamInputInfo info;
  info.stream_id = input_id();
  absl::StatusOr<RddRef> data_set = generate_(time, &info.num_records);
  if (data_set.ok() && *data_set != nullptr) graph().ReportInput(time, std::move(info));
  return data_set;
}

}  // namespace millrace::internal
