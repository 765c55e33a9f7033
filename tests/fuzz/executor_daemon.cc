// The executor daemon: what the driver daemon says to it, and how its workers end meanwhile.
#include "executor/daemon/executor_daemon.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "glog/logging.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/message_script.h"
#include "tests/support/fake_env.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

enum Kind : uint8_t { kDriver, kMoment, kKinds };

constexpr int64_t kHeartbeatMicrosMin = 10'000;

class Link : public DriverLink {
 public:
  void Open(Callbacks callbacks) override {
    CHECK(!is_open) << "opened twice";
    is_open = true;
    callbacks_ = std::move(callbacks);
  }
  void Send(proto::FromExecutor message) override { heartbeats += message.has_heartbeat() ? 1 : 0; }
  void Deliver(const proto::ToExecutor& message) const {
    if (is_open) callbacks_.on_message(message);
  }
  void Close(const absl::Status& status) {
    if (!std::exchange(is_open, false)) return;
    Callbacks callbacks = std::exchange(callbacks_, {});
    callbacks.on_closed(status);
  }

  bool is_open = false;
  int64_t heartbeats = 0;

 private:
  Callbacks callbacks_;
};

// Each worker that was started says once how it ended, when the script wants that.
class Workers : public WorkerHost {
 public:
  using Key = std::pair<std::string, int64_t>;

  void Start(const proto::LaunchWorker& launch,
             std::function<void(proto::ProcessExit)> on_ended) override {
    const Key key(launch.worker().app_id(), launch.worker().worker_id());
    CHECK(running.emplace(key, std::move(on_ended)).second) << "a worker was started twice";
  }
  void SetDriver(const std::string& app_id, int64_t worker_id,
                 const std::string& /*driver_address*/) override {
    CHECK(running.contains({app_id, worker_id})) << "a worker that does not run is told something";
  }
  void RequestEnd(const std::string& app_id, int64_t worker_id) override {
    CHECK(running.contains({app_id, worker_id})) << "a worker that does not run is to end";
  }
  void Forget(const std::string& app_id) override {
    CHECK(std::none_of(running.begin(), running.end(), [&](const auto& worker) {
      return worker.first.first == app_id;
    })) << "the files of workers go that run";
  }
  void EndOne(size_t which) {
    if (running.empty()) return;
    auto worker = running.begin();
    std::advance(worker, which % running.size());
    auto ended = running.extract(worker);
    proto::ProcessExit exit;
    exit.set_code(static_cast<int32_t>(which));
    ended.mapped()(exit);
  }

  std::map<Key, std::function<void(proto::ProcessExit)>> running;
};

class Harness {
 public:
  Harness() {
    ExecutorDaemon::Options options;
    options.registration.set_executor_id("e");
    options.on_refused = [](const absl::Status& /*status*/) {};
    daemon_ = std::make_unique<ExecutorDaemon>(env_, link_, workers_, std::move(options));
    daemon_->Start();
    env_.RunUntilIdle();
  }

  bool Take(const ScriptStep& step) {
    if (step.kind % kKinds == kMoment) {
      Pass(step.bytes);
    } else {
      proto::ToExecutor message;
      if (!ParseStep(step, message)) return false;
      link_.Deliver(message);
      env_.RunUntilIdle();
    }
    CHECK_EQ(daemon_->workers().size(), workers_.running.size());
    return true;
  }

 private:
  void Pass(const std::string& bytes) {
    const auto what = static_cast<uint8_t>(bytes.empty() ? 0 : bytes[0]);
    switch (what % 4) {
      case 0:
        return Advance(1'000'000);
      case 1:
        return link_.Close(what / 4 % 2 == 0 ? absl::UnavailableError("gone")
                                             : absl::UnauthenticatedError("refused"));
      case 2:
        return workers_.EndOne(what / 4);
      default:
        return Advance(100'000);
    }
  }
  // However often it was told that it is registered, there is one beat at a time.
  void Advance(int64_t micros) {
    const int64_t before = link_.heartbeats;
    env_.Advance(micros);
    CHECK_LE(link_.heartbeats - before, micros / kHeartbeatMicrosMin + 1);
    CHECK(link_.is_open || daemon_->is_registered() == false);
  }

  MemoryFileSystem fs_;
  FakeEnv env_{fs_};
  Link link_;
  Workers workers_;
  std::unique_ptr<ExecutorDaemon> daemon_;
};

bool Run(std::string_view bytes) {
  Harness harness;
  bool is_right = true;
  for (const ScriptStep& step : ReadScript(bytes)) is_right = harness.Take(step) && is_right;
  return is_right;
}

// -----------------------------------------------------------------------------------------------
// Seeds.

ScriptStep Moment(uint8_t what) { return {kMoment, std::string(1, static_cast<char>(what))}; }

ScriptStep Registered(int64_t heartbeat_ms) {
  proto::ToExecutor message;
  message.mutable_registered()->set_heartbeat_interval_ms(heartbeat_ms);
  return StepOf(kDriver, message);
}
ScriptStep Launch(const std::string& app_id, int64_t worker_id) {
  proto::ToExecutor message;
  proto::LaunchWorker& launch = *message.mutable_launch_worker();
  launch.mutable_worker()->set_app_id(app_id);
  launch.mutable_worker()->set_worker_id(worker_id);
  launch.mutable_worker()->set_cores(2);
  launch.mutable_program()->set_name("count");
  launch.set_driver_address("host:7");
  return StepOf(kDriver, message);
}
ScriptStep End(const std::string& app_id, int64_t worker_id) {
  proto::ToExecutor message;
  message.mutable_end_worker()->set_app_id(app_id);
  message.mutable_end_worker()->set_worker_id(worker_id);
  return StepOf(kDriver, message);
}
ScriptStep Move(const std::string& app_id) {
  proto::ToExecutor message;
  message.mutable_move_workers()->set_app_id(app_id);
  message.mutable_move_workers()->set_driver_address("host:8");
  return StepOf(kDriver, message);
}
ScriptStep Forget(const std::string& app_id) {
  proto::ToExecutor message;
  message.mutable_forget_application()->set_app_id(app_id);
  return StepOf(kDriver, message);
}

FuzzSeeds Seeds() {
  return {
      {"workers",
       WriteScript({Registered(1000), Launch("a", 1), Launch("a", 2), Launch("b", 1), Moment(0),
                    End("a", 1), Moment(2), Forget("a"), Moment(2), Moment(2), Forget("b")})},
      {"reconnect", WriteScript({Registered(10), Launch("a", 1), Moment(1), Moment(3), Moment(0),
                                 Registered(10), Move("a"), Moment(2), Moment(1 + 4), Moment(0)})}};
}

std::vector<const google::protobuf::Message*> Prototypes() {
  return {&proto::ToExecutor::default_instance(), nullptr};
}

const FuzzTarget target("executor_daemon", Run, Seeds, Prototypes);

}  // namespace
}  // namespace millrace::internal
