#include "tests/sim/records.h"

#include "client/rdd/values.h"
#include "client/source/direct_input_node.h"
#include "client/source/receiver_factory.h"
#include "tests/sim/growing_log.h"
#include "tests/sim/reliable_source.h"

namespace millrace::sim {
namespace {

constexpr uint64_t kRecordsMax = 30;
constexpr uint64_t kKeys = 9;
constexpr uint64_t kValues = 1000;

Record RecordOfLine(const std::string& line) { return SentRecord::OfLine(line).record; }

}  // namespace

Record RandomRecord(std::mt19937_64& random) {
  const uint64_t key = random() % kKeys;
  return {"key" + std::to_string(key), static_cast<int64_t>(random() % kValues)};
}

std::vector<Record> Input::At(Time batch_time) const {
  std::vector<Record> records;
  if (received != nullptr) {
    const auto batch = received->batches.find(batch_time);
    if (batch == received->batches.end()) return records;
    for (const std::string& line : batch->second) records.push_back(RecordOfLine(line));
    return records;
  }
  std::mt19937_64 random(seed ^ (static_cast<uint64_t>(batch_time.ms()) * 0x9e3779b97f4a7c15));
  // Some batches have nothing.
  const uint64_t count = random() % 5 == 0 ? 0 : random() % kRecordsMax;
  for (uint64_t i = 0; i < count; ++i) records.push_back(RandomRecord(random));
  return records;
}

DStream<Record> Input::In(StreamingContext& ssc) const {
  if (received != nullptr) return ReceivedIn(ssc);
  const auto at = internal::Location::Current();
  return DStream<Record>(internal::AddGenerated(
      {"Input", at}, ssc.graph(), "Simulated",
      [context = ssc.context().state(), input = *this, at](
          Time time, int64_t* record_count) -> absl::StatusOr<internal::RddRef> {
        const std::vector<Record> records = input.At(time);
        *record_count = static_cast<int64_t>(records.size());
        return internal::MakeParallelize<Record>(context, records, input.partitions, at).node();
      },
      internal::IsRepeatable::kYes));
}

internal::StreamRef Input::LinesIn(StreamingContext& ssc) const {
  const auto at = internal::Location::Current();
  if (received->is_log) {
    internal::DirectSource source;
    source.kind = "Simulated direct";
    source.offsets = std::make_unique<GrowingLog>(seed, partitions);
    source.read = internal::MakeSpec<internal::ValuesOperator<std::string>>(
        "", internal::OperatorLabel("Log", at), internal::BindingKind::kSplit);
    source.type = &internal::RecordOperators<std::string>();
    return internal::AddDirect({"Log", at}, ssc.graph(), std::move(source));
  }
  // As StreamingContext::ReceiverStream, with any storage level.
  return internal::AddReceiver(
      {"Receiver", at}, ssc.graph(), "Receiver", "ReliableReceiver",
      internal::MakeReceiverSpec<ReliableReceiver>(received->storage_level, received->source),
      internal::MakeSpec<internal::BlockRecordsOperator<std::string>>(
          "", internal::OperatorLabel("Receiver", at), internal::BindingKind::kBlocks),
      internal::RecordOperators<std::string>());
}

DStream<Record> Input::ReceivedIn(StreamingContext& ssc) const {
  const DStream<std::string> lines(LinesIn(ssc));
  lines.ForeachRDD([received = received, has_ended = has_ended](const RDD<std::string>& rdd,
                                                                Time time) -> absl::Status {
    absl::StatusOr<std::vector<std::string>> batch = rdd.Collect();
    if (*has_ended) return batch.status();
    if (!batch.ok()) {
      received->errors[time] = batch.status();
      return batch.status();
    }
    const auto [first, is_first] = received->batches.emplace(time, *batch);
    if (!is_first && first->second != *batch) received->changed.insert(time);
    return absl::OkStatus();
  });
  return lines.Map(Fn<&RecordOfLine>);
}

}  // namespace millrace::sim
