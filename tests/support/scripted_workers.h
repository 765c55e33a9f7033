// Workers that do what a test says, for tests of the driver.
#ifndef MILLRACE_TESTS_SUPPORT_SCRIPTED_WORKERS_H_
#define MILLRACE_TESTS_SUPPORT_SCRIPTED_WORKERS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/env/env.h"
#include "proto/worker.pb.h"

namespace millrace {

struct SentMessage {
  int64_t worker_id = 0;
  proto::ToWorker message;
};

struct LaunchedTask {
  int64_t worker_id = 0;
  proto::TaskRequest request;
  const proto::StagePlan* plan = nullptr;  // Null: not registered there.

  int64_t id() const { return request.task_id(); }
  // Of the operator that its stage ends in.
  std::string root() const {
    return plan == nullptr ? "" : plan->nodes(plan->nodes_size() - 1).operator_name();
  }
  // The kinds of its bindings, in order: "output blocks".
  std::string BindingKinds() const {
    std::string kinds;
    for (const proto::Binding& binding : request.bindings()) {
      static const char* const kNames[] = {"?",      "blocks", "shuffle", "cached", "split",
                                           "select", "concat", "state",   "output"};
      kinds += (kinds.empty() ? "" : " ") + std::string(kNames[binding.kind_case()]);
    }
    return kinds;
  }
};

// Takes everything the driver sends and keeps it. Launched tasks wait for the test to answer them.
class ScriptedWorkers : public DriverTransport {
 public:
  void SendToWorker(int64_t worker_id, proto::ToWorker message) override {
    if (message.has_register_plan()) {
      plans_[{worker_id, message.register_plan().plan_digest()}].ParseFromString(
          message.register_plan().plan());
    }
    for (const proto::TaskRequest& request : message.launch_tasks().tasks()) {
      const auto plan = plans_.find({worker_id, request.plan_digest()});
      launched_.push_back({worker_id, request, plan == plans_.end() ? nullptr : &plan->second});
    }
    sent_.push_back({worker_id, std::move(message)});
  }

  void DisconnectWorker(int64_t worker_id, const absl::Status& reason) override {
    disconnected_[worker_id] = reason;
  }
  // Whom the driver has given up, and why.
  const std::map<int64_t, absl::Status>& disconnected() const { return disconnected_; }

  // Launched and not yet taken, in the order of their launch.
  std::deque<LaunchedTask>& launched() { return launched_; }
  // The next one; a task without plan when there is none.
  LaunchedTask Take() {
    if (launched_.empty()) return {};
    LaunchedTask task = std::move(launched_.front());
    launched_.pop_front();
    return task;
  }
  // The next one whose stage ends in that operator.
  LaunchedTask Take(const std::string& root) {
    for (auto task = launched_.begin(); task != launched_.end(); ++task) {
      if (task->root() != root) continue;
      LaunchedTask taken = std::move(*task);
      launched_.erase(task);
      return taken;
    }
    return {};
  }

  const std::vector<SentMessage>& sent() const { return sent_; }
  int CountSent(proto::ToWorker::KindCase kind) const {
    int count = 0;
    for (const SentMessage& sent : sent_) count += sent.message.kind_case() == kind ? 1 : 0;
    return count;
  }
  void ClearSent() { sent_.clear(); }

 private:
  std::map<std::pair<int64_t, uint64_t>, proto::StagePlan> plans_;
  std::deque<LaunchedTask> launched_;
  std::vector<SentMessage> sent_;
  std::map<int64_t, absl::Status> disconnected_;
};

// The driver's view of an answer.
inline proto::ToDriver AnswerOf(const LaunchedTask& task, proto::TaskStatus::Outcome outcome) {
  proto::ToDriver message;
  message.set_worker_id(task.worker_id);
  message.mutable_task_status()->set_task_id(task.id());
  message.mutable_task_status()->set_outcome(outcome);
  return message;
}

// A success, with what the task put into the block store.
inline proto::ToDriver Success(const LaunchedTask& task, const std::string& result = "") {
  proto::ToDriver message = AnswerOf(task, proto::TaskStatus::SUCCEEDED);
  proto::TaskStatus& status = *message.mutable_task_status();
  status.set_result(result);
  for (const proto::Binding& binding : task.request.bindings()) {
    if (binding.has_cached() && binding.cached().storage_level() != 0) {
      *status.add_cached() = binding.cached();
    } else if (binding.has_state()) {
      proto::CachedBinding& cached = *status.add_cached();
      cached.set_rdd_id(binding.state().rdd_id());
      cached.set_partition(binding.state().partition());
    }
  }
  return message;
}

inline proto::ToDriver Failure(const LaunchedTask& task, const std::string& reason) {
  proto::ToDriver message = AnswerOf(task, proto::TaskStatus::FAILED);
  message.mutable_task_status()->set_error_code(2);
  message.mutable_task_status()->set_error_message(reason);
  return message;
}

}  // namespace millrace

#endif  // MILLRACE_TESTS_SUPPORT_SCRIPTED_WORKERS_H_
