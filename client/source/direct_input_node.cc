#include "client/source/direct_input_node.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/dstream/stream_graph.h"
#include "client/rdd/lineage.h"
#include "client/sink/console.h"
#include "common/base/annotate_status.h"
#include "common/base/status_macros.h"
#include "glog/logging.h"
#include "proto/checkpoint.pb.h"

namespace millrace::internal {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStartTimeout = std::chrono::seconds(30);
// A source that answers more slowly than batches come delays them no further than that.
constexpr milliseconds kLatestTimeoutMin = std::chrono::seconds(1);

// The next batch asks again anyway.
bool IsTransient(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

int64_t CountOf(const std::vector<OffsetRange>& ranges) {
  int64_t count = 0;
  for (const OffsetRange& range : ranges) count += range.count();
  return count;
}

// One range a line.
std::string TextOf(const std::vector<OffsetRange>& ranges, bool with_empty_ones) {
  std::string text;
  for (const OffsetRange& range : ranges) {
    if (range.count() == 0 && !with_empty_ones) continue;
    absl::StrAppend(&text, text.empty() ? "" : "\n", ToString(range));
  }
  return text;
}

}  // namespace

DirectInputNode::DirectInputNode(StreamGraph& graph, const Operation& operation,
                                 DirectSource source)
    : InputNode(graph, operation, source.kind), source_(std::move(source)) {}

absl::Status DirectInputNode::Start() {
  return AnnotateStatus(source_.offsets->Start(kStartTimeout), label());
}

void DirectInputNode::LookOutside() {
  found_ = source_.offsets->Latest(std::max(graph().batch_interval(), kLatestTimeoutMin));
}

void DirectInputNode::BeginBatch(Time batch_time, const std::vector<ReceivedBlock>& /*blocks*/) {
  if (!is_needed()) return;
  failure_ = absl::OkStatus();
  if (const auto fixed = batches_.find(batch_time); fixed != batches_.end()) {
    return Report(batch_time, fixed->second.ranges);  // By an earlier driver.
  }
  if (batch_time <= earlier_until_) {
    Batch nothing{std::make_shared<const std::vector<OffsetRange>>(), {}};
    Report(batch_time, nothing.ranges);
    batches_[batch_time] = std::move(nothing);
    return;
  }
  absl::StatusOr<Batch> batch = FixRanges();
  if (batch.ok()) {
    Report(batch_time, batch->ranges);
    batches_[batch_time] = *std::move(batch);
  } else {
    failed_time_ = batch_time;
    failure_ = AnnotateStatus(batch.status(), label());
  }
}

absl::StatusOr<DirectInputNode::Batch> DirectInputNode::FixRanges() {
  RETURN_IF_ERROR(Learn());
  std::vector<PartitionLag> lags;
  for (const auto& [partition, latest] : latest_) lags.push_back({next_[partition], latest});
  OffsetLimits limits = source_.limits;
  limits.rate = rate_limit_->rate();
  const std::vector<int64_t> until = LimitOffsets(lags, limits, graph().batch_interval());
  auto ranges = std::make_shared<std::vector<OffsetRange>>();
  Batch batch;
  for (const auto& [partition, latest] : latest_) {
    const size_t index = ranges->size();
    ranges->push_back({partition.first, partition.second, lags[index].from, until[index]});
    next_[partition] = until[index];
  }
  batch.ranges = std::move(ranges);
  LocateAll(batch);
  return batch;
}

// Those that an earlier driver has fixed are not located before somebody wants them.
void DirectInputNode::LocateAll(Batch& batch) {
  for (size_t i = batch.partitions.size(); i < batch.ranges->size(); ++i) {
    batch.partitions.push_back(source_.offsets->Locate((*batch.ranges)[i]));
  }
}

absl::Status DirectInputNode::Learn() {
  if (IsTransient(found_.status())) {
    Console::Get().WriteLines([&] {
      LOG(WARNING) << label()
                   << ": the batch has no more than was known before: " << found_.status();
    });
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(found_.status());
  std::map<TopicPartition, int64_t> latest;
  std::map<TopicPartition, int64_t> start;
  for (const PartitionOffsets& partition : *found_) {
    start[{partition.topic, partition.partition}] = partition.start;
  }
  next_.merge(start);  // Those that are known stay where they are.
  for (const PartitionOffsets& partition : *found_) {
    const TopicPartition key{partition.topic, partition.partition};
    // What the stream has read, or an earlier driver, is there though it was not seen again yet.
    latest[key] =
        partition.may_have_more ? std::max(partition.latest, next_.at(key)) : partition.latest;
  }
  RETURN_IF_ERROR(CheckHasNext(latest));
  latest_ = std::move(latest);
  return absl::OkStatus();
}

absl::Status DirectInputNode::CheckHasNext(const std::map<TopicPartition, int64_t>& latest) const {
  for (const auto& [partition, next] : next_) {
    const std::string name =
        absl::StrCat("partition ", partition.second, " of '", partition.first, "'");
    const auto found = latest.find(partition);
    if (found == latest.end()) {
      return absl::NotFoundError(
          absl::StrCat(name, " is gone, of which the stream is at offset ", next));
    }
    if (found->second < next) {
      return absl::DataLossError(absl::StrCat(name, " ends at offset ", found->second,
                                              " and the stream is at offset ", next,
                                              ": was it cut short or replaced?"));
    }
  }
  return absl::OkStatus();
}

void DirectInputNode::Report(Time batch_time, const OffsetRangesRef& ranges) const {
  StreamInputInfo info;
  info.stream_id = input_id();
  info.num_records = CountOf(*ranges);
  info.metadata["offsets"] = TextOf(*ranges, /*with_empty_ones=*/true);
  info.metadata["Description"] = TextOf(*ranges, /*with_empty_ones=*/false);
  graph().ReportInput(batch_time, std::move(info));
  graph().ReportOffsets(input_id(), ranges);
}

RddRef DirectInputNode::MakeDataSet(const Batch& batch) const {
  RddRef data_set = MakeNode(graph().context(), source_.read, *source_.type,
                             static_cast<int>(batch.partitions.size()));
  data_set->sources = batch.partitions;
  data_set->offset_ranges = batch.ranges;
  return data_set;
}

absl::StatusOr<RddRef> DirectInputNode::Compute(Time time) {
  const auto batch = batches_.find(time);
  if (batch != batches_.end()) {
    LocateAll(batch->second);
    return MakeDataSet(batch->second);
  }
  if (time == failed_time_ && !failure_.ok()) return failure_;
  // Asked for before its batch, or when it is forgotten, or it has failed and took nothing.
  if (time > graph().last_batch_time()) graph().MarkProvisional();
  return MakeDataSet({std::make_shared<const std::vector<OffsetRange>>(), {}});
}

// But for the latest that says how far batches have come: those behind it may all have failed.
void DirectInputNode::ForgetBefore(Time batch_time) {
  InputNode::ForgetBefore(batch_time);
  const Time forgotten = std::min(batch_time - remember(), graph().ForgettableInputs(remember()));
  const auto latest = std::find_if(batches_.rbegin(), batches_.rend(),
                                   [](const auto& batch) { return !batch.second.ranges->empty(); });
  if (latest == batches_.rend()) return;
  const auto end = batches_.lower_bound(std::min(forgotten + slide(), latest->first));
  batches_.erase(batches_.begin(), end);
}

// A batch without records, too: a sink that has it must not be given others under its time.
bool DirectInputNode::HasChosen(Time batch_time) const { return batches_.contains(batch_time); }

bool DirectInputNode::HasInput(Time batch_time) const {
  const auto batch = batches_.find(batch_time);
  return batch != batches_.end() && CountOf(*batch->second.ranges) > 0;
}

// What limits have left.
std::optional<Time> DirectInputNode::NextInput(Time next) const {
  for (const auto& [partition, latest] : latest_) {
    const auto offset = next_.find(partition);
    if (offset != next_.end() && offset->second < latest) return next;
  }
  return std::nullopt;
}

void DirectInputNode::Save(proto::InputCheckpoint& to) const {
  for (const auto& [time, batch] : batches_) {
    proto::InputBatch& saved = *to.add_batches();
    saved.set_time_ms(time.ms());
    for (const OffsetRange& range : *batch.ranges) {
      proto::InputRange& to_range = *saved.add_ranges();
      to_range.set_topic(range.topic);
      to_range.set_partition(range.partition);
      to_range.set_from_offset(range.from_offset);
      to_range.set_until_offset(range.until_offset);
    }
  }
}

absl::Status DirectInputNode::Restore(const proto::InputCheckpoint& from) {
  earlier_until_ = graph().last_batch_time();
  for (const proto::InputBatch& saved : from.batches()) {
    Batch batch;
    auto ranges = std::make_shared<std::vector<OffsetRange>>();
    for (const proto::InputRange& range : saved.ranges()) {
      if (range.from_offset() < 0 || range.until_offset() < range.from_offset()) {
        return absl::DataLossError(absl::StrCat(label(), ": batch ", saved.time_ms(),
                                                " ms has offsets ", range.from_offset(), " to ",
                                                range.until_offset()));
      }
      ranges->push_back(
          {range.topic(), range.partition(), range.from_offset(), range.until_offset()});
      next_[{range.topic(), range.partition()}] = range.until_offset();
    }
    batch.ranges = std::move(ranges);
    batches_[Time(saved.time_ms())] = std::move(batch);
  }
  return absl::OkStatus();
}

// It stays, with nothing: where the others have been forgotten, it alone says how far they came.
void DirectInputNode::PutOff(Time batch_time) {
  const auto batch = batches_.find(batch_time);
  if (batch == batches_.end()) return;
  auto nothing = std::make_shared<std::vector<OffsetRange>>(*batch->second.ranges);
  for (OffsetRange& range : *nothing) {
    next_[{range.topic, range.partition}] = range.from_offset;
    range.until_offset = range.from_offset;
  }
  batch->second = {std::move(nothing), {}};
}

void DirectInputNode::Restart() {
  InputNode::Restart();
  latest_.clear();
  next_.clear();
  earlier_until_.reset();
}

void DirectInputNode::ForgetAll() {
  InputNode::ForgetAll();
  batches_.clear();
}

StreamRef AddDirect(const Operation& operation, const std::shared_ptr<StreamGraph>& graph,
                    DirectSource source) {
  auto input = std::make_unique<DirectInputNode>(*graph, operation, std::move(source));
  DStreamNode* const node = input.get();
  graph->AddInput(std::move(input));
  return {graph, node};
}

}  // namespace millrace::internal
