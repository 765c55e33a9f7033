#include "executor/task/stage_plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/status_macros.h"

namespace millrace::internal {

namespace {

// Union and coalesce: the driver chose the inputs, so they run one after the other into the same
// sink, whatever its type.
class PassInputs final : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override {
    if (out == nullptr) {
      return node.task().Fail(absl::InvalidArgumentError("cannot be the root of a plan"));
    }
    for (int i = 0; i < node.input_count(); ++i) {
      if (!node.RunInput(i, *out)) return false;
    }
    return true;
  }
};

// Registered here, beside the code that looks names up, so that no linker leaves them out.
const PassInputs pass_inputs;
const RegistryEntry select_entry("millrace.Select", &pass_inputs);
const RegistryEntry concat_entry("millrace.Concat", &pass_inputs);

std::string_view LabelOf(const proto::PlanNode& message) {
  return message.label().empty() ? message.operator_name() : message.label();
}

absl::Status Malformed(const proto::PlanNode& message, size_t index, std::string_view problem) {
  const std::string_view label = LabelOf(message);
  return absl::InvalidArgumentError(
      absl::StrCat("plan node ", index, " (", absl::string_view(label.data(), label.size()), ") ",
                   absl::string_view(problem.data(), problem.size())));
}

// What is wrong with that many inputs for a node of this kind; empty when nothing is.
std::string_view InputCountProblem(proto::BindingKind binding, size_t input_count) {
  switch (binding) {
    case proto::BINDING_BLOCKS:
    case proto::BINDING_SHUFFLE:
    case proto::BINDING_SPLIT:
      return input_count == 0 ? "" : "reads stored data, so it must have no inputs";
    case proto::BINDING_CACHED:
      return input_count <= 1 ? ""
                              : "reads or writes a cached partition, so it has one input at most";
    case proto::BINDING_SELECT:
      return input_count > 0 ? "" : "selects an input and has none";
    case proto::BINDING_CONCAT:
      return input_count == 1 ? "" : "concatenates parts of one input, so it must have one";
    default:
      return "";
  }
}

}  // namespace

std::string DescribeNode(const ParsedPlan::Node& node, uint32_t index) {
  return absl::StrCat("plan node ", index, " (",
                      absl::string_view(node.label.data(), node.label.size()), ")");
}

absl::StatusOr<std::shared_ptr<const ParsedPlan>> ParsedPlan::Parse(const std::string& bytes) {
  auto plan = std::make_shared<ParsedPlan>();
  if (!plan->message_.ParseFromString(bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the stage plan of ", bytes.size(), " bytes is not a StagePlan message"));
  }
  plan->size_bytes_ = bytes.size();
  RETURN_IF_ERROR(plan->Check());
  return plan;
}

absl::Status ParsedPlan::Check() {
  if (message_.version() != kStagePlanVersion) {
    return absl::InvalidArgumentError(absl::StrCat("the stage plan has version ",
                                                   message_.version(), "; this program reads ",
                                                   kStagePlanVersion));
  }
  if (message_.nodes().empty() || message_.nodes_size() > kPlanNodesMax) {
    return absl::InvalidArgumentError(absl::StrCat("the stage plan has ", message_.nodes_size(),
                                                   " nodes; it must have 1 to ", kPlanNodesMax));
  }
  std::vector<int> depths;
  depths.reserve(static_cast<size_t>(message_.nodes_size()));
  nodes_.reserve(static_cast<size_t>(message_.nodes_size()));
  for (const proto::PlanNode& node : message_.nodes()) RETURN_IF_ERROR(AddNode(node, depths));
  return absl::OkStatus();
}

absl::Status ParsedPlan::AddNode(const proto::PlanNode& message, std::vector<int>& depths) {
  const size_t index = nodes_.size();
  int depth = 1;
  for (const uint32_t input : message.inputs()) {
    if (input >= index) return Malformed(message, index, "reads a node that does not precede it");
    depth = std::max(depth, depths[input] + 1);
  }
  if (depth > kPlanDepthMax) {
    return Malformed(message, index,
                     absl::StrCat("stands on more than ", kPlanDepthMax,
                                  " operators in one stage: persist a data set in between"));
  }
  depths.push_back(depth);

  if (!proto::BindingKind_IsValid(message.binding())) {
    return Malformed(message, index, "has a binding of an unknown kind");
  }
  const std::string_view problem =
      InputCountProblem(message.binding(), static_cast<size_t>(message.inputs_size()));
  if (!problem.empty()) return Malformed(message, index, problem);

  const RegistryEntry* entry = FindRegistered(message.operator_name());
  const auto* op = entry == nullptr ? nullptr : dynamic_cast<const Operator*>(&entry->object());
  if (op == nullptr) {
    return absl::NotFoundError(absl::StrCat(
        "plan node ", index, " (", message.label(), ") runs the operator '",
        message.operator_name(),
        "', which this program does not have: are driver and worker the same binary?"));
  }
  nodes_.push_back({op, message.params(), LabelOf(message), message.binding(), message.inputs()});
  return absl::OkStatus();
}

}  // namespace millrace::internal
