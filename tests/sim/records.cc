#include "tests/sim/records.h"

#include <random>

#include "client/rdd/values.h"

namespace millrace::sim {
namespace {

constexpr uint64_t kRecordsMax = 30;
constexpr uint64_t kKeys = 9;
constexpr uint64_t kValues = 1000;

}  // namespace

std::vector<Record> Input::At(Time batch_time) const {
  std::mt19937_64 random(seed ^ (static_cast<uint64_t>(batch_time.ms()) * 0x9e3779b97f4a7c15));
  // Some batches have nothing.
  const uint64_t count = random() % 5 == 0 ? 0 : random() % kRecordsMax;
  std::vector<Record> records;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t key = random() % kKeys;
    records.emplace_back("key" + std::to_string(key), static_cast<int64_t>(random() % kValues));
  }
  return records;
}

DStream<Record> Input::In(StreamingContext& ssc) const {
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

}  // namespace millrace::sim
