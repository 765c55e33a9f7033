#include "driver/cluster/worker_registry.h"

#include <algorithm>
#include <utility>

#include "glog/logging.h"

namespace millrace::internal {
namespace {

auto PositionOf(std::vector<std::unique_ptr<Worker>>& workers, int64_t id) {
  return std::lower_bound(workers.begin(), workers.end(), id,
                          [](const auto& worker, int64_t wanted) { return worker->id < wanted; });
}

}  // namespace

Worker& WorkerRegistry::Add(int64_t id, const proto::WorkerHello& hello) {
  CHECK(!by_id_.contains(id)) << "worker " << id << " is registered already";
  auto worker = std::make_unique<Worker>();
  worker->id = id;
  worker->host = hello.host();
  worker->peer_address = hello.peer_address();
  worker->slots = static_cast<int>(hello.task_slots());
  worker->free_slots = worker->slots;
  total_slots_ += worker->slots;
  by_id_.emplace(id, worker.get());
  Worker& added = **workers_.insert(PositionOf(workers_, id), std::move(worker));
  FindUsable();
  return added;
}

void WorkerRegistry::Remove(int64_t id) {
  const auto worker = PositionOf(workers_, id);
  if (worker == workers_.end() || (*worker)->id != id) return;
  total_slots_ -= (*worker)->slots;
  by_id_.erase(id);
  workers_.erase(worker);
  FindUsable();
}

void WorkerRegistry::SetExcluded(Worker& worker, bool is_excluded) {
  if (worker.is_excluded == is_excluded) return;
  worker.is_excluded = is_excluded;
  FindUsable();
}

void WorkerRegistry::SetRetiring(Worker& worker, bool is_retiring) {
  if (worker.is_retiring == is_retiring) return;
  worker.is_retiring = is_retiring;
  FindUsable();
}

void WorkerRegistry::FindUsable() {
  usable_.clear();
  for (const auto& worker : workers_) {
    worker->is_usable = !worker->is_excluded && !worker->is_retiring;
    if (worker->is_usable) usable_.push_back(worker.get());
  }
  if (!usable_.empty()) return;
  for (const auto& worker : workers_) {
    worker->is_usable = true;
    usable_.push_back(worker.get());
  }
}

Worker* WorkerRegistry::Find(int64_t id) const {
  const auto worker = by_id_.find(id);
  return worker == by_id_.end() ? nullptr : worker->second;
}

int64_t WorkerRegistry::HomeOf(int partition) const {
  CHECK(!usable_.empty());
  return usable_[static_cast<size_t>(partition) % usable_.size()]->id;
}

void WorkerRegistry::Send(int64_t id, proto::ToWorker message) {
  if (!by_id_.contains(id)) return;
  message.set_driver_epoch(driver_epoch_);
  transport_.SendToWorker(id, std::move(message));
}

void WorkerRegistry::SendToAll(const proto::ToWorker& message) {
  for (const auto& worker : workers_) Send(worker->id, message);
}

}  // namespace millrace::internal
