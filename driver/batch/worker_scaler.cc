#include "driver/batch/worker_scaler.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

ScalingOptions WithinSupply(ScalingOptions options, int count_max) {
  options.workers_max = std::min(options.workers_max, count_max);
  options.workers_min = std::min(options.workers_min, options.workers_max);
  return options;
}

}  // namespace

WorkerScaler::WorkerScaler(Parts parts, ScalingOptions options,
                           std::chrono::milliseconds batch_interval)
    : parts_(std::move(parts)),
      options_(WithinSupply(options, parts_.supply.count_max())),
      policy_(options_, batch_interval) {}

void WorkerScaler::Start() { DecideLater(); }

void WorkerScaler::Stop() {
  parts_.env.Cancel(std::exchange(timer_, kNoTimer));
  StopRetiring();
}

void WorkerScaler::BatchCompleted(std::optional<std::chrono::microseconds> processing) {
  if (timer_ == kNoTimer) return;
  if (processing.has_value()) policy_.BatchCompleted(*processing);
  RetireIfIdle();
  if (!policy_.IsOverloaded()) return;
  parts_.env.Cancel(std::exchange(timer_, kNoTimer));
  Decide();
}

void WorkerScaler::DecideLater() {
  timer_ = parts_.env.After(std::chrono::microseconds(options_.interval).count(), [this] {
    timer_ = kNoTimer;
    Decide();
  });
}

void WorkerScaler::Decide() {
  DecideLater();
  StopRetiring();
  const int count = parts_.supply.count();
  const double load = policy_.load();
  const int wanted = policy_.Decide(count);
  if (parts_.workers.count() < count || wanted == count) return;
  if (wanted > count) {
    LOG(INFO) << "batches take " << load << " of the batch interval: " << wanted - count
              << " workers are asked for beside the " << count << " that there are";
    parts_.supply.Add(wanted - count);
  } else {
    BeginRetiring();
  }
}

void WorkerScaler::BeginRetiring() {
  Worker* const worker = Cheapest();
  if (worker == nullptr) return;
  retiring_ = worker->id;
  parts_.workers.SetRetiring(*worker, true);
  RetireIfIdle();
}

void WorkerScaler::StopRetiring() {
  if (!retiring_.has_value()) return;
  Worker* const worker = parts_.workers.Find(*std::exchange(retiring_, std::nullopt));
  if (worker != nullptr) parts_.workers.SetRetiring(*worker, false);
}

void WorkerScaler::RetireIfIdle() {
  if (!retiring_.has_value()) return;
  const Worker* const worker = parts_.workers.Find(*retiring_);
  if (worker == nullptr) {  // Lost, and another one takes its place.
    retiring_.reset();
    return;
  }
  if (worker->free_slots < worker->slots || worker->tasks_ahead > 0) return;
  retiring_.reset();
  parts_.supply.Retire(worker->id, "the application has work for fewer workers");
}

Worker* WorkerScaler::Cheapest() const {
  absl::flat_hash_set<int64_t> needed;
  for (const BlockRef block : parts_.data.blocks.WithOneHolder()) {
    needed.insert(parts_.data.blocks.HoldersOf(block).front());
  }
  Worker* cheapest = nullptr;
  std::tuple<int64_t, int64_t, int64_t> least_cost;
  for (Worker* const worker : parts_.workers.usable()) {
    if (needed.contains(worker->id) || parts_.has_receiver(worker->id)) continue;
    // Of equal ones the youngest.
    const std::tuple cost(parts_.data.states.PartitionsOn(worker->id),
                          parts_.data.cached.PartitionsOn(worker->id), -worker->id);
    if (cheapest != nullptr && least_cost <= cost) continue;
    cheapest = worker;
    least_cost = cost;
  }
  return cheapest;
}

}  // namespace millrace::internal
