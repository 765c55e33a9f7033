// A stream whose data set is the union of its parent's over a stretch of time.
#ifndef MILLRACE_CLIENT_DSTREAM_WINDOWED_NODE_H_
#define MILLRACE_CLIENT_DSTREAM_WINDOWED_NODE_H_

#include <chrono>
#include <functional>
#include <vector>

#include "client/dstream/dstream_node.h"

namespace millrace::internal {

// At time t: the parent's data sets of (t - length, t]. Until a whole length has passed it holds
// what there is. The parent is persisted in its stead, for each of its data sets is read several
// times.
class WindowedNode final : public DStreamNode {
 public:
  using Unite = std::function<RddRef(std::vector<RddRef>)>;

  // `length` and `slide` are positive multiples of the parent's slide.
  WindowedNode(StreamGraph& graph, const Operation& operation, DStreamNode& parent,
               std::chrono::milliseconds length, std::chrono::milliseconds slide, Unite unite);

  void Persist(StorageLevel level) override { parents().front()->Persist(level); }
  void PersistForReuse() override { parents().front()->PersistForReuse(); }
  std::chrono::milliseconds look_back() const override { return length_; }

 private:
  absl::StatusOr<RddRef> Compute(Time time) override;

  const std::chrono::milliseconds length_;
  const Unite unite_;
};

// For a window: null, too, if an earlier driver made it of state that it cannot be made of again.
// As with what was received, the window then has what there is.
absl::StatusOr<RddRef> DataSetAt(DStreamNode& stream, Time time);
// The data sets of `stream` in (after, until], oldest first.
absl::StatusOr<std::vector<RddRef>> DataSetsBetween(DStreamNode& stream, Time after, Time until);

// Notes what is wrong with a window over `parent` as an error of the graph. One that cannot be is
// replaced by one that can, so that what is built on it shows its own mistakes only.
void CheckWindow(StreamGraph& graph, const Operation& operation, const DStreamNode& parent,
                 std::chrono::milliseconds& length, std::chrono::milliseconds& slide);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_DSTREAM_WINDOWED_NODE_H_
