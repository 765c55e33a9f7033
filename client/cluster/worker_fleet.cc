#include "client/cluster/worker_fleet.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

constexpr std::chrono::milliseconds kStartTimeout{60'000};
// Before a worker is replaced; doubles while workers end before they have joined.
constexpr int64_t kReplaceDelayMicros = 50'000;
constexpr int64_t kReplaceDelayMaxMicros = 10'000'000;
// For a worker that has lost its driver to find this one.
constexpr int64_t kLeftWorkerMicros = 5'000'000;

}  // namespace

absl::Status WorkerFleet::BringUp(int launched, const std::vector<int64_t>& left) {
  env_.Post([this, launched, left] {
    Expect(left);
    Add(launched);
  });
  const int workers = launched + static_cast<int>(left.size());
  const Beginning beginning = beginning_.WaitUntil(
      [workers](const Beginning& now) {
        return now.joined_count >= workers || !now.failure.empty();
      },
      kStartTimeout, [](const Beginning& now) { return now; });
  // Some may have come that nobody waited for.
  if (!left.empty()) env_.Post([this] { GiveUpLeft(); });
  if (beginning.joined_count >= workers) return absl::OkStatus();
  if (!beginning.failure.empty()) return absl::UnavailableError(beginning.failure);
  if (beginning.joined_count > 0) {
    LOG(WARNING) << "starts with " << beginning.joined_count << " of " << workers
                 << " workers; the others are still waited for";
    return absl::OkStatus();
  }
  return absl::UnavailableError(absl::StrCat(
      "no worker has come up within ", kStartTimeout.count() / 1000,
      " s; is there room for one, and does the program call millrace::Init first thing?"));
}

void WorkerFleet::Stop() {
  env_.Post([this] {
    is_stopping_ = true;
    for (const auto& [id, phase] : workers_) {
      proto::ToWorker message;
      message.mutable_shutdown();
      if (phase == Phase::kJoined) {
        connections_.SendToWorker(id, std::move(message));
      } else {
        launcher_.Kill(id);
      }
    }
  });
}

void WorkerFleet::Add(int workers) {
  count_ += workers;
  for (int i = 0; i < workers; ++i) Launch();
}

void WorkerFleet::Retire(int64_t worker_id, const std::string& reason) {
  const auto worker = workers_.find(worker_id);
  if (worker == workers_.end() || worker->second != Phase::kJoined) return;
  --count_;
  LOG(INFO) << "worker " << worker_id << " retires: " << reason;
  DisconnectWorker(worker_id, absl::CancelledError(reason));
  worker->second = Phase::kRetired;
  driver_.core().WorkerLost(worker_id, reason);
}

void WorkerFleet::Expect(const std::vector<int64_t>& left) {
  count_ += static_cast<int>(left.size());
  for (const int64_t id : left) workers_[id] = Phase::kLeft;
  if (left.empty()) return;
  env_.After(kLeftWorkerMicros, [this] { GiveUpLeft(); });
}

void WorkerFleet::GiveUpLeft() {
  std::vector<int64_t> late;
  for (const auto& [id, phase] : workers_) {
    if (phase == Phase::kLeft) late.push_back(id);
  }
  for (const int64_t id : late) {
    LOG(WARNING) << "worker " << id << ", which the driver before has left, does not come";
    DisconnectWorker(id, absl::DeadlineExceededError("it came too late"));
  }
}

void WorkerFleet::Launch() {
  if (is_stopping_) return;
  const int64_t id = ++last_worker_id_;
  workers_[id] = Phase::kLaunched;
  launcher_.Launch(id);
}

void WorkerFleet::ReplaceLater() {
  const int64_t delay = kReplaceDelayMicros << std::min(failed_starts_, 8);
  env_.After(std::min(delay, kReplaceDelayMaxMicros), [this] { Launch(); });
}

absl::Status WorkerFleet::MayJoin(int64_t worker_id) const {
  const auto worker = workers_.find(worker_id);
  const bool is_expected = worker != workers_.end() &&
                           (worker->second == Phase::kLaunched || worker->second == Phase::kLeft);
  if (is_expected) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("worker ", worker_id,
                   worker_id <= last_worker_id_ ? " was given up" : " is not one of ours"));
}

void WorkerFleet::OnMessage(proto::ToDriver message) {
  const bool is_hello = message.has_hello();
  if (is_hello) {
    workers_[message.worker_id()] = Phase::kJoined;
    failed_starts_ = 0;
  }
  driver_.core().HandleMessage(std::move(message));
  if (is_hello) beginning_.Update([](Beginning& now) { ++now.joined_count; });
}

void WorkerFleet::SendToWorker(int64_t worker_id, proto::ToWorker message) {
  connections_.SendToWorker(worker_id, std::move(message));
}

void WorkerFleet::DisconnectWorker(int64_t worker_id, const absl::Status& reason) {
  connections_.DisconnectWorker(worker_id, reason);
  const auto worker = workers_.find(worker_id);
  if (worker != workers_.end()) worker->second = Phase::kGone;
  launcher_.Kill(worker_id);
}

void WorkerFleet::OnDisconnected(int64_t worker_id, const std::string& reason) {
  if (is_stopping_) return;
  driver_.core().WorkerLost(worker_id, reason);
  const auto worker = workers_.find(worker_id);
  if (worker != workers_.end() && worker->second != Phase::kRetired) worker->second = Phase::kGone;
  launcher_.Kill(worker_id);
}

void WorkerFleet::OnWorkerExited(int64_t worker_id, const std::string& reason) {
  env_.Post([this, worker_id, reason] { OnWorkerExitedOnLoop(worker_id, reason); });
}

// Those that are about to be replaced have the first claim.
void WorkerFleet::OnRoom(int workers) {
  env_.Post([this, workers] {
    const int missing = count_ - static_cast<int>(workers_.size());
    const int more = std::min(workers - missing, workers_max_ - count_);
    if (is_stopping_ || more <= 0) return;
    LOG(INFO) << "there is room for " << more << " more workers, which are asked for";
    Add(more);
  });
}

void WorkerFleet::OnWorkerExitedOnLoop(int64_t worker_id, const std::string& reason) {
  const auto worker = workers_.find(worker_id);
  if (is_stopping_ || worker == workers_.end()) return;
  const Phase phase = worker->second;
  workers_.erase(worker);
  if (phase == Phase::kLaunched) {
    ++failed_starts_;
    LOG(WARNING) << "worker " << worker_id << " has ended before it joined: " << reason;
    beginning_.Update([&](Beginning& now) {
      now.failure = absl::StrCat("worker ", worker_id, " has ended before it joined: ", reason);
    });
  } else {
    if (phase == Phase::kRetired) return;
    LOG(WARNING) << "worker " << worker_id << " has ended: " << reason;
    connections_.DisconnectWorker(worker_id, absl::UnavailableError(reason));
    driver_.core().WorkerLost(worker_id, reason);
  }
  ReplaceLater();
}

}  // namespace millrace::internal
