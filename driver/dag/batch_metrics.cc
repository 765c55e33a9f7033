#include "driver/dag/batch_metrics.h"

#include <algorithm>

namespace millrace::internal {

void BatchMetrics::Add(Stage& stage) {
  if (stage.batch_time_ms < 0 || stage.partitions.empty()) return;
  Entry entry;
  entry.totals.stage_id = stage.id;
  entry.totals.job_id = stage.job_id;
  entry.totals.task_count = static_cast<int>(stage.partitions.size());
  entry.totals.run_micros = stage.run_micros;
  entry.totals.wait_micros = stage.wait_micros;
  entry.totals.shuffle_bytes_written = stage.shuffle_bytes_written;
  for (auto& variant : stage.variants) {
    entry.parts.push_back({variant->plan, std::move(variant->sums)});
  }
  const auto batch = std::find_if(batches_.rbegin(), batches_.rend(), [&](const auto& known) {
    return known.first <= stage.batch_time_ms;
  });
  if (batch != batches_.rend() && batch->first == stage.batch_time_ms) {
    batch->second.push_back(std::move(entry));
    return;
  }
  std::vector<Entry> entries;
  entries.push_back(std::move(entry));
  batches_.emplace(batch.base(), stage.batch_time_ms, std::move(entries));
  if (batches_.size() > kBatchesMax) batches_.pop_front();
}

std::vector<StageReport> BatchMetrics::Of(int64_t batch_time_ms) const {
  std::vector<StageReport> reports;
  for (const auto& [time, entries] : batches_) {
    if (time != batch_time_ms) continue;
    for (const Entry& entry : entries) {
      StageReport& report = reports.emplace_back(entry.totals);
      for (const Part& part : entry.parts) {
        report.label = part.plan->labels.back();
        for (size_t i = 0; i < part.sums.size(); ++i) {
          report.operators.push_back(
              {part.plan->labels[i], part.sums[i].records, part.sums[i].nanos});
        }
      }
    }
  }
  return reports;
}

}  // namespace millrace::internal
