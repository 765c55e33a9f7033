#include "client/dstream/stream_ref.h"

#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/dstream/aggregate_window_node.h"
#include "client/dstream/state_node.h"
#include "client/dstream/stream_graph.h"
#include "client/dstream/transformed_node.h"
#include "client/dstream/windowed_node.h"
#include "client/rdd/lineage.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

using std::chrono::milliseconds;

template <class Node, class... Args>
StreamRef Add(const std::shared_ptr<StreamGraph>& graph, Args&&... args) {
  return {graph, graph->Add(std::make_unique<Node>(*graph, std::forward<Args>(args)...))};
}

// The parents that can be drawn on; what is wrong with the others is noted.
std::vector<DStreamNode*> CheckedParents(const Operation& operation,
                                         const std::vector<StreamRef>& parents) {
  std::vector<DStreamNode*> nodes;
  const StreamRef& first = parents.front();
  for (const StreamRef& parent : parents) {
    if (parent.graph != first.graph) {
      first.graph->AddError(
          operation, absl::StrCat(parent.node->label(), " belongs to another StreamingContext"));
    } else if (parent.node->slide() != first.node->slide()) {
      first.graph->AddError(
          operation, absl::StrCat("the streams have different slides: ", first.node->label(), " ",
                                  first.node->slide().count(), " ms, ", parent.node->label(), " ",
                                  parent.node->slide().count(), " ms"));
    } else {
      nodes.push_back(parent.node);
    }
  }
  return nodes;
}

}  // namespace

const ContextRef& ContextOf(const StreamRef& stream) { return stream.graph->context(); }

milliseconds SlideOf(const StreamRef& stream) { return stream.node->slide(); }

StreamRef AddTransformed(const Operation& operation, const StreamRef& parent,
                         ApplyToDataSets apply) {
  return Add<TransformedNode>(parent.graph, operation, std::vector{parent.node},
                              MissingParent::kNoDataSet, std::move(apply));
}

StreamRef AddCombined(const Operation& operation, const std::vector<StreamRef>& parents,
                      ApplyToDataSets apply) {
  CHECK(!parents.empty());
  return Add<TransformedNode>(parents.front().graph, operation, CheckedParents(operation, parents),
                              MissingParent::kError, std::move(apply));
}

StreamRef AddWindow(const Operation& operation, const StreamRef& parent, milliseconds length,
                    milliseconds slide, UniteDataSets unite) {
  const std::lock_guard lock(parent.graph->lock());
  CheckWindow(*parent.graph, operation, *parent.node, length, slide);
  return Add<WindowedNode>(parent.graph, operation, *parent.node, length, slide, std::move(unite));
}

StreamRef AddAggregateWindow(const Operation& operation, const StreamRef& parent,
                             milliseconds length, milliseconds slide, CombineWindow combine) {
  const std::lock_guard lock(parent.graph->lock());
  CheckWindow(*parent.graph, operation, *parent.node, length, slide);
  return Add<AggregateWindowNode>(parent.graph, operation, *parent.node, length, slide,
                                  std::move(combine));
}

void CheckPartitions(const Operation& operation, const StreamRef& stream, int num_partitions) {
  const absl::Status valid = CheckPartitionCount(num_partitions);
  if (!valid.ok()) stream.graph->AddError(operation, std::string(valid.message()));
}

StreamRef AddState(const Operation& operation, const StreamRef& parent,
                   StateWithoutRecords without_records, RddRef initial, UpdateState update,
                   StateFormat format) {
  return Add<RecordStateNode>(parent.graph, operation, *parent.node, without_records,
                              std::move(initial), std::move(update), std::move(format));
}

StreamRef AddWindowState(const Operation& operation, const StreamRef& parent, milliseconds length,
                         milliseconds slide, UpdateWindow update, StateFormat format) {
  const std::lock_guard lock(parent.graph->lock());
  CheckWindow(*parent.graph, operation, *parent.node, length, slide);
  return Add<WindowStateNode>(parent.graph, operation, *parent.node, length, slide,
                              std::move(update), std::move(format));
}

void AddOutput(const Operation& operation, const StreamRef& stream, OutputFunction run) {
  stream.graph->AddOutput({operation, stream.node, std::move(run)});
}

void SetName(const Operation& operation, const StreamRef& stream, const std::string& name) {
  const std::lock_guard lock(stream.graph->lock());
  if (stream.graph->CheckOpen(operation)) stream.graph->SetName(operation, *stream.node, name);
}

void SetStateName(const StreamRef& stream, const std::string& name) {
  const std::lock_guard lock(stream.graph->lock());
  stream.node->set_state_name(name);
}

void SetPersist(const Operation& operation, const StreamRef& stream, StorageLevel level) {
  const std::lock_guard lock(stream.graph->lock());
  if (stream.graph->CheckOpen(operation)) stream.node->Persist(level);
}

void SetCheckpoint(const Operation& operation, const StreamRef& stream, milliseconds interval,
                   DataSetFormat format) {
  const std::lock_guard lock(stream.graph->lock());
  if (stream.graph->CheckOpen(operation)) {
    stream.node->PersistForReuse();
    stream.node->SetCheckpoint(interval, std::move(format));
  }
}

absl::StatusOr<std::vector<RddRef>> SliceOf(const StreamRef& stream, Time from, Time to) {
  return stream.graph->Slice(*stream.node, from, to);
}

}  // namespace millrace::internal
