#include "driver/daemon/worker_allocator.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace millrace {
namespace {

bool CameBefore(const ClusterBooks::Application* a, const ClusterBooks::Application* b) {
  return a->order < b->order;
}

}  // namespace

void WorkerAllocator::AllocateSoon() {
  if (std::exchange(is_allocation_posted_, true)) return;
  env_.Post([this] {
    is_allocation_posted_ = false;
    Allocate();
    if (std::exchange(has_new_room_, false)) OfferRoom();
  });
}

void WorkerAllocator::ShareOutSoon() {
  has_new_room_ = true;
  AllocateSoon();
}

void WorkerAllocator::AllocateAfter(int64_t delay_micros) {
  env_.After(delay_micros, [this] { AllocateSoon(); });
}

// To the first that came first. One that still waits for workers gets those before it is offered
// more.
void WorkerAllocator::OfferRoom() {
  std::vector<const Application*> takers;
  for (const auto& [id, application] : books_.applications) {
    if (application.info.takes_all() && application.session != kNoSession &&
        application.requests.empty() && !application.is_ending && !application.is_recovered) {
      takers.push_back(&application);
    }
  }
  std::sort(takers.begin(), takers.end(), CameBefore);
  std::vector<NodeFacts> nodes = books_.Nodes();
  for (const Application* application : takers) {
    const std::vector<int> cores =
        PossibleWorkers(books_.FactsOf(*application), nodes, books_.is_spread);
    if (cores.empty()) continue;
    proto::ToApplication message;
    message.mutable_room()->mutable_possible_cores()->Add(cores.begin(), cores.end());
    peers_.SendToApplication(application->session, std::move(message));
  }
}

bool WorkerAllocator::MayLaunch(const Application& application) const {
  const int64_t now = env_.MonotonicMicros();
  return application.session != kNoSession && !application.requests.empty() &&
         now >= application.launch_after_micros && !application.is_recovered;
}

void WorkerAllocator::Allocate() {
  std::vector<Application*> waiting;
  for (auto& [id, application] : books_.applications) {
    if (MayLaunch(application)) waiting.push_back(&application);
    if (application.requests.empty()) application.waiting.clear();
  }
  std::sort(waiting.begin(), waiting.end(), CameBefore);
  std::vector<ApplicationFacts> facts;
  facts.reserve(waiting.size());
  for (const Application* application : waiting) facts.push_back(books_.FactsOf(*application));
  const std::vector<NodeFacts> nodes = books_.Nodes();
  const Allocation allocation = millrace::Allocate(facts, nodes, books_.is_spread);
  for (const Placement& placement : allocation.placements) {
    Launch(*waiting[placement.application], nodes[placement.node].executor_id, placement.cores);
  }
  for (size_t i = 0; i < waiting.size(); ++i) TellWaiting(*waiting[i], allocation.waiting[i]);
}

void WorkerAllocator::TellWaiting(Application& application, const std::string& reason) {
  if (application.waiting == reason) return;
  application.waiting = reason;
  proto::ToApplication message;
  message.mutable_waiting()->set_reason(reason);
  peers_.SendToApplication(application.session, std::move(message));
}

void WorkerAllocator::Launch(Application& application, const std::string& executor_id, int cores) {
  const proto::RequestWorker request = application.requests.front();
  application.requests.pop_front();
  const int64_t memory_mb = application.info.demand().memory_mb_per_worker();
  books_.PlaceWorker(application, request.worker_id(),
                     {.executor_id = executor_id,
                      .cores = cores,
                      .memory_mb = memory_mb,
                      .launched_micros = env_.MonotonicMicros()});
  // The application first: a worker may be quick.
  TellLaunched(application, request.worker_id());
  proto::ToExecutor message;
  proto::LaunchWorker& launch = *message.mutable_launch_worker();
  launch.mutable_worker()->set_app_id(application.record.app_id());
  launch.mutable_worker()->set_worker_id(request.worker_id());
  launch.mutable_worker()->set_cores(cores);
  launch.mutable_worker()->set_memory_mb(memory_mb);
  *launch.mutable_program() = application.info.program();
  launch.set_driver_address(request.driver_address());
  application.driver_address = request.driver_address();
  *launch.mutable_logs() = application.info.logs();
  peers_.SendToExecutor(books_.executors.at(executor_id).session, std::move(message));
}

void WorkerAllocator::TellLaunched(const Application& application, int64_t worker_id) {
  const ClusterBooks::Worker& worker = application.workers.at(worker_id);
  proto::ToApplication message;
  proto::WorkerLaunched& launched = *message.mutable_worker_launched();
  launched.set_worker_id(worker_id);
  const auto executor = books_.executors.find(worker.executor_id);
  if (executor != books_.executors.end()) launched.set_host(executor->second.info.host());
  launched.set_cores(worker.cores);
  launched.set_memory_mb(worker.memory_mb);
  peers_.SendToApplication(application.session, std::move(message));
}

}  // namespace millrace
