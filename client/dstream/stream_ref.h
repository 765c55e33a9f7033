// What a typed stream is made of, and what can be declared on it: the part of DStream<T> that does
// not depend on T, so that it is compiled once. Light, for user programs include it.
#ifndef MILLRACE_CLIENT_DSTREAM_STREAM_REF_H_
#define MILLRACE_CLIENT_DSTREAM_STREAM_REF_H_

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/dstream/operation.h"
#include "client/rdd/context_state.h"
#include "client/rdd/data_set_format.h"
#include "client/rdd/state_format.h"
#include "common/record/storage_level.h"
#include "common/time/time.h"
#include "driver/lineage/rdd_node.h"

namespace millrace::internal {

class DStreamNode;
class StreamGraph;
enum class MissingParent : uint8_t;

// Valid for as long as it is held; the graph owns the node.
struct StreamRef {
  std::shared_ptr<StreamGraph> graph;
  DStreamNode* node = nullptr;
};

const ContextRef& ContextOf(const StreamRef& stream);
std::chrono::milliseconds SlideOf(const StreamRef& stream);

// Makes an input's data set of one batch, null for none, and says how many records it has where
// that is known (else leaves the count at 0).
using GenerateDataSet = std::function<absl::StatusOr<RddRef>(Time, int64_t* record_count)>;
// Whether it makes the same data set whenever it is asked for a time: then a batch can be made
// again.
enum class IsRepeatable : uint8_t { kNo, kYes };

// Gets each parent's data set of the batch and returns the operation's. May throw.
using ApplyToDataSets =
    std::function<absl::StatusOr<RddRef>(Time, std::span<const RddRef> data_sets)>;

// A stream without a data set of its parent has none either.
StreamRef AddTransformed(const Operation& operation, const StreamRef& parent,
                         ApplyToDataSets apply);
// A batch in which a parent has no data set fails.
StreamRef AddCombined(const Operation& operation, const std::vector<StreamRef>& parents,
                      ApplyToDataSets apply);

using UniteDataSets = std::function<RddRef(std::vector<RddRef>)>;
StreamRef AddWindow(const Operation& operation, const StreamRef& parent,
                    std::chrono::milliseconds length, std::chrono::milliseconds slide,
                    UniteDataSets unite);

// One data set of all records of `parts`, combined. `prepared`, if not null, is computed besides,
// so that the workers keep it; its records are not in the result.
using CombineWindow =
    std::function<absl::StatusOr<RddRef>(std::vector<RddRef> parts, const RddRef& prepared)>;
// A window of data sets that `combine` has made, or could have: records of several of them may be
// combined in any grouping.
StreamRef AddAggregateWindow(const Operation& operation, const StreamRef& parent,
                             std::chrono::milliseconds length, std::chrono::milliseconds slide,
                             CombineWindow combine);

// What is wrong with a number of partitions that must be positive is noted.
void CheckPartitions(const Operation& operation, const StreamRef& stream, int num_partitions);

// Keyed state. Each update names the state, its batch and the batch that it builds on.
using StateUpdateRef = std::shared_ptr<const StateUpdate>;

// A batch in which the parent has no data set: known keys are updated all the same, if there are
// any yet, and the initial state waits; or it is a batch like any other, without records.
enum class StateWithoutRecords : uint8_t { kIsUpdated, kHasEmptyBatch };
// `records` is null in a batch without, `initial` in all batches but the one that begins with it;
// it is a saved state where the update says that it restores.
using UpdateState = std::function<absl::StatusOr<RddRef>(
    const StateUpdateRef&, const RddRef& records, const RddRef& initial)>;
StreamRef AddState(const Operation& operation, const StreamRef& parent,
                   StateWithoutRecords without_records, RddRef initial, UpdateState update,
                   StateFormat format);

using UpdateWindow = std::function<absl::StatusOr<RddRef>(
    const StateUpdateRef&, const std::vector<RddRef>& leaving, const std::vector<RddRef>& coming)>;
StreamRef AddWindowState(const Operation& operation, const StreamRef& parent,
                         std::chrono::milliseconds length, std::chrono::milliseconds slide,
                         UpdateWindow update, StateFormat format);

using OutputFunction = std::function<absl::Status(const RddRef&, Time)>;
void AddOutput(const Operation& operation, const StreamRef& stream, OutputFunction run);

void SetName(const Operation& operation, const StreamRef& stream, const std::string& name);
// The name by which the state of a stream is found again that users see through another one.
void SetStateName(const StreamRef& stream, const std::string& name);
void SetPersist(const Operation& operation, const StreamRef& stream, StorageLevel level);
// `format` is how its data sets are saved; a stream with state saves that instead.
void SetCheckpoint(const Operation& operation, const StreamRef& stream,
                   std::chrono::milliseconds interval, DataSetFormat format = {});

// Oldest first; see StreamGraph::Slice.
absl::StatusOr<std::vector<RddRef>> SliceOf(const StreamRef& stream, Time from, Time to);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_DSTREAM_STREAM_REF_H_
