#include "client/dstream/run_for_effect.h"

#include "client/rdd/lineage.h"
#include "executor/operator/operator_base.h"

namespace millrace::internal {
namespace {

// Root that leaves its input alone: the stages before it have had their effect when it runs.
class NothingOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    node.task().SetResult("");
    return true;
  }
};

}  // namespace

absl::Status RunForEffect(const ContextRef& context, const RddRef& rdd, const std::string& label) {
  static const OperatorRef& nothing = *new OperatorRef(MakeSpec<NothingOperator>("", "State"));
  return RunAction(context, rdd, nothing, label, {0}).status();
}

}  // namespace millrace::internal
