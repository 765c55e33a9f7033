#include "executor/daemon/process_worker_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <sstream>

#include "common/fs/file_util.h"
#include "common/fs/local_file_system.h"
#include "tests/support/fake_env.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

class ProcessWorkerHostTest : public ::testing::Test {
 protected:
  ProcessWorkerHost::Options Options() {
    return {.dir = dir_.path() + "/applications",
            .host = "here",
            .fetch = [this](const std::string& name) -> absl::StatusOr<std::string> {
              if (!fs_.Stat(dir_.path() + "/" + name).ok())
                return absl::NotFoundError("no " + name);
              return dir_.path() + "/" + name;
            },
            .environment = {{"MILLRACE_AUTH_SECRET_FILE", "/secret"}},
            .end_grace_ms = 50,
            .logs_max = 1,
            .ended_workers_max = 2};
  }
  void Script(const std::string& text) {
    const std::string path = dir_.path() + "/program";
    std::ofstream(path) << "#!/bin/sh\n" << text;
    ASSERT_EQ(::chmod(path.c_str(), 0700), 0);
  }
  proto::LaunchWorker Launch(const std::string& app_id = "app", int64_t worker_id = 3) {
    proto::LaunchWorker launch;
    launch.mutable_worker()->set_app_id(app_id);
    launch.mutable_worker()->set_worker_id(worker_id);
    launch.mutable_worker()->set_cores(2);
    launch.mutable_worker()->set_memory_mb(100);
    launch.set_driver_address("there:1");
    launch.mutable_program()->set_sha256("program");
    launch.mutable_program()->set_name("count");
    launch.mutable_program()->add_argv("one two");
    return launch;
  }
  void Start(const proto::LaunchWorker& launch) {
    exit_.reset();
    host_->Start(launch, [this](const proto::ProcessExit& exit) { exit_ = exit; });
  }
  proto::ProcessExit AwaitEnd() {
    EXPECT_TRUE(env_.RunUntil([this] { return exit_.has_value(); }));
    return exit_.value_or(proto::ProcessExit());
  }
  std::string Contents(const std::string& name) {
    return ReadWholeFile(fs_, dir_.path() + "/applications/app/3/" + name, 1 << 20)
        .value_or("none");
  }

  LocalFileSystem fs_;
  TempDir dir_;
  FakeEnv env_{fs_};
  std::optional<proto::ProcessExit> exit_;
  std::unique_ptr<ProcessWorkerHost> host_ =
      std::make_unique<ProcessWorkerHost>(env_, fs_, Options());
};

TEST_F(ProcessWorkerHostTest, AWorkerKnowsWhoItIs) {
  Script(
      "echo \"$1\" $MILLRACE_ROLE $MILLRACE_DRIVER_ADDRESS $MILLRACE_APP_ID $MILLRACE_WORKER_ID "
      "$MILLRACE_WORKER_CORES $MILLRACE_WORKER_MEMORY_MB $MILLRACE_WORKER_HOST "
      "$MILLRACE_AUTH_SECRET_FILE; [ $(pwd) = $MILLRACE_WORK_DIR ] && cat words; exit 4");
  std::ofstream(dir_.path() + "/text") << "some words";
  proto::LaunchWorker launch = Launch();
  proto::ProgramFile& file = *launch.mutable_program()->add_files();
  file.set_name("words");
  file.set_sha256("text");
  Start(launch);
  const proto::ProcessExit exit = AwaitEnd();
  EXPECT_EQ(exit.code(), 4);
  EXPECT_EQ(exit.reason(), "exited with 4");
  EXPECT_EQ(Contents("stdout"), "one two worker there:1 app 3 2 100 here /secret\nsome words");
  // What it worked with has gone, its logs have not.
  EXPECT_FALSE(fs_.Stat(dir_.path() + "/applications/app/3/work").ok());
  EXPECT_FALSE(fs_.Stat(dir_.path() + "/applications/app/3/pid").ok());
}

TEST_F(ProcessWorkerHostTest, AWorkerFindsTheDriverThatCameBehindItsFirst) {
  Script(
      "cat \"$MILLRACE_DRIVER_FILE\"; touch started; "
      "until grep -q other \"$MILLRACE_DRIVER_FILE\"; do sleep 0.01; done");
  Start(Launch());
  const std::string dir = dir_.path() + "/applications/app/3";
  while (!fs_.Stat(dir + "/work/started").ok()) {
  }
  host_->SetDriver("app", 3, "other:2");
  host_->SetDriver("app", 4, "of a worker that is not there");
  EXPECT_EQ(AwaitEnd().code(), 0);
  EXPECT_EQ(Contents("stdout"), "there:1");
  EXPECT_FALSE(fs_.Stat(dir + "/driver").ok());
}

TEST_F(ProcessWorkerHostTest, ACrashIsReportedWithItsSignalAndLastWords) {
  Script("echo last words >&2; kill -ABRT $$");
  Start(Launch());
  const proto::ProcessExit exit = AwaitEnd();
  EXPECT_EQ(exit.signal(), SIGABRT);
  EXPECT_EQ(exit.last_stderr(), "last words\n");
  EXPECT_FALSE(exit.is_requested());
}

TEST_F(ProcessWorkerHostTest, WhatIsNotThereIsSaid) {
  Start(Launch());
  EXPECT_EQ(AwaitEnd().reason(), "not started: no program");
}

TEST_F(ProcessWorkerHostTest, NamesThatAreNoNamesAreRefused) {
  Script("exit 0");
  for (const char* app_id : {"..", "a/b", ""}) {
    Start(Launch(app_id));
    EXPECT_THAT(AwaitEnd().reason(), HasSubstr("is not a plain name")) << app_id;
  }
  proto::LaunchWorker launch = Launch();
  launch.mutable_program()->add_files()->set_name("../up");
  Start(launch);
  EXPECT_THAT(AwaitEnd().reason(), HasSubstr("is not a plain name"));
}

TEST_F(ProcessWorkerHostTest, EndsAWorkerAlsoOneThatDoesNotListen) {
  Script("trap '' TERM; while :; do sleep 0.01; done");
  Start(Launch());
  host_->RequestEnd("app", 3);
  host_->RequestEnd("app", 4);
  const proto::ProcessExit exit = AwaitEnd();
  EXPECT_TRUE(exit.is_requested());
}

TEST_F(ProcessWorkerHostTest, WorkersEndWithTheirHost) {
  Script("echo $$ >../own_pid.new; mv ../own_pid.new ../own_pid; exec sleep 1000");
  Start(Launch());
  while (Contents("own_pid") == "none") {
  }
  const int pid = std::stoi(Contents("own_pid"));
  host_ = nullptr;
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST_F(ProcessWorkerHostTest, ANewDaemonEndsWhatTheOneBeforeHasLeft) {
  Script("exit 0");
  // Not a child of a host, as if it had escaped one.
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    ::execl("/bin/sleep", "sleep", "1000", nullptr);
    ::_exit(1);
  }
  std::ifstream stat_file("/proc/" + std::to_string(child) + "/stat");
  std::string stat;
  ASSERT_TRUE(std::getline(stat_file, stat));
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));
  std::string ticks;
  for (int i = 0; i < 20; ++i) fields >> ticks;
  const std::string dir = dir_.path() + "/applications/app/3";
  ASSERT_TRUE(fs_.CreateDirs(dir + "/work").ok());
  ::setpgid(child, child);
  // Another process that has the number by now would have been started at another time.
  ASSERT_TRUE(WriteFileAtomically(fs_, dir + "/pid", std::to_string(child) + " 1").ok());
  ASSERT_EQ(host_->Recover(), absl::OkStatus());
  EXPECT_EQ(::kill(child, 0), 0);
  ASSERT_TRUE(WriteFileAtomically(fs_, dir + "/pid", std::to_string(child) + " " + ticks).ok());
  ASSERT_EQ(host_->Recover(), absl::OkStatus());
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_FALSE(fs_.Stat(dir + "/work").ok());
}

TEST_F(ProcessWorkerHostTest, OldLogsGo) {
  Script("echo log");
  for (const char* app_id : {"app-1", "app-2", "app-3"}) {
    Start(Launch(app_id));
    AwaitEnd();
  }
  host_->Forget("app-3");
  EXPECT_EQ(fs_.List(dir_.path() + "/applications")->size(), 1u);
}

TEST_F(ProcessWorkerHostTest, ANameThatIsNoNameDeletesNothing) {
  ASSERT_TRUE(fs_.CreateDirs(dir_.path() + "/victim/3/work").ok());
  Start(Launch("../victim"));
  EXPECT_THAT(AwaitEnd().reason(), HasSubstr("is not a plain name"));
  EXPECT_TRUE(fs_.Stat(dir_.path() + "/victim/3/work").ok());
}

TEST_F(ProcessWorkerHostTest, OfAnApplicationThatLosesManyWorkersTheLastLogsStay) {
  Script("exit 1");
  for (int64_t id = 1; id <= 5; ++id) {
    Start(Launch("app", id));
    AwaitEnd();
  }
  EXPECT_EQ(fs_.List(dir_.path() + "/applications/app")->size(), 2u);
}

}  // namespace
}  // namespace millrace
