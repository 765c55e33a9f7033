#include "client/dstream/transformed_node.h"

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/dstream/stream_graph.h"
#include "common/base/annotate_status.h"

namespace millrace::internal {

TransformedNode::TransformedNode(StreamGraph& graph, const Operation& operation,
                                 std::vector<DStreamNode*> parents, MissingParent missing_parent,
                                 Apply apply)
    : DStreamNode(graph, operation, parents,
                  parents.empty() ? graph.batch_interval() : parents.front()->slide()),
      missing_parent_(missing_parent),
      apply_(std::move(apply)) {}

absl::Status TransformedNode::Blame(const absl::Status& status) const {
  return AnnotateStatus(status, label());
}

absl::StatusOr<RddRef> TransformedNode::Compute(Time time) {
  std::vector<RddRef> data_sets;
  for (DStreamNode* parent : parents()) {
    absl::StatusOr<RddRef> data_set = parent->GetOrCompute(time);
    if (!data_set.ok()) return data_set.status();
    if (*data_set == nullptr) {
      if (missing_parent_ == MissingParent::kNoDataSet) return RddRef();
      return Blame(absl::FailedPreconditionError(
          absl::StrCat(parent->label(), " has no data set at ", ToString(time))));
    }
    data_sets.push_back(*std::move(data_set));
  }
  return CallApply(time, data_sets);
}

absl::StatusOr<RddRef> TransformedNode::CallApply(Time time,
                                                  std::span<const RddRef> data_sets) const {
  absl::StatusOr<RddRef> made;
  try {
    made = apply_(time, data_sets);
  } catch (const std::exception& error) {
    return Blame(absl::UnknownError(absl::StrCat("exception: ", error.what())));
  } catch (...) {
    return Blame(absl::UnknownError("exception that is no std::exception"));
  }
  if (!made.ok()) return Blame(made.status());
  if (*made == nullptr) {
    return Blame(absl::InvalidArgumentError(
        "the function returned no data set (a default-constructed RDD); return an empty one, such "
        "as Context::Parallelize of an empty vector"));
  }
  return made;
}

}  // namespace millrace::internal
