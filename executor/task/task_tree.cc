#include "executor/task/task_tree.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/status_macros.h"

namespace millrace::internal {

namespace {

using KindCase = proto::Binding::KindCase;

// As many as a shuffle may have (executor/shuffle/shuffle_store.cc): no table may grow by a wrong
// number, and every partition is an int.
constexpr uint32_t kPartitionsMax = 1u << 20;

KindCase ExpectedKind(proto::BindingKind kind) {
  switch (kind) {
    case proto::BINDING_BLOCKS:
      return proto::Binding::kBlocks;
    case proto::BINDING_SHUFFLE:
      return proto::Binding::kShuffle;
    case proto::BINDING_CACHED:
      return proto::Binding::kCached;
    case proto::BINDING_SPLIT:
      return proto::Binding::kSplit;
    case proto::BINDING_SELECT:
      return proto::Binding::kSelect;
    case proto::BINDING_CONCAT:
      return proto::Binding::kConcat;
    case proto::BINDING_STATE:
      return proto::Binding::kState;
    case proto::BINDING_OUTPUT:
      return proto::Binding::kOutput;
    default:
      return proto::Binding::KIND_NOT_SET;
  }
}

class Builder {
 public:
  Builder(TaskRun& run, const LaunchedTask& launched, std::deque<RunNode>& nodes)
      : run_(run), plan_(*launched.plan), request_(launched.request), nodes_(nodes) {}

  absl::Status Build() {
    if (request_.partition() >= kPartitionsMax) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the task computes partition ", request_.partition(), "; there may be ", kPartitionsMax));
    }
    RETURN_IF_ERROR(Add(plan_.root(), nullptr));
    if (next_binding_ == request_.bindings_size()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("the task has ", request_.bindings_size(),
                                                   " bindings, but its plan takes ",
                                                   next_binding_));
  }

 private:
  absl::Status Add(uint32_t index, RunNode* parent) {
    if (nodes_.size() == kTaskTreeNodesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("the task's tree has more than ", kTaskTreeNodesMax, " nodes"));
    }
    const ParsedPlan::Node& node = plan_.nodes()[index];
    const proto::Binding* binding = nullptr;
    RETURN_IF_ERROR(TakeBinding(node, index, binding));
    RunNode& added = nodes_.emplace_back(run_, node, index, binding);
    if (parent != nullptr) parent->AddInput(added);
    return AddInputs(node, index, added);
  }

  absl::Status TakeBinding(const ParsedPlan::Node& node, uint32_t index,
                           const proto::Binding*& binding) {
    if (node.binding == proto::BINDING_NONE) return absl::OkStatus();
    if (next_binding_ == request_.bindings_size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          DescribeNode(node, index), " needs a binding, but the task has only ", next_binding_));
    }
    binding = &request_.bindings(next_binding_++);
    if (binding->output().reduce_count() > kPartitionsMax) {
      return absl::InvalidArgumentError(
          absl::StrCat(DescribeNode(node, index), " writes ", binding->output().reduce_count(),
                       " reduce partitions; there may be ", kPartitionsMax));
    }
    if (binding->kind_case() == ExpectedKind(node.binding)) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("binding ", next_binding_ - 1, " of the task is of kind ",
                     static_cast<int>(binding->kind_case()), ", but ", DescribeNode(node, index),
                     " needs ", proto::BindingKind_Name(node.binding)));
  }

  absl::Status AddInputs(const ParsedPlan::Node& node, uint32_t index, RunNode& added) {
    switch (node.binding) {
      case proto::BINDING_SELECT: {
        const uint32_t chosen = added.binding()->select();
        if (chosen < node.inputs.size()) return Add(node.inputs[chosen], &added);
        return absl::InvalidArgumentError(absl::StrCat(DescribeNode(node, index), " has no input ",
                                                       chosen, " of ", node.inputs.size()));
      }
      case proto::BINDING_CONCAT:
        for (uint32_t part = 0; part < added.binding()->concat(); ++part) {
          RETURN_IF_ERROR(Add(node.inputs[0], &added));
        }
        return absl::OkStatus();
      default:
        for (const uint32_t input : node.inputs) RETURN_IF_ERROR(Add(input, &added));
        return absl::OkStatus();
    }
  }

  TaskRun& run_;
  const ParsedPlan& plan_;
  const proto::TaskRequest& request_;
  std::deque<RunNode>& nodes_;
  int next_binding_ = 0;
};

}  // namespace

absl::Status BuildTaskTree(TaskRun& run, const LaunchedTask& launched, std::deque<RunNode>& nodes) {
  return Builder(run, launched, nodes).Build();
}

}  // namespace millrace::internal
