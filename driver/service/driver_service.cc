#include "driver/service/driver_service.h"

#include <utility>

#include "common/base/epoch_ids.h"
#include "common/concurrent/one_shot.h"

namespace millrace::internal {
namespace {

using JobOutcome = absl::StatusOr<JobResult>;

// For the event loop to come to a question.
constexpr std::chrono::seconds kLoopTimeout{30};

absl::Status Stopped() { return absl::CancelledError("the driver has stopped"); }

}  // namespace

// Gives an outcome to whoever waits for it, Cancelled if it is dropped without one.
class DriverService::Delivery {
 public:
  explicit Delivery(std::function<void(JobOutcome)> done) : done_(std::move(done)) {}
  ~Delivery() {
    if (done_ != nullptr) done_(Stopped());
  }
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  void Deliver(JobOutcome outcome) { std::exchange(done_, nullptr)(std::move(outcome)); }

 private:
  std::function<void(JobOutcome)> done_;
};

DriverService::DriverService(Env& env, DriverTransport& transport, DriverOptions options)
    : env_(env),
      repairs_states_(options.repairs_states),
      may_be_replaced_(options.may_be_replaced),
      application_id_(options.application_id),
      next_id_(FirstIdOfEpoch(options.epoch) + 1),
      core_(env, transport,
            [&] {
              options.on_slots_changed = [this](int slots) {
                total_slots_.store(slots, std::memory_order_release);
              };
              return std::move(options);
            }()),
      port_(std::make_shared<LoopPort>([&env](Closure closure) { env.Post(std::move(closure)); })) {
}

void DriverService::Stop() {
  port_->Close([this] { core_.Stop(); });
}

void DriverService::EnvStopped() {
  std::shared_ptr<StreamingService> cut_off;
  {
    const absl::MutexLock lock(&mutex_);
    has_env_stopped_ = true;
    cut_off = streaming_.lock();
  }
  if (cut_off != nullptr) cut_off->EnvStopped();
}

std::shared_ptr<StreamingHandle> DriverService::NewStreaming() {
  const absl::MutexLock lock(&mutex_);
  if (has_env_stopped_) return nullptr;
  auto streaming = std::make_shared<StreamingService>(env_, core_);
  streaming_ = streaming;
  return streaming;
}

absl::StatusOr<JobResult> DriverService::RunJob(JobSpec job) {
  const auto outcome = std::make_shared<OneShot<JobOutcome>>();
  auto delivery =
      std::make_shared<Delivery>([outcome](JobOutcome result) { outcome->Set(std::move(result)); });
  // Not through the port: its lock must not be held while this thread runs the loop. Who waits here
  // keeps the core alive, and a core that has stopped says so.
  // A job thread may run its job's tasks itself; where others wait too, a task could be theirs, and
  // long.
  ++waiting_;
  env_.PostAndHelp(
      [this, job = std::move(job), delivery = std::move(delivery)]() mutable {
        Submit(std::move(job), std::move(delivery));
      },
      [&] { return waiting_.load() > 1 || outcome->ready(); });
  JobOutcome result = std::move(outcome->Wait());
  --waiting_;
  return result;
}

void DriverService::SubmitJob(JobSpec job, std::function<void(JobOutcome)> done) {
  auto delivery = std::make_shared<Delivery>(std::move(done));
  port_->Post([this, job = std::move(job), delivery = std::move(delivery)]() mutable {
    Submit(std::move(job), std::move(delivery));
  });
}

void DriverService::Submit(JobSpec job, std::shared_ptr<Delivery> delivery) {
  core_.SubmitJob(std::move(job), [delivery = std::move(delivery)](JobOutcome outcome) {
    delivery->Deliver(std::move(outcome));
  });
}

Lease DriverService::MakeLease(int64_t id, void (DriverCore::*drop)(int64_t)) {
  // The port is shut before the core goes, so a lease may outlive both.
  return Lease(port_.get(), [port = port_, core = &core_, id, drop](void* /*port*/) {
    port->Post([core, id, drop] { (core->*drop)(id); });
  });
}

Lease DriverService::ShuffleLease(int64_t shuffle_id) {
  return MakeLease(shuffle_id, &DriverCore::DropShuffle);
}

Lease DriverService::CacheLease(int64_t rdd_id) { return MakeLease(rdd_id, &DriverCore::DropRdd); }

Lease DriverService::StateLease(int64_t state_id) {
  return MakeLease(state_id, &DriverCore::DropState);
}

void DriverService::StateSaved(int64_t state_id, RddRef load) {
  port_->Post([this, state_id, load = std::move(load)]() mutable {
    core_.StateSaved(state_id, std::move(load));
  });
}

EarlierBlocks DriverService::BlocksReceivedBefore() {
  const auto found = std::make_shared<OneShot<EarlierBlocks>>();
  if (!port_->Post([this, found] { found->Set(core_.earlier_blocks()); })) return {};
  EarlierBlocks* const blocks = found->WaitFor(kLoopTimeout);
  return blocks == nullptr ? EarlierBlocks() : std::move(*blocks);
}

Lease DriverService::PutBroadcast(int64_t broadcast_id, std::string encoded) {
  port_->Post([this, broadcast_id, encoded = std::move(encoded)]() mutable {
    core_.PutBroadcast(broadcast_id, std::move(encoded));
  });
  return MakeLease(broadcast_id, &DriverCore::DropBroadcast);
}

void DriverService::RegisterAccumulator(int64_t accumulator_id, AccumulatorMerge merge) {
  port_->Post([this, accumulator_id, merge = std::move(merge)]() mutable {
    core_.accumulators().Register(accumulator_id, std::move(merge));
  });
}

void DriverService::UnregisterAccumulator(int64_t accumulator_id) {
  port_->Post([this, accumulator_id] { core_.accumulators().Unregister(accumulator_id); });
}

std::optional<std::vector<StageReport>> DriverService::StagesOf(int64_t batch_time_ms,
                                                                std::chrono::milliseconds timeout) {
  const auto reports = std::make_shared<OneShot<std::vector<StageReport>>>();
  const bool is_posted =
      port_->Post([this, batch_time_ms, reports] { reports->Set(core_.StagesOf(batch_time_ms)); });
  if (!is_posted) return std::nullopt;
  std::vector<StageReport>* const found = reports->WaitFor(timeout);
  if (found == nullptr) return std::nullopt;
  return std::move(*found);
}

}  // namespace millrace::internal
