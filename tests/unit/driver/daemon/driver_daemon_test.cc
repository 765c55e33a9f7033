#include "driver/daemon/driver_daemon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_join.h"
#include "common/fs/local_file_system.h"
#include "tests/support/fake_env.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr int64_t kSecond = 1'000'000;

class NoRuns : public RunHost {
 public:
  absl::Status Start(const RunId&, const proto::RunRequest&,
                     const std::vector<std::pair<std::string, std::string>>&) override {
    return absl::OkStatus();
  }
  std::optional<proto::ProcessExit> Poll(const RunId&) override { return std::nullopt; }
  bool RequestEnd(const RunId&) override { return true; }
  void Forget(const std::string&) override {}
};

// What the daemon has said, in short: "1 launch app/7 2 cores".
class RecordingPeers : public DaemonPeers {
 public:
  void SendToExecutor(SessionId session, proto::ToExecutor message) override {
    const std::string to = std::to_string(session) + " ";
    if (message.has_launch_worker()) {
      const proto::WorkerRef& worker = message.launch_worker().worker();
      said.push_back(to + "launch " + std::to_string(worker.worker_id()) + " with " +
                     std::to_string(worker.cores()));
      last_launch = message.launch_worker();
    } else if (message.has_registered()) {
      heartbeat_interval_ms[session] = message.registered().heartbeat_interval_ms();
    } else if (message.has_end_worker()) {
      said.push_back(to + "end " + std::to_string(message.end_worker().worker_id()));
    } else if (message.has_forget_application()) {
      said.push_back(to + "forget");
    } else if (message.has_move_workers()) {
      said.push_back(to + "move to " + message.move_workers().driver_address());
    }
  }
  void SendToApplication(SessionId session, proto::ToApplication message) override {
    const std::string to = std::to_string(session) + " ";
    if (message.has_registered()) {
      app_ids[session] = message.registered().app_id();
      epochs[session] = message.registered().epoch();
      left_workers.clear();
      for (const auto& worker : message.registered().workers()) {
        left_workers.push_back(static_cast<int>(worker.worker_id()));
      }
      heartbeat_interval_ms[session] = message.registered().heartbeat_interval_ms();
      possible_cores.assign(message.registered().possible_cores().begin(),
                            message.registered().possible_cores().end());
    } else if (message.has_worker_launched()) {
      said.push_back(to + "launched " + std::to_string(message.worker_launched().worker_id()));
    } else if (message.has_worker_lost()) {
      said.push_back(to + "lost " + std::to_string(message.worker_lost().worker_id()) + ": " +
                     message.worker_lost().exit().reason());
    } else if (message.has_waiting()) {
      said.push_back(to + "waiting: " + message.waiting().reason());
    } else if (message.has_room()) {
      const auto& cores = message.room().possible_cores();
      said.push_back(to + "room for " + absl::StrJoin(cores, ", "));
    }
  }
  void Close(SessionId session, absl::Status status) override { closed[session] = status; }

  std::vector<std::string> Take() { return std::exchange(said, {}); }

  std::vector<std::string> said;
  std::map<SessionId, std::string> app_ids;
  std::map<SessionId, int64_t> epochs;
  std::vector<int> left_workers;
  std::map<SessionId, int64_t> heartbeat_interval_ms;
  std::vector<int> possible_cores;
  std::map<SessionId, absl::Status> closed;
  proto::LaunchWorker last_launch;
};

class DriverDaemonTest : public ::testing::Test {
 protected:
  void SetUp() override {
    artifacts_ = *ArtifactStore::Open(fs_, {.dir = dir_.path() + "/artifacts",
                                            .bytes_max = 1 << 20,
                                            .now_ms = [this] { return artifacts_now_ms_; }});
    const auto upload = artifacts_->BeginUpload(Sha256Hex("program"), 7);
    EXPECT_TRUE((*upload)->Append("program").ok());
    EXPECT_TRUE((*upload)->Commit().ok());
    Open();
  }
  // As a daemon that has just been started.
  void Open() {
    daemon_ = nullptr;
    submissions_ = nullptr;
    env_ = std::make_unique<FakeEnv>(fs_);
    env_->JumpWall(1000 * kSecond);
    submissions_ = std::make_unique<Submissions>(
        *env_, runs_, *artifacts_, Submissions::Options{.dir = dir_.path() + "/submissions"});
    daemon_ = std::make_unique<DriverDaemon>(
        *env_, peers_, *submissions_, *artifacts_,
        DriverDaemon::Options{.applications_dir = dir_.path() + "/applications",
                              .worker_failures_max = 3});
    ASSERT_EQ(submissions_->Recover(), absl::OkStatus());
    ASSERT_EQ(daemon_->Recover(), absl::OkStatus());
    env_->RunUntilIdle();
  }

  void Executor(SessionId session, const std::string& id, int cores,
                const std::vector<std::pair<std::string, int>>& workers = {}) {
    proto::FromExecutor message;
    proto::RegisterExecutor& request = *message.mutable_register_();
    request.set_executor_id(id);
    request.set_host("host-" + id);
    request.set_cores(cores);
    request.set_memory_mb(4096);
    for (const auto& [app_id, worker_id] : workers) {
      proto::WorkerRef& worker = *request.add_workers();
      worker.set_app_id(app_id);
      worker.set_worker_id(worker_id);
      worker.set_cores(2);
      worker.set_memory_mb(512);
    }
    daemon_->OnExecutorMessage(session, message);
    env_->RunUntilIdle();
  }
  void Heartbeat(SessionId session) {
    proto::FromExecutor message;
    message.mutable_heartbeat();
    daemon_->OnExecutorMessage(session, message);
  }
  static proto::FromApplication Registration(int cores_max = 0) {
    proto::FromApplication message;
    proto::RegisterApplication& request = *message.mutable_register_();
    request.set_name("count");
    request.mutable_program()->set_sha256(Sha256Hex("program"));
    request.mutable_program()->set_name("count");
    request.mutable_demand()->set_memory_mb_per_worker(512);
    request.mutable_demand()->set_cores_max(cores_max);
    return message;
  }
  std::string Application(SessionId session, int cores_max = 0, const std::string& app_id = "",
                          const std::vector<int>& launched = {}) {
    proto::FromApplication message = Registration(cores_max);
    message.mutable_register_()->set_app_id(app_id);
    message.mutable_register_()->set_epoch(app_id.empty() ? 0 : 1);
    for (const int worker_id : launched)
      message.mutable_register_()->add_launched_workers(worker_id);
    daemon_->OnApplicationMessage(session, message);
    env_->RunUntilIdle();
    return peers_.app_ids[session];
  }
  std::string Submitted(SessionId session, const std::string& app_id = "", int64_t epoch = 0) {
    proto::FromApplication message = Registration();
    message.mutable_register_()->set_submission_id("driver-1");
    message.mutable_register_()->set_app_id(app_id);
    message.mutable_register_()->set_epoch(epoch);
    daemon_->OnApplicationMessage(session, message);
    env_->RunUntilIdle();
    return peers_.app_ids.contains(session) ? peers_.app_ids[session] : "";
  }
  // A program that begins with GetOrCreate; `resumes`: what its checkpoint says.
  std::string Recoverable(SessionId session, const std::string& resumes = "",
                          const std::string& argument = "") {
    proto::FromApplication message = Registration();
    message.mutable_register_()->set_may_be_replaced(true);
    message.mutable_register_()->set_resumes_app_id(resumes);
    message.mutable_register_()->mutable_program()->add_argv(argument);
    daemon_->OnApplicationMessage(session, message);
    env_->RunUntilIdle();
    return peers_.app_ids.contains(session) ? peers_.app_ids[session] : "";
  }
  void Moved(SessionId session, const std::string& address) {
    proto::FromApplication message;
    message.mutable_moved()->set_driver_address(address);
    daemon_->OnApplicationMessage(session, message);
  }
  void TakeAll(SessionId session, int cores_max = 0) {
    proto::FromApplication message = Registration(cores_max);
    message.mutable_register_()->set_takes_all(true);
    daemon_->OnApplicationMessage(session, message);
    env_->RunUntilIdle();
  }
  void Request(SessionId session, int worker_id, int cores) {
    proto::FromApplication message;
    message.mutable_request_worker()->set_worker_id(worker_id);
    message.mutable_request_worker()->set_cores(cores);
    message.mutable_request_worker()->set_driver_address("there:1");
    daemon_->OnApplicationMessage(session, message);
    env_->RunUntilIdle();
  }
  void Release(SessionId session, int worker_id) {
    proto::FromApplication message;
    message.mutable_release_worker()->set_worker_id(worker_id);
    daemon_->OnApplicationMessage(session, message);
    env_->RunUntilIdle();
  }
  void EndedWorker(SessionId session, const std::string& app_id, int64_t worker_id) {
    proto::FromExecutor message;
    message.mutable_worker_ended()->set_app_id(app_id);
    message.mutable_worker_ended()->set_worker_id(worker_id);
    message.mutable_worker_ended()->mutable_exit()->set_signal(11);
    message.mutable_worker_ended()->mutable_exit()->set_reason("crash");
    daemon_->OnExecutorMessage(session, message);
    env_->RunUntilIdle();
  }
  int CoresUsed(const std::string& executor_id) {
    const proto::ListReply list = daemon_->List();
    for (const auto& executor : list.executors()) {
      if (executor.executor_id() == executor_id) return executor.cores_used();
    }
    return -1;
  }

  LocalFileSystem fs_;
  TempDir dir_;
  NoRuns runs_;
  RecordingPeers peers_;
  std::unique_ptr<FakeEnv> env_;
  int64_t artifacts_now_ms_ = 0;
  std::unique_ptr<ArtifactStore> artifacts_;
  std::unique_ptr<Submissions> submissions_;
  std::unique_ptr<DriverDaemon> daemon_;
};

TEST_F(DriverDaemonTest, GivesWorkersOfNodesThatAreThereAndThatCome) {
  Executor(1, "a", 2);
  const std::string app = Application(2);
  EXPECT_THAT(peers_.possible_cores, ElementsAre(2));
  Request(2, 1, 2);
  EXPECT_THAT(peers_.Take(), ElementsAre("2 launched 1", "1 launch 1 with 2"));
  EXPECT_EQ(peers_.last_launch.driver_address(), "there:1");
  EXPECT_EQ(peers_.last_launch.worker().app_id(), app);
  EXPECT_EQ(peers_.last_launch.worker().memory_mb(), 512);
  Request(2, 2, 3);
  EXPECT_THAT(peers_.Take(), ElementsAre("2 waiting: no executor has 3 cores: the largest has 2"));
  Executor(3, "b", 4);
  EXPECT_THAT(peers_.Take(), ElementsAre("2 launched 2", "3 launch 2 with 3", "2 waiting: "));
  EXPECT_EQ(CoresUsed("b"), 3);
}

TEST_F(DriverDaemonTest, TheNextApplicationGetsWhatTheFirstLeaves) {
  Executor(1, "a", 2);
  const std::string first = Application(2);
  Request(2, 1, 2);
  Application(3);
  EXPECT_THAT(peers_.possible_cores, ElementsAre(2)) << "that it may wait for";
  Request(3, 1, 1);
  EXPECT_THAT(peers_.Take(),
              ElementsAre("2 launched 1", "1 launch 1 with 2",
                          "3 waiting: no executor has 1 cores and 512 MiB free now"));
  proto::FromApplication done;
  done.mutable_unregister();
  daemon_->OnApplicationMessage(2, done);
  env_->RunUntilIdle();
  EXPECT_THAT(peers_.Take(),
              ElementsAre("1 forget", "3 launched 1", "1 launch 1 with 1", "3 waiting: "));
  EXPECT_EQ(peers_.closed[2], absl::OkStatus());
  EXPECT_EQ(daemon_->List().applications(0).app_id(), first);
  EXPECT_NE(daemon_->List().applications(0).ended_ms(), 0);
}

TEST_F(DriverDaemonTest, WhoTakesAllIsToldOfRoomInTheOrderOfComing) {
  Executor(1, "a", 2);
  TakeAll(2, /*cores_max=*/7);
  Request(2, 1, 2);
  TakeAll(3);
  Application(4);
  peers_.Take();
  Executor(5, "b", 8);
  EXPECT_THAT(peers_.Take(), ElementsAre("2 room for 5", "3 room for 3"));
  Request(2, 2, 5);
  Request(3, 1, 3);
  peers_.Take();
  Executor(6, "c", 4);
  EXPECT_THAT(peers_.Take(), ElementsAre("3 room for 4")) << "the first has all that it may have";
  proto::FromApplication done;
  done.mutable_unregister();
  daemon_->OnApplicationMessage(2, done);
  env_->RunUntilIdle();
  EXPECT_THAT(peers_.Take(), ElementsAre("1 forget", "5 forget", "6 forget", "3 room for 4, 2"));
}

TEST_F(DriverDaemonTest, WhoWaitsForWorkersIsOfferedNoOthers) {
  TakeAll(2);
  Request(2, 1, 8);
  peers_.Take();
  Executor(1, "a", 2);
  EXPECT_THAT(peers_.Take(), ElementsAre("2 waiting: no executor has 8 cores: the largest has 2"));
}

TEST_F(DriverDaemonTest, AWorkerThatDiesIsReportedAndItsPlaceIsFree) {
  Executor(1, "a", 2);
  const std::string app = Application(2);
  Request(2, 1, 2);
  peers_.Take();
  EndedWorker(1, app, 1);
  Request(2, 2, 2);
  EXPECT_THAT(peers_.Take(), ElementsAre("2 lost 1: crash", "2 launched 2", "1 launch 2 with 2"));
}

TEST_F(DriverDaemonTest, WorkersThatDieAtOnceAreStartedLaterAndAtLastNotAgain) {
  Executor(1, "a", 2);
  const std::string app = Application(2);
  Request(2, 1, 2);
  EndedWorker(1, app, 1);
  Request(2, 2, 2);
  peers_.Take();
  EndedWorker(1, app, 2);
  Request(2, 3, 2);
  EXPECT_THAT(peers_.Take(), ElementsAre("2 lost 2: crash"));
  env_->Advance(kSecond);
  EXPECT_THAT(peers_.Take(), ElementsAre("2 launched 3", "1 launch 3 with 2"));
  EndedWorker(1, app, 3);
  EXPECT_EQ(peers_.closed[2].code(), absl::StatusCode::kAborted);
  EXPECT_THAT(std::string(peers_.closed[2].message()), HasSubstr("3 workers failed in a row"));
  EXPECT_EQ(CoresUsed("a"), 0);
}

TEST_F(DriverDaemonTest, AReleasedWorkerIsEndedAndNoFailure) {
  Executor(1, "a", 2);
  const std::string app = Application(2);
  for (int worker_id = 1; worker_id <= 4; ++worker_id) {
    Request(2, worker_id, 2);
    Release(2, worker_id);
    EXPECT_EQ(peers_.said.back(), "1 end " + std::to_string(worker_id));
    EndedWorker(1, app, worker_id);
  }
  EXPECT_FALSE(peers_.closed.contains(2));
}

TEST_F(DriverDaemonTest, WorkersOfAnApplicationThatEndsAreNoFailures) {
  Executor(1, "a", 4);
  const std::string app = Application(2);
  for (int worker_id = 1; worker_id <= 4; ++worker_id) Request(2, worker_id, 1);
  proto::FromApplication message;
  message.mutable_ending();
  daemon_->OnApplicationMessage(2, message);
  for (int worker_id = 1; worker_id <= 4; ++worker_id) EndedWorker(1, app, worker_id);
  EXPECT_FALSE(peers_.closed.contains(2));
}

TEST_F(DriverDaemonTest, AReleasedRequestIsAnsweredAndAnUnknownOneToo) {
  Application(2);
  Request(2, 1, 2);
  peers_.Take();
  Release(2, 1);
  Release(2, 7);
  Executor(1, "a", 2);
  EXPECT_THAT(peers_.Take(), ElementsAre("2 lost 1: it does not run", "2 lost 7: it does not run"));
}

TEST_F(DriverDaemonTest, AnExecutorWhoseConnectionBreaksIsLostWithItsWorkers) {
  Executor(1, "a", 2);
  Executor(2, "b", 2);
  const std::string app = Application(3);
  Request(3, 1, 1);
  Request(3, 2, 1);
  EXPECT_THAT(peers_.Take(), ElementsAre("3 launched 1", "1 launch 1 with 1", "3 launched 2",
                                         "2 launch 2 with 1"));
  daemon_->OnClosed(1);
  env_->RunUntilIdle();
  EXPECT_EQ(daemon_->List().executors_size(), 1);
  EXPECT_THAT(peers_.Take(), ElementsAre(HasSubstr("3 lost 1: the executor daemon on host-a")));
  // What it still runs when it comes back has been given up.
  Executor(4, "a", 2, {{app, 1}});
  EXPECT_THAT(peers_.Take(), ElementsAre("4 end 1"));
  EXPECT_EQ(CoresUsed("a"), 0);
}

TEST_F(DriverDaemonTest, ASilentExecutorIsLost) {
  Executor(1, "a", 2);
  env_->Advance(59 * kSecond);
  Heartbeat(1);
  env_->Advance(59 * kSecond);
  EXPECT_EQ(daemon_->List().executors_size(), 1);
  env_->Advance(3 * kSecond);
  EXPECT_EQ(daemon_->List().executors_size(), 0);
  EXPECT_EQ(peers_.closed[1].code(), absl::StatusCode::kUnavailable);
}

TEST_F(DriverDaemonTest, EveryPeerIsToldToBeHeardWellWithinTheTimeout) {
  Executor(1, "a", 2);
  Application(2);
  EXPECT_THAT(peers_.heartbeat_interval_ms, ElementsAre(Pair(1, 15'000), Pair(2, 15'000)));
}

TEST_F(DriverDaemonTest, AnApplicationThatComesBackInTimeKeepsItsWorkers) {
  Executor(1, "a", 2);
  const std::string app = Application(2);
  Request(2, 1, 2);
  peers_.Take();
  daemon_->OnClosed(2);
  env_->Advance(9 * kSecond);
  EXPECT_EQ(Application(3, 0, app, {1}), app);
  EXPECT_THAT(peers_.Take(), IsEmpty());
  daemon_->OnClosed(3);
  env_->Advance(12 * kSecond);
  EXPECT_THAT(peers_.Take(), ElementsAre("1 forget"));
  Application(4, 0, app);
  EXPECT_EQ(peers_.closed[4].code(), absl::StatusCode::kNotFound);
}

TEST_F(DriverDaemonTest, TheNextDriverOfASubmissionHasTheWorkersOfTheLast) {
  Executor(1, "a", 4);
  const std::string app = Submitted(2);
  Request(2, 1, 1);
  Request(2, 2, 1);
  Release(2, 2);
  Executor(7, "b", 2);
  daemon_->OnClosed(2);
  peers_.Take();
  EXPECT_EQ(Submitted(3), app);
  EXPECT_EQ(peers_.epochs[3], 2);
  EXPECT_THAT(peers_.left_workers, ElementsAre(1)) << "the other one was told to end";
  EXPECT_THAT(peers_.possible_cores, ElementsAre(2));
  Moved(3, "other:2");
  EXPECT_THAT(peers_.Take(), ElementsAre("1 move to other:2"));
}

TEST_F(DriverDaemonTest, ADriverThatWasReplacedDoesNotComeBack) {
  Executor(1, "a", 2);
  const std::string app = Submitted(2);
  EXPECT_EQ(Submitted(3), app);
  EXPECT_EQ(peers_.closed[2].code(), absl::StatusCode::kFailedPrecondition);
  daemon_->OnClosed(3);
  Submitted(4, app, /*epoch=*/1);
  EXPECT_EQ(peers_.closed[4].code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Submitted(5, app, /*epoch=*/2), app);
  // The next daemon knows that, too.
  Open();
  Submitted(14, app, /*epoch=*/1);
  EXPECT_EQ(peers_.closed[14].code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(DriverDaemonTest, ADriverThatComesWithADaemonWaitsForTheWorkersThatItMayHave) {
  Executor(1, "a", 2);
  const std::string app = Submitted(2);
  Request(2, 1, 2);
  Open();
  peers_.Take();
  Submitted(12);
  Submitted(13);
  daemon_->OnClosed(13);
  EXPECT_FALSE(peers_.app_ids.contains(12));
  Executor(11, "a", 2, {{app, 1}});
  env_->Advance(DriverDaemon::kRecoveryMicros + kSecond);
  EXPECT_EQ(peers_.app_ids[12], app);
  EXPECT_FALSE(peers_.app_ids.contains(13));
  EXPECT_THAT(peers_.left_workers, ElementsAre(1));
  Moved(12, "other:2");
  EXPECT_THAT(peers_.Take(), ElementsAre("11 move to other:2"));
}

TEST_F(DriverDaemonTest, ADriverThatComesWhileTheLastOneEndsIsAnotherApplication) {
  Executor(1, "a", 2);
  const std::string app = Submitted(2);
  proto::FromApplication ending;
  ending.mutable_ending();
  daemon_->OnApplicationMessage(2, ending);
  EXPECT_NE(Submitted(3), app);
  EXPECT_EQ(peers_.epochs[3], 1);
}

TEST_F(DriverDaemonTest, AProgramThatIsStartedAgainHasItsWorkers) {
  Executor(1, "a", 8);
  const std::string app = Recoverable(2);
  Request(2, 1, 2);
  daemon_->OnClosed(2);
  env_->Advance(29 * kSecond);
  peers_.Take();
  EXPECT_EQ(Recoverable(3, app), app);
  EXPECT_EQ(peers_.epochs[3], 2);
  EXPECT_THAT(peers_.left_workers, ElementsAre(1));
  Moved(3, "here:2");
  EXPECT_THAT(peers_.Take(), ElementsAre("1 move to here:2"));
  // The one before, should it still be there, is refused.
  proto::FromApplication late = Registration();
  late.mutable_register_()->set_app_id(app);
  late.mutable_register_()->set_epoch(1);
  daemon_->OnApplicationMessage(4, late);
  EXPECT_THAT(peers_.closed[4].message(), HasSubstr("another driver"));
  // Once more, behind another daemon: it knows what the record says.
  Open();
  Executor(5, "a", 8, {{app, 1}});
  EXPECT_EQ(Recoverable(6, app), "") << "executors may still have workers to name";
  env_->Advance(5 * kSecond);
  EXPECT_EQ(peers_.app_ids[6], app);
  EXPECT_EQ(peers_.epochs[6], 3);
  EXPECT_THAT(peers_.left_workers, ElementsAre(1));
}

TEST_F(DriverDaemonTest, AProgramThatIsStartedAgainTooLateIsANewOne) {
  Executor(1, "a", 8);
  const std::string app = Recoverable(2);
  Request(2, 1, 2);
  daemon_->OnClosed(2);
  for (int i = 0; i < 32; ++i) {
    env_->Advance(kSecond);
    Heartbeat(1);
  }
  EXPECT_EQ(CoresUsed("a"), 0);
  const std::string fresh = Recoverable(3, app);
  EXPECT_NE(fresh, "");
  EXPECT_NE(fresh, app);
  EXPECT_THAT(peers_.left_workers, IsEmpty());
}

// A connection may break a moment after the next driver came; a driver that lives keeps its
// workers.
TEST_F(DriverDaemonTest, ADriverWaitsForTheConnectionOfTheOneBefore) {
  Executor(1, "a", 8);
  const std::string app = Recoverable(2);
  Request(2, 1, 2);
  EXPECT_EQ(Recoverable(3, app), "");
  daemon_->OnClosed(2);
  env_->RunUntilIdle();
  EXPECT_EQ(peers_.app_ids[3], app);
  EXPECT_THAT(peers_.left_workers, ElementsAre(1));
  EXPECT_EQ(Recoverable(4, app), "");
  env_->Advance(4 * kSecond);
  EXPECT_NE(peers_.app_ids[4], "");
  EXPECT_NE(peers_.app_ids[4], app);
  EXPECT_THAT(peers_.left_workers, IsEmpty());
  EXPECT_FALSE(peers_.closed.contains(3));
  EXPECT_EQ(CoresUsed("a"), 2);
}

TEST_F(DriverDaemonTest, WorkersOfAnotherProgramEnd) {
  Executor(1, "a", 8);
  const std::string app = Recoverable(2, "", "--one");
  Request(2, 1, 2);
  daemon_->OnClosed(2);
  peers_.Take();
  const std::string fresh = Recoverable(3, app, "--two");
  EXPECT_NE(fresh, app);
  EXPECT_THAT(peers_.left_workers, IsEmpty());
  EXPECT_THAT(peers_.Take(), ElementsAre("1 forget"));
  EXPECT_EQ(CoresUsed("a"), 0);
}

TEST_F(DriverDaemonTest, ItHearsOfWorkersThatEndedWhileItWasAway) {
  Executor(1, "a", 2);
  const std::string app = Application(2);
  Request(2, 1, 2);
  daemon_->OnClosed(2);
  EndedWorker(1, app, 1);
  peers_.Take();
  Application(3, 0, app, {1});
  EXPECT_THAT(peers_.Take(), ElementsAre(HasSubstr("3 lost 1: it ended while")));
}

TEST_F(DriverDaemonTest, ARestartedDaemonFindsWhoIsStillThere) {
  Executor(1, "a", 2);
  Executor(2, "b", 2);
  const std::string app = Application(3);
  Request(3, 1, 2);
  Request(3, 2, 2);
  Request(3, 3, 2);
  peers_.Take();
  Open();
  // In any order. It had not heard that its second worker runs, and still waits for a third, for
  // which there seems to be room.
  Executor(11, "a", 2, {{app, 1}, {"app-of-nobody", 1}});
  EXPECT_EQ(Application(13, 0, app, {1}), app);
  Request(13, 2, 2);
  Request(13, 3, 2);
  EXPECT_THAT(peers_.Take(), ElementsAre("11 end 1"));
  Executor(12, "b", 2, {{app, 2}});
  EXPECT_THAT(peers_.Take(), ElementsAre("13 launched 2"));
  env_->Advance(2 * DriverDaemon::kRecoveryMicros);
  EXPECT_THAT(peers_.Take(),
              ElementsAre("13 waiting: no executor has 2 cores and 512 MiB free now"));
  EXPECT_EQ(CoresUsed("a"), 2);
  EXPECT_EQ(CoresUsed("b"), 2);
  EndedWorker(12, app, 2);
  EXPECT_THAT(peers_.Take(), ElementsAre("13 lost 2: crash", "13 launched 3", "12 launch 3 with 2",
                                         "13 waiting: "));
}

TEST_F(DriverDaemonTest, ARestartedDaemonSaysWhatDoesNotComeBack) {
  Executor(1, "a", 2);
  const std::string app = Application(2);
  Request(2, 1, 2);
  Open();
  peers_.Take();
  Application(12, 0, app, {1});
  Executor(11, "c", 2);
  EXPECT_THAT(peers_.Take(), IsEmpty());
  env_->Advance(DriverDaemon::kRecoveryMicros + kSecond);
  EXPECT_THAT(peers_.Take(), ElementsAre(HasSubstr("12 lost 1: it ended while")));
}

TEST_F(DriverDaemonTest, WorkersThatWereGivenUpBeforeARestartEnd) {
  Executor(1, "a", 8);
  const std::string app = Application(2);
  for (const int worker_id : {1, 2, 3}) Request(2, worker_id, 2);
  Open();
  peers_.Take();
  // The application was told that the first one is lost; it has not heard of the third one.
  Executor(11, "a", 8, {{app, 1}, {app, 2}, {app, 3}});
  Application(12, 0, app, {2});
  Request(12, 3, 2);
  EXPECT_THAT(peers_.Take(), ElementsAre("12 launched 3"));
  env_->Advance(DriverDaemon::kRecoveryMicros + kSecond);
  EXPECT_THAT(peers_.Take(), ElementsAre("11 end 1"));
  EndedWorker(11, app, 1);
  EXPECT_EQ(CoresUsed("a"), 4);
}

TEST_F(DriverDaemonTest, WhoComesBackLateGetsNoMoreThanItMayHave) {
  Executor(1, "a", 2);
  const std::string app = Application(2, /*cores_max=*/2);
  Request(2, 1, 2);
  Open();
  Executor(12, "b", 2);
  env_->Advance(DriverDaemon::kRecoveryMicros + kSecond);
  peers_.Take();
  Application(13, /*cores_max=*/2, app, {1});
  Request(13, 2, 2);
  Executor(11, "a", 2, {{app, 1}});
  env_->Advance(2 * kSecond);
  EXPECT_THAT(peers_.Take(), ElementsAre(HasSubstr("waiting: the application holds 2 of the 2")));
}

TEST_F(DriverDaemonTest, FilesOfApplicationsThatHaveNotComeBackStay) {
  const std::string app = Application(2);
  Open();
  artifacts_now_ms_ = 2 * ArtifactStore::kFreshMs;
  EXPECT_FALSE(artifacts_->BeginUpload(Sha256Hex("other"), 1 << 20).ok());
  EXPECT_EQ(Application(12, 0, app), app);
  env_->Advance(2 * kSecond);
  proto::FromApplication message;
  message.mutable_unregister();
  daemon_->OnApplicationMessage(12, message);
  artifacts_now_ms_ *= 2;
  EXPECT_TRUE(artifacts_->BeginUpload(Sha256Hex("other"), 1 << 20).ok());
  // Whoever is given up is told so, and not that its files are gone.
  Application(13, 0, app);
  EXPECT_THAT(peers_.closed[13].message(), HasSubstr("has given up"));
}

TEST_F(DriverDaemonTest, ApplicationsThatDoNotComeBackAreForgottenAfterARestart) {
  Executor(1, "a", 2);
  const std::string app = Application(2);
  Request(2, 1, 2);
  Open();
  Executor(11, "a", 2, {{app, 1}});
  peers_.Take();
  env_->Advance(12 * kSecond);
  EXPECT_THAT(peers_.Take(), ElementsAre("11 forget"));
  EXPECT_EQ(CoresUsed("a"), 0);
}

TEST_F(DriverDaemonTest, WrongRegistrationsAreRefused) {
  Executor(1, "a", 0);
  EXPECT_EQ(peers_.closed[1].code(), absl::StatusCode::kInvalidArgument);
  Heartbeat(2);
  EXPECT_EQ(peers_.closed[2].code(), absl::StatusCode::kFailedPrecondition);
  proto::FromApplication message = Registration();
  message.mutable_register_()->mutable_program()->set_name("a/b");
  daemon_->OnApplicationMessage(3, message);
  EXPECT_EQ(peers_.closed[3].code(), absl::StatusCode::kInvalidArgument);
  message = Registration(/*cores_max=*/-1);
  daemon_->OnApplicationMessage(4, message);
  EXPECT_EQ(peers_.closed[4].code(), absl::StatusCode::kInvalidArgument);
  message = Registration();
  message.mutable_register_()->mutable_program()->set_sha256(Sha256Hex("other"));
  daemon_->OnApplicationMessage(5, message);
  EXPECT_EQ(peers_.closed[5].code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(daemon_->List().executors_size(), 0);
  EXPECT_EQ(daemon_->List().applications_size(), 0);
}

TEST_F(DriverDaemonTest, AnExecutorWhoseWorkersCannotBeIsRefused) {
  for (const int cores : {-5, 0, 1 << 20}) {
    proto::FromExecutor message;
    proto::RegisterExecutor& request = *message.mutable_register_();
    request.set_executor_id("a");
    request.set_cores(2);
    request.set_memory_mb(4096);
    request.add_workers()->set_cores(cores);
    request.mutable_workers(0)->set_memory_mb(512);
    daemon_->OnExecutorMessage(1, message);
    EXPECT_EQ(peers_.closed[1].code(), absl::StatusCode::kInvalidArgument) << cores;
  }
  EXPECT_EQ(daemon_->List().executors_size(), 0);
}

TEST_F(DriverDaemonTest, NobodyIsLostWhileItStandsStillItself) {
  Executor(1, "a", 2);
  const std::string app = Application(2);
  env_->JumpMonotonic(100 * kSecond);  // What they say meanwhile is not read.
  env_->Advance(2 * kSecond);
  EXPECT_EQ(daemon_->List().executors_size(), 1);
  EXPECT_TRUE(daemon_->List().applications(0).is_connected());
  env_->Advance(62 * kSecond);
  EXPECT_EQ(daemon_->List().executors_size(), 0);
}

TEST_F(DriverDaemonTest, AnApplicationThatCouldNotBeReadAgainIsRefused) {
  proto::FromApplication message = Registration();
  message.mutable_register_()->set_name(std::string(17 << 20, 'x'));
  daemon_->OnApplicationMessage(1, message);
  EXPECT_EQ(peers_.closed[1].code(), absl::StatusCode::kResourceExhausted);
  Open();  // Recovers.
}

TEST_F(DriverDaemonTest, WhoAsksForNothingMoreWaitsForNothing) {
  Executor(1, "a", 2);
  Application(2);
  Request(2, 1, 8);
  EXPECT_NE(daemon_->List().applications(0).waiting(), "");
  Release(2, 1);
  EXPECT_EQ(daemon_->List().applications(0).waiting(), "");
}

}  // namespace
}  // namespace millrace
