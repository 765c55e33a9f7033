// A stage's plan as its tasks read it: checked once, its operators found.
#ifndef MILLRACE_EXECUTOR_TASK_STAGE_PLAN_H_
#define MILLRACE_EXECUTOR_TASK_STAGE_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "executor/task/task_node.h"
#include "proto/plan.pb.h"

namespace millrace::internal {

inline constexpr uint32_t kStagePlanVersion = 1;
// A plan is read from a peer: these bound what a task can cost before it runs. The depth bounds the
// stack, as each operator calls the next.
inline constexpr int kPlanNodesMax = 1 << 18;
inline constexpr int kPlanDepthMax = 256;

// Immutable; shared by the tasks that run it on any thread.
// Invariant: every input of a node stands before it; a node's binding fits its number of inputs.
class ParsedPlan {
 public:
  struct Node {
    const Operator* op = nullptr;
    std::string_view params;
    std::string_view label;  // The operator's name where the plan gives no label.
    proto::BindingKind binding = proto::BINDING_NONE;
    absl::Span<const uint32_t> inputs;
  };

  // InvalidArgument: malformed. NotFound: an operator that this program does not have.
  static absl::StatusOr<std::shared_ptr<const ParsedPlan>> Parse(const std::string& bytes);

  const std::vector<Node>& nodes() const { return nodes_; }
  uint32_t root() const { return static_cast<uint32_t>(nodes_.size() - 1); }
  size_t size_bytes() const { return size_bytes_; }

 private:
  absl::Status Check();
  absl::Status AddNode(const proto::PlanNode& message, std::vector<int>& depths);

  proto::StagePlan message_;  // What the nodes' views refer to.
  std::vector<Node> nodes_;
  size_t size_bytes_ = 0;
};

// "node 3 (Map at wc.cc:14)"
std::string DescribeNode(const ParsedPlan::Node& node, uint32_t index);

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_TASK_STAGE_PLAN_H_
