#include "driver/daemon/cluster_books.h"

#include <algorithm>
#include <utility>

namespace millrace {

ClusterBooks::Application& ClusterBooks::AddApplication(proto::ApplicationRecord record) {
  Application& application = applications[record.app_id()];
  application.record = std::move(record);
  application.order = ++last_order_;
  return application;
}

ClusterBooks::Executor* ClusterBooks::ExecutorOf(SessionId session) {
  const auto found = std::find_if(executors.begin(), executors.end(), [&](const auto& entry) {
    return entry.second.session == session;
  });
  return found == executors.end() ? nullptr : &found->second;
}

ClusterBooks::Application* ClusterBooks::ApplicationOf(SessionId session) {
  const auto found = std::find_if(applications.begin(), applications.end(), [&](const auto& entry) {
    return entry.second.session == session;
  });
  return found == applications.end() ? nullptr : &found->second;
}

ClusterBooks::Worker& ClusterBooks::PlaceWorker(Application& application, int64_t worker_id,
                                                Worker worker) {
  Executor& executor = executors.at(worker.executor_id);
  executor.cores_used += worker.cores;
  executor.memory_mb_used += worker.memory_mb;
  return application.workers[worker_id] = std::move(worker);
}

std::optional<ClusterBooks::Worker> ClusterBooks::RemoveWorker(Application& application,
                                                               int64_t worker_id) {
  auto node = application.workers.extract(worker_id);
  if (node.empty()) return std::nullopt;
  Worker& worker = node.mapped();
  if (const auto executor = executors.find(worker.executor_id); executor != executors.end()) {
    executor->second.cores_used -= worker.cores;
    executor->second.memory_mb_used -= worker.memory_mb;
  }
  return std::move(worker);
}

std::vector<NodeFacts> ClusterBooks::Nodes() const {
  std::vector<NodeFacts> nodes;
  nodes.reserve(executors.size());
  for (const auto& [id, executor] : executors) {
    nodes.push_back({.executor_id = id,
                     .cores = executor.info.cores(),
                     .cores_free = executor.info.cores() - executor.cores_used,
                     .memory_mb = executor.info.memory_mb(),
                     .memory_mb_free = executor.info.memory_mb() - executor.memory_mb_used});
  }
  return nodes;
}

ApplicationFacts ClusterBooks::FactsOf(const Application& application) const {
  ApplicationFacts facts{.demand = application.info.demand()};
  for (const proto::RequestWorker& request : application.requests) {
    facts.wanted_cores.push_back(request.cores());
  }
  if (facts.demand.cores_max() == 0) facts.demand.set_cores_max(cores_default_);
  for (const auto& [worker_id, worker] : application.workers) {
    facts.cores_held += worker.cores;
    ++facts.workers_held[worker.executor_id];
  }
  return facts;
}

std::vector<int> ClusterBooks::CoresFor(const proto::Demand& demand) const {
  const ApplicationFacts application{.demand = demand};
  std::vector<NodeFacts> nodes = Nodes();
  std::vector<int> cores = PossibleWorkers(application, nodes, is_spread);
  if (!cores.empty()) return cores;
  for (NodeFacts& node : nodes) {
    node.cores_free = node.cores;
    node.memory_mb_free = node.memory_mb;
  }
  return PossibleWorkers(application, nodes, is_spread);
}

proto::ApplicationStatus ClusterBooks::StatusOf(const Application& application) const {
  proto::ApplicationStatus status;
  status.set_app_id(application.record.app_id());
  status.set_name(application.record.name());
  status.set_submission_id(application.record.submission_id());
  status.set_driver_address(application.driver_address);
  status.set_started_ms(application.record.started_ms());
  status.set_waiting(application.waiting);
  status.set_is_connected(application.session != kNoSession);
  int cores = 0;
  for (const auto& [worker_id, worker] : application.workers) {
    cores += worker.cores;
    proto::PlacedWorker& placed = *status.add_workers();
    placed.set_worker_id(worker_id);
    placed.set_executor_id(worker.executor_id);
    const auto executor = executors.find(worker.executor_id);
    if (executor != executors.end()) placed.set_host(executor->second.info.host());
    placed.set_cores(worker.cores);
    placed.set_memory_mb(worker.memory_mb);
  }
  status.set_cores(cores);
  return status;
}

std::vector<proto::ExecutorStatus> ClusterBooks::ExecutorStatuses(int64_t now_micros) const {
  std::vector<proto::ExecutorStatus> statuses;
  statuses.reserve(executors.size());
  for (const auto& [id, executor] : executors) {
    proto::ExecutorStatus& status = statuses.emplace_back();
    status.set_executor_id(id);
    status.set_host(executor.info.host());
    status.set_http_address(executor.info.http_address());
    status.set_grpc_address(executor.info.grpc_address());
    status.set_cores(executor.info.cores());
    status.set_cores_used(executor.cores_used);
    status.set_memory_mb(executor.info.memory_mb());
    status.set_memory_mb_used(executor.memory_mb_used);
    status.set_heartbeat_age_ms((now_micros - executor.heard_micros) / 1000);
  }
  return statuses;
}

}  // namespace millrace
