// How many tasks one driver core launches and takes back.
#include <deque>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/plan/operator_spec.h"
#include "driver/driver_core.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/program/stopwatch.h"
#include "tests/bench/report/contest.h"
#include "tests/support/fake_env.h"
#include "tests/support/memory_file_system.h"

namespace millrace::bench {
namespace {

constexpr int kWorkers = 1000;
constexpr int kSlots = 16;  // Of each.
constexpr int kTasks = kWorkers * kSlots;

// Workers whose tasks have succeeded by the time that somebody asks.
class ReadyWorkers final : public DriverTransport {
 public:
  void SendToWorker(int64_t worker_id, proto::ToWorker message) override {
    for (const proto::TaskRequest& task : message.launch_tasks().tasks()) {
      launched_.emplace_back(worker_id, task.task_id());
    }
  }
  void DisconnectWorker(int64_t /*worker_id*/, const absl::Status& /*reason*/) override {}

  // Answers what was launched; false: nothing was.
  bool AnswerNext(internal::DriverCore& core) {
    if (launched_.empty()) return false;
    const auto [worker_id, task_id] = launched_.front();
    launched_.pop_front();
    proto::ToDriver answer;
    answer.set_worker_id(worker_id);
    answer.mutable_task_status()->set_task_id(task_id);
    answer.mutable_task_status()->set_outcome(proto::TaskStatus::SUCCEEDED);
    answer.mutable_task_status()->set_result("x");
    core.HandleMessage(std::move(answer));
    return true;
  }

 private:
  std::deque<std::pair<int64_t, int64_t>> launched_;
};

internal::RddRef Numbers(int64_t id) {
  auto rdd = std::make_shared<internal::RddNode>();
  rdd->rdd_id = id;
  rdd->op = std::make_shared<const internal::OperatorSpec>(
      internal::OperatorSpec{"values", "", internal::BindingKind::kSplit, "values"});
  rdd->num_partitions = kTasks;
  rdd->sources.resize(kTasks);
  for (auto& source : rdd->sources) source.split = "0123456789";
  return rdd;
}

}  // namespace

// Jobs of as many tasks as there are slots, one after the other. The workers' side of each message
// is made and read here too.
absl::StatusOr<std::vector<Figure>> DriverLaunches(const BenchOptions& options) {
  MemoryFileSystem fs;
  FakeEnv env(fs);
  ReadyWorkers workers;
  internal::DriverCore core(env, workers, {});
  for (int64_t id = 1; id <= kWorkers; ++id) {
    proto::ToDriver hello;
    hello.set_worker_id(id);
    hello.mutable_hello()->set_host(absl::StrFormat("host%d", id));
    hello.mutable_hello()->set_task_slots(kSlots);
    core.HandleMessage(std::move(hello));
  }
  const auto root = std::make_shared<const internal::OperatorSpec>(
      internal::OperatorSpec{"count", "", internal::BindingKind::kNone, "count"});
  const internal::RddRef numbers = Numbers(1);
  std::vector<double> rates;
  for (int run = 0; run < 10 * options.runs; ++run) {
    internal::JobSpec job;
    job.rdd = numbers;
    job.root = root;
    for (int i = 0; i < kTasks; ++i) job.partitions.push_back(i);
    absl::Status done = absl::InternalError("the job did not end");
    const Stopwatch watch;
    core.SubmitJob(std::move(job), [&](const absl::StatusOr<internal::JobResult>& result) {
      done = result.status();
    });
    while (workers.AnswerNext(core)) {
    }
    rates.push_back(kTasks / watch.Seconds());
    if (!done.ok()) return done;
  }
  return std::vector<Figure>{
      {Median(rates),
       absl::StrFormat("%d workers of %d slots, %d tasks a job; slowest of %d %.0f", kWorkers,
                       kSlots, kTasks, std::ssize(rates), Quantile(rates, 1e-9))}};
}

}  // namespace millrace::bench
