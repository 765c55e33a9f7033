// A stream whose data set is a function of its parents' data sets of the same batch.
#ifndef MILLRACE_CLIENT_DSTREAM_TRANSFORMED_NODE_H_
#define MILLRACE_CLIENT_DSTREAM_TRANSFORMED_NODE_H_

#include <functional>
#include <span>
#include <vector>

#include "client/dstream/dstream_node.h"

namespace millrace::internal {

// What a batch in which a parent has no data set means.
enum class MissingParent : uint8_t {
  kNoDataSet,  // None here either.
  kError,      // An operation of several streams cannot go on: the batch fails.
};

class TransformedNode final : public DStreamNode {
 public:
  // Gets a data set for each parent, in their order. May throw, may return null.
  using Apply = std::function<absl::StatusOr<RddRef>(Time, std::span<const RddRef>)>;

  TransformedNode(StreamGraph& graph, const Operation& operation, std::vector<DStreamNode*> parents,
                  MissingParent missing_parent, Apply apply);

 private:
  absl::StatusOr<RddRef> Compute(Time time) override;
  absl::StatusOr<RddRef> CallApply(Time time, std::span<const RddRef> data_sets) const;
  absl::Status Blame(const absl::Status& status) const;

  const MissingParent missing_parent_;
  const Apply apply_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_DSTREAM_TRANSFORMED_NODE_H_
