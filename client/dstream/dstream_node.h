// A stream as the graph sees it: something that has a data set at each multiple of its slide.
#ifndef MILLRACE_CLIENT_DSTREAM_DSTREAM_NODE_H_
#define MILLRACE_CLIENT_DSTREAM_DSTREAM_NODE_H_

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/dstream/operation.h"
#include "client/rdd/data_set_format.h"
#include "common/record/storage_level.h"
#include "common/time/time.h"
#include "driver/lineage/rdd_node.h"

namespace millrace::internal {

class StreamGraph;

// Owned by its graph, whose lock guards every call. A subclass says what the data set of one batch
// is; this class decides for which times there is one, and remembers what was made.
//
// Invariants: (1) at most one data set is made for a time while that time is remembered, so all
// outputs of a batch share it; (2) parents stand earlier in the graph, so there is no cycle.
class DStreamNode {
 public:
  DStreamNode(StreamGraph& graph, const Operation& operation, std::vector<DStreamNode*> parents,
              std::chrono::milliseconds slide);
  virtual ~DStreamNode() = default;
  DStreamNode(const DStreamNode&) = delete;
  DStreamNode& operator=(const DStreamNode&) = delete;

  // The data set at `time`, null where the stream has none: between its slides, before the first
  // batch, or because a parent has none.
  absl::StatusOr<RddRef> GetOrCompute(Time time);

  // Whether GetOrCompute has made the data set at `time`, be it null.
  bool WasMade(Time time) const { return made_.contains(time); }
  // Every data set must be computed in its batch, even if no output asks for it.
  virtual bool must_run() const { return false; }

  // "Map at word_count.cc:14", with the user's own name before it once there is one.
  std::string label() const;
  void set_name(std::string name) { name_ = std::move(name); }
  const std::string& name() const { return name_; }
  // The name of its state, where users name another stream that shows it.
  void set_state_name(std::string name) { state_name_ = std::move(name); }
  const std::string& state_name() const { return state_name_.empty() ? name_ : state_name_; }
  const Operation& operation() const { return operation_; }
  const std::vector<DStreamNode*>& parents() const { return parents_; }
  std::chrono::milliseconds slide() const { return slide_; }

  // Data sets made from now on are kept by the workers at `level`.
  virtual void Persist(StorageLevel level) { storage_level_ = level; }
  // Each data set of this stream will be read more than once.
  virtual void PersistForReuse();
  StorageLevel storage_level() const { return storage_level_; }

  // How often the stream is saved, where the user or the kind of stream asks for it, and how.
  void SetCheckpoint(std::chrono::milliseconds interval, DataSetFormat format) {
    checkpoint_interval_ = interval;
    format_ = std::move(format);
  }
  const DataSetFormat& format() const { return format_; }
  std::optional<std::chrono::milliseconds> checkpoint_interval() const;
  bool user_set_checkpoint_interval() const { return checkpoint_interval_.has_value(); }
  // Streams that carry state from batch to batch cannot do without; they name their own interval.
  virtual std::optional<std::chrono::milliseconds> default_checkpoint_interval() const {
    return std::nullopt;
  }

  // How long data sets are remembered. A node asks its parents for its own duration and what it
  // looks back.
  std::chrono::milliseconds remember() const { return remember_; }
  void RaiseRemember(std::chrono::milliseconds duration);
  virtual std::chrono::milliseconds look_back() const { return std::chrono::milliseconds(0); }

  // Drops what is not remembered any more when `batch_time` is over, or everything.
  virtual void ForgetBefore(Time batch_time);
  virtual void ForgetAll() { made_.clear(); }
  // Another driver goes on from a checkpoint: nothing that this one made is there any more.
  virtual void Restart() { ForgetAll(); }

 protected:
  // The data set at `time`, a multiple of the slide after the zero time. Errors name the operator
  // that is at fault, be it this one or one above it.
  virtual absl::StatusOr<RddRef> Compute(Time time) = 0;

  StreamGraph& graph() const { return graph_; }

 private:
  void KeepOnWorkers(const RddRef& rdd) const;

  StreamGraph& graph_;
  const Operation operation_;
  const std::vector<DStreamNode*> parents_;
  const std::chrono::milliseconds slide_;
  std::string name_;
  std::string state_name_;
  StorageLevel storage_level_ = StorageLevel::kNone;
  std::optional<std::chrono::milliseconds> checkpoint_interval_;
  DataSetFormat format_;
  std::chrono::milliseconds remember_{0};
  // Null data sets are remembered too. So is an error, until the graph makes its next batch:
  // two outputs report one failure of one call, and a later batch that looks back tries again.
  std::map<Time, RddRef> made_;
  struct Failure {
    Time time;
    int64_t generation;
    absl::Status status;
  };
  std::optional<Failure> failure_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_DSTREAM_DSTREAM_NODE_H_
