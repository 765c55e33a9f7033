#include "executor/daemon/executor_daemon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/fs/local_file_system.h"
#include "tests/support/fake_env.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kSecond = 1'000'000;

class FakeLink : public DriverLink {
 public:
  void Open(Callbacks callbacks) override {
    ++opened;
    callbacks_ = std::move(callbacks);
  }
  void Send(proto::FromExecutor message) override {
    if (message.has_register_()) {
      std::string text = "register";
      for (const proto::WorkerRef& worker : message.register_().workers()) {
        text += " " + worker.app_id() + "/" + std::to_string(worker.worker_id());
      }
      said.push_back(text);
    } else if (message.has_heartbeat()) {
      said.push_back("heartbeat");
    } else if (message.has_worker_ended()) {
      said.push_back("ended " + std::to_string(message.worker_ended().worker_id()) + ": " +
                     message.worker_ended().exit().reason());
    }
  }
  void Registered() {
    proto::ToExecutor message;
    message.mutable_registered()->set_heartbeat_interval_ms(1000);
    callbacks_.on_message(message);
  }
  void Launch(const std::string& app_id, int64_t worker_id) {
    proto::ToExecutor message;
    message.mutable_launch_worker()->mutable_worker()->set_app_id(app_id);
    message.mutable_launch_worker()->mutable_worker()->set_worker_id(worker_id);
    callbacks_.on_message(message);
  }
  void End(const std::string& app_id, int64_t worker_id) {
    proto::ToExecutor message;
    message.mutable_end_worker()->set_app_id(app_id);
    message.mutable_end_worker()->set_worker_id(worker_id);
    callbacks_.on_message(message);
  }
  void Move(const std::string& app_id, const std::string& driver_address) {
    proto::ToExecutor message;
    message.mutable_move_workers()->set_app_id(app_id);
    message.mutable_move_workers()->set_driver_address(driver_address);
    callbacks_.on_message(message);
  }
  void Forget(const std::string& app_id) {
    proto::ToExecutor message;
    message.mutable_forget_application()->set_app_id(app_id);
    callbacks_.on_message(message);
  }
  void Close(const absl::Status& status) { callbacks_.on_closed(status); }
  std::vector<std::string> Take() { return std::exchange(said, {}); }

  int opened = 0;
  std::vector<std::string> said;

 private:
  Callbacks callbacks_;
};

class FakeWorkers : public WorkerHost {
 public:
  void Start(const proto::LaunchWorker& launch,
             std::function<void(proto::ProcessExit)> on_ended) override {
    const std::string name =
        launch.worker().app_id() + "/" + std::to_string(launch.worker().worker_id());
    said.push_back("start " + name);
    on_ended_[name] = std::move(on_ended);
  }
  void SetDriver(const std::string& app_id, int64_t worker_id,
                 const std::string& driver_address) override {
    said.push_back("driver of " + app_id + "/" + std::to_string(worker_id) + " at " +
                   driver_address);
  }
  void RequestEnd(const std::string& app_id, int64_t worker_id) override {
    said.push_back("end " + app_id + "/" + std::to_string(worker_id));
  }
  void Forget(const std::string& app_id) override { said.push_back("forget " + app_id); }
  void Ended(const std::string& name) {
    proto::ProcessExit exit;
    exit.set_reason("crash");
    on_ended_[name](exit);
  }
  std::vector<std::string> Take() { return std::exchange(said, {}); }

  std::vector<std::string> said;

 private:
  std::map<std::string, std::function<void(proto::ProcessExit)>> on_ended_;
};

class ExecutorDaemonTest : public ::testing::Test {
 protected:
  void SetUp() override { daemon_.Start(); }

  static ExecutorDaemon::Options Options(absl::Status& refused) {
    ExecutorDaemon::Options options;
    options.on_refused = [&refused](const absl::Status& status) { refused = status; };
    return options;
  }

  LocalFileSystem fs_;
  FakeEnv env_{fs_};
  FakeLink link_;
  FakeWorkers workers_;
  absl::Status refused_;
  ExecutorDaemon daemon_{env_, link_, workers_, Options(refused_)};
};

TEST_F(ExecutorDaemonTest, RegistersAndSaysThatItLives) {
  EXPECT_FALSE(daemon_.is_registered());
  link_.Registered();
  EXPECT_TRUE(daemon_.is_registered());
  env_.Advance(2 * kSecond);
  EXPECT_THAT(link_.Take(), ElementsAre("register", "heartbeat", "heartbeat"));
}

TEST_F(ExecutorDaemonTest, RegisteredTwiceItBeatsOnceAndNoLongerThanItIsConnected) {
  link_.Registered();
  link_.Registered();
  env_.Advance(2 * kSecond);
  EXPECT_THAT(link_.Take(), ElementsAre("register", "heartbeat", "heartbeat"));
  link_.Close(absl::UnavailableError("gone"));
  env_.Advance(5 * kSecond);
  EXPECT_THAT(link_.Take(), ElementsAre("register"));
}

TEST_F(ExecutorDaemonTest, StartsWorkersAndReportsTheirEnd) {
  link_.Registered();
  link_.Launch("app", 1);
  link_.Launch("app", 1);  // Said twice.
  EXPECT_THAT(workers_.Take(), ElementsAre("start app/1"));
  EXPECT_EQ(daemon_.workers().size(), 1u);
  workers_.Ended("app/1");
  EXPECT_THAT(link_.Take(), ElementsAre("register", "ended 1: crash"));
  EXPECT_THAT(daemon_.workers(), IsEmpty());
}

TEST_F(ExecutorDaemonTest, TellsWorkersWhereTheirNextDriverIs) {
  link_.Registered();
  link_.Launch("app", 1);
  link_.Launch("other", 1);
  link_.Launch("app", 2);
  workers_.Take();
  link_.Move("app", "there:2");
  EXPECT_THAT(workers_.Take(),
              ElementsAre("driver of app/1 at there:2", "driver of app/2 at there:2"));
}

TEST_F(ExecutorDaemonTest, EndsAWorkerOnceForSigkillWouldFollow) {
  link_.Registered();
  link_.Launch("app", 1);
  link_.End("app", 1);
  link_.End("app", 1);
  link_.End("app", 7);
  EXPECT_THAT(workers_.Take(), ElementsAre("start app/1", "end app/1"));
}

TEST_F(ExecutorDaemonTest, ConnectsAgainAndNamesTheWorkersThatAreToStay) {
  link_.Registered();
  link_.Launch("app", 1);
  link_.Launch("app", 2);
  link_.End("app", 2);
  link_.Take();
  link_.Close(absl::UnavailableError("gone"));
  env_.Advance(10 * kSecond);
  EXPECT_EQ(link_.opened, 2);
  EXPECT_THAT(link_.Take(), ElementsAre("register app/1")) << "and no heartbeat before that";
}

TEST_F(ExecutorDaemonTest, TriesAgainMoreAndMoreSlowlyWhileNobodyIsThere) {
  std::vector<int64_t> waits;
  for (int i = 0; i < 6; ++i) {
    link_.Close(absl::UnavailableError("nobody"));
    const int before = link_.opened;
    int64_t waited = 0;
    while (link_.opened == before) {
      env_.Advance(kSecond / 10);
      waited += 100;
    }
    waits.push_back(waited);
  }
  EXPECT_THAT(waits, ElementsAre(100, 200, 400, 800, 1000, 1000));
}

TEST_F(ExecutorDaemonTest, ARefusalOfTheFirstTryIsFinalAndALaterOneIsNot) {
  link_.Close(absl::UnauthenticatedError("wrong secret"));
  EXPECT_EQ(refused_.code(), absl::StatusCode::kUnauthenticated);
}

TEST_F(ExecutorDaemonTest, ARefusalLaterIsTriedAgain) {
  link_.Registered();
  link_.Close(absl::UnauthenticatedError("wrong secret"));
  EXPECT_EQ(refused_, absl::OkStatus());
  env_.Advance(kSecond);
  EXPECT_EQ(link_.opened, 2);
}

TEST_F(ExecutorDaemonTest, ForgetsAnApplicationWhenItsWorkersHaveEnded) {
  link_.Registered();
  link_.Launch("app", 1);
  link_.Launch("other", 1);
  workers_.Take();
  link_.Forget("app");
  EXPECT_THAT(workers_.Take(), ElementsAre("end app/1"));
  workers_.Ended("app/1");
  EXPECT_THAT(workers_.Take(), ElementsAre("forget app"));
  link_.Forget("nobody");
  EXPECT_THAT(workers_.Take(), ElementsAre("forget nobody"));
}

}  // namespace
}  // namespace millrace
