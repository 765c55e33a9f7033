#include "driver/daemon/submissions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "common/fs/local_file_system.h"
#include "tests/support/fake_env.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr int64_t kSecond = 1'000'000;

// Runs nothing, and ends what the test says.
class FakeRunHost : public RunHost {
 public:
  absl::Status Start(const RunId& run, const proto::RunRequest& request,
                     const std::vector<std::pair<std::string, std::string>>& files) override {
    if (!start_status.ok()) return start_status;
    started.push_back(Name(run));
    last_request = request;
    last_files = files;
    return absl::OkStatus();
  }
  std::optional<proto::ProcessExit> Poll(const RunId& run) override {
    const auto it = exits.find(Name(run));
    if (it == exits.end()) return std::nullopt;
    return it->second;
  }
  bool RequestEnd(const RunId& run) override {
    end_requests.push_back(Name(run));
    return end_can_be_requested;
  }
  void Forget(const std::string& submission_id) override { forgotten.push_back(submission_id); }

  void End(const std::string& run, int code, int signal = 0) {
    exits[run].set_code(code);
    exits[run].set_signal(signal);
    exits[run].set_reason("exited with " + std::to_string(code));
  }
  static std::string Name(const RunId& run) {
    return run.submission_id + "#" + std::to_string(run.attempt);
  }

  absl::Status start_status;
  bool end_can_be_requested = true;
  std::vector<std::string> started;
  proto::RunRequest last_request;
  std::vector<std::pair<std::string, std::string>> last_files;
  std::map<std::string, proto::ProcessExit> exits;
  std::vector<std::string> end_requests;
  std::vector<std::string> forgotten;
};

class SubmissionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    artifacts_ = *ArtifactStore::Open(
        fs_, {.dir = dir_.path() + "/a", .bytes_max = 1 << 20, .now_ms = [] { return 0; }});
    Open();
  }
  // As a daemon that has just been started.
  void Open() {
    submissions_ = nullptr;
    env_ = std::make_unique<FakeEnv>(fs_);
    env_->JumpWall(wall_micros_);
    submissions_ =
        std::make_unique<Submissions>(*env_, host_, *artifacts_,
                                      Submissions::Options{.dir = dir_.path() + "/s",
                                                           .running_max = 2,
                                                           .waiting_max = 3,
                                                           .ended_max = 2,
                                                           .environment = {"SECRET=file"}});
    submissions_->SetMasterUrl("millrace://me:7");
    ASSERT_EQ(submissions_->Recover(), absl::OkStatus());
  }
  std::string Put(const std::string& bytes) {
    std::string sha256 = Sha256Hex(bytes);
    const auto upload = artifacts_->BeginUpload(sha256, static_cast<int64_t>(bytes.size()));
    EXPECT_TRUE((*upload)->Append(bytes).ok());
    EXPECT_TRUE((*upload)->Commit().ok());
    return sha256;
  }
  proto::SubmitRequest Request(bool supervise = false) {
    proto::SubmitRequest request;
    request.mutable_program()->set_sha256(Put("program"));
    request.mutable_program()->set_name("count");
    request.mutable_program()->add_argv("host");
    request.set_supervise(supervise);
    return request;
  }
  std::string Submit(const proto::SubmitRequest& request) {
    const auto status = submissions_->Submit(request);
    EXPECT_TRUE(status.ok()) << status.status();
    return status.ok() ? status->submission_id() : "";
  }
  proto::SubmissionStatus StatusOf(const std::string& id) {
    for (const proto::SubmissionStatus& status : submissions_->List()) {
      if (status.submission_id() == id) return status;
    }
    return {};
  }
  void Advance(int64_t micros) {
    env_->Advance(micros);
    wall_micros_ += micros;
  }

  LocalFileSystem fs_;
  TempDir dir_;
  FakeRunHost host_;
  int64_t wall_micros_ = 0;
  std::unique_ptr<FakeEnv> env_;
  std::unique_ptr<ArtifactStore> artifacts_;
  std::unique_ptr<Submissions> submissions_;
};

TEST_F(SubmissionsTest, RunsAProgramToItsEnd) {
  proto::SubmitRequest request = Request();
  request.set_driver_memory_mb(100);
  proto::ProgramFile& file = *request.mutable_program()->add_files();
  file.set_name("words.txt");
  file.set_sha256(Put("words"));
  const std::string id = Submit(request);
  EXPECT_THAT(host_.started, ElementsAre(id + "#1"));
  EXPECT_EQ(StatusOf(id).state(), proto::RUNNING);
  EXPECT_EQ(host_.last_request.program_path(), dir_.path() + "/a/" + Sha256Hex("program"));
  EXPECT_THAT(host_.last_request.argv(),
              ElementsAre("count", "--millrace_conf=millrace.master=millrace://me:7", "host"));
  EXPECT_THAT(host_.last_request.environment(),
              ElementsAre("SECRET=file", "MILLRACE_SUBMISSION_ID=" + id));
  EXPECT_EQ(host_.last_request.memory_bytes_max(), 100 << 20);
  EXPECT_THAT(host_.last_files,
              ElementsAre(::testing::Pair("words.txt", dir_.path() + "/a/" + Sha256Hex("words"))));
  EXPECT_THAT(submissions_->ArtifactsInUse(), Contains(Sha256Hex("words")));
  host_.End(id + "#1", 0);
  Advance(kSecond);
  EXPECT_EQ(StatusOf(id).state(), proto::FINISHED);
  EXPECT_THAT(submissions_->ArtifactsInUse(), IsEmpty());
}

TEST_F(SubmissionsTest, AFailureIsFinalWithoutSupervise) {
  const std::string id = Submit(Request());
  host_.End(id + "#1", 3);
  Advance(kSecond);
  EXPECT_EQ(StatusOf(id).state(), proto::FAILED);
  EXPECT_EQ(StatusOf(id).exit().code(), 3);
  Advance(100 * kSecond);
  EXPECT_EQ(host_.started.size(), 1u);
}

TEST_F(SubmissionsTest, SupervisedItIsStartedAgainLaterAndLater) {
  const std::string id = Submit(Request(/*supervise=*/true));
  std::vector<int64_t> waits;
  for (int attempt = 1; attempt <= 7; ++attempt) {
    host_.End(id + "#" + std::to_string(attempt), 1);
    Advance(Submissions::kPollMicros);
    ASSERT_EQ(StatusOf(id).state(), proto::RELAUNCHING);
    waits.push_back((StatusOf(id).next_start_ms() - env_->NowMicros() / 1000 + 500) / 1000);
    Advance(waits.back() * kSecond);
    ASSERT_EQ(StatusOf(id).state(), proto::RUNNING);
  }
  EXPECT_THAT(waits, ElementsAre(1, 2, 4, 8, 16, 30, 30));
  // One that has run for a while is no part of that.
  Advance(6 * kSecond);
  host_.End(id + "#8", 1);
  Advance(Submissions::kPollMicros);
  Advance(kSecond);
  EXPECT_EQ(StatusOf(id).attempt(), 9);
  host_.End(id + "#9", 0);
  Advance(kSecond);
  EXPECT_EQ(StatusOf(id).state(), proto::FINISHED);
}

TEST_F(SubmissionsTest, AKillEndsItForGood) {
  const std::string id = Submit(Request(/*supervise=*/true));
  host_.end_can_be_requested = false;
  ASSERT_TRUE(submissions_->Kill(id).ok());
  host_.end_can_be_requested = true;
  Advance(3 * Submissions::kPollMicros);
  // Asked until it could be, and then not again, for that would be a harder kill.
  EXPECT_EQ(host_.end_requests.size(), 2u);
  host_.End(id + "#1", 0, SIGTERM);
  Advance(kSecond);
  EXPECT_EQ(StatusOf(id).state(), proto::KILLED);
  EXPECT_EQ(submissions_->Kill(id).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(submissions_->Kill("driver-x").status().code(), absl::StatusCode::kNotFound);
  Advance(100 * kSecond);
  EXPECT_EQ(host_.started.size(), 1u);
}

TEST_F(SubmissionsTest, AKillBetweenAttemptsEndsItAtOnce) {
  const std::string id = Submit(Request(/*supervise=*/true));
  host_.End(id + "#1", 1);
  Advance(Submissions::kPollMicros);
  ASSERT_TRUE(submissions_->Kill(id).ok());
  EXPECT_EQ(StatusOf(id).state(), proto::KILLED);
  Advance(100 * kSecond);
  EXPECT_EQ(host_.started.size(), 1u);
}

TEST_F(SubmissionsTest, ARestartedDaemonGoesOn) {
  const std::string running = Submit(Request());
  const std::string supervised = Submit(Request(/*supervise=*/true));
  host_.End(supervised + "#1", 1);
  Advance(Submissions::kPollMicros);
  host_.End(running + "#1", 0);  // While there is no daemon.
  Open();
  EXPECT_EQ(StatusOf(running).state(), proto::RUNNING);
  EXPECT_EQ(StatusOf(supervised).state(), proto::RELAUNCHING);
  Advance(Submissions::kPollMicros);
  EXPECT_EQ(StatusOf(running).state(), proto::FINISHED);
  Advance(kSecond);
  EXPECT_EQ(StatusOf(supervised).state(), proto::RUNNING);
  EXPECT_EQ(StatusOf(supervised).attempt(), 2);
}

TEST_F(SubmissionsTest, AKillSurvivesARestartOfTheDaemon) {
  const std::string id = Submit(Request(/*supervise=*/true));
  host_.end_can_be_requested = false;
  ASSERT_TRUE(submissions_->Kill(id).ok());
  host_.end_can_be_requested = true;
  Open();
  host_.end_requests.clear();
  Advance(Submissions::kPollMicros);
  EXPECT_THAT(host_.end_requests, ElementsAre(id + "#1"));
}

TEST_F(SubmissionsTest, OnlySoManyRunAtATime) {
  const std::string a = Submit(Request());
  Submit(Request());
  const std::string c = Submit(Request());
  EXPECT_EQ(StatusOf(c).state(), proto::SUBMITTED);
  host_.End(a + "#1", 0);
  Advance(Submissions::kPollMicros);
  EXPECT_EQ(StatusOf(c).state(), proto::RUNNING);
}

TEST_F(SubmissionsTest, TheOldestThatHaveEndedAreForgotten) {
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(Submit(Request()));
    host_.End(ids.back() + "#1", 0);
    Advance(kSecond);
  }
  EXPECT_THAT(host_.forgotten, ElementsAre(ids[0]));
  EXPECT_EQ(submissions_->List().size(), 2u);
  Open();
  EXPECT_EQ(submissions_->List().size(), 2u);
}

TEST_F(SubmissionsTest, ThoseThatTheDaemonDidNotLiveToForgetAreForgotten) {
  std::vector<std::string> ids;
  for (int i = 0; i < 2; ++i) {
    ids.push_back(Submit(Request()));
    host_.End(ids.back() + "#1", 0);
    Advance(kSecond);
  }
  for (int i = 0; i < 3; ++i) ids.push_back(Submit(Request()));
  ASSERT_TRUE(submissions_->Kill(ids[4]).ok());  // It waits until another one ends.
  EXPECT_THAT(host_.forgotten, IsEmpty());
  Open();
  EXPECT_THAT(host_.forgotten, ElementsAre(ids[0]));
}

TEST_F(SubmissionsTest, WhatCannotBeRecordedIsNeitherDoneNorSaid) {
  const std::string a = Submit(Request());
  const std::string b = Submit(Request(/*supervise=*/true));
  const std::string waiting = Submit(Request());
  ASSERT_EQ(fs_.DeleteRecursively(dir_.path() + "/s"), absl::OkStatus());
  EXPECT_FALSE(submissions_->Kill(a).ok());
  host_.End(a + "#1", 0);
  host_.End(b + "#1", 1);
  Advance(5 * kSecond);
  EXPECT_EQ(StatusOf(a).state(), proto::FINISHED);
  EXPECT_EQ(StatusOf(b).state(), proto::RELAUNCHING);
  EXPECT_EQ(StatusOf(waiting).state(), proto::SUBMITTED);
  ASSERT_EQ(fs_.CreateDirs(dir_.path() + "/s"), absl::OkStatus());
  Advance(Submissions::kStoreAgainMicros);
  EXPECT_THAT(host_.started, UnorderedElementsAre(a + "#1", b + "#1", b + "#2", waiting + "#1"));
}

TEST_F(SubmissionsTest, ARepeatedRequestStartsNothingTwice) {
  proto::SubmitRequest request = Request();
  request.set_request_id("once");
  const std::string id = Submit(request);
  EXPECT_EQ(Submit(request), id);
  Open();
  EXPECT_EQ(Submit(request), id);
  EXPECT_EQ(host_.started.size(), 1u);
}

TEST_F(SubmissionsTest, WrongRequestsAreRefused) {
  proto::SubmitRequest request = Request();
  request.mutable_program()->set_name("../count");
  EXPECT_EQ(submissions_->Submit(request).status().code(), absl::StatusCode::kInvalidArgument);
  request = Request();
  request.mutable_program()->set_sha256(Sha256Hex("none such"));
  EXPECT_EQ(submissions_->Submit(request).status().code(), absl::StatusCode::kNotFound);
  request = Request();
  request.mutable_program()->add_files()->set_name("/etc/passwd");
  EXPECT_EQ(submissions_->Submit(request).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(submissions_->List(), IsEmpty());
}

TEST_F(SubmissionsTest, WhatCannotBeStartedHasFailed) {
  host_.start_status = absl::ResourceExhaustedError("disk full");
  const std::string id = Submit(Request());
  EXPECT_EQ(StatusOf(id).state(), proto::FAILED);
  EXPECT_THAT(StatusOf(id).exit().reason(), HasSubstr("disk full"));
}

TEST_F(SubmissionsTest, WhoWaitsHearsOfTheEnd) {
  const std::string id = Submit(Request());
  std::vector<proto::SubmissionState> heard;
  const auto hear = [&](absl::StatusOr<proto::SubmissionStatus> status) {
    heard.push_back(status.value().state());
  };
  submissions_->GetStatus(id, 0, hear);
  submissions_->GetStatus(id, kSecond, hear);
  submissions_->GetStatus(id, 60 * kSecond, hear);
  EXPECT_THAT(heard, ElementsAre(proto::RUNNING));
  Advance(2 * kSecond);
  EXPECT_THAT(heard, ElementsAre(proto::RUNNING, proto::RUNNING));
  host_.End(id + "#1", 0);
  Advance(kSecond);
  EXPECT_THAT(heard, ElementsAre(proto::RUNNING, proto::RUNNING, proto::FINISHED));
}

TEST_F(SubmissionsTest, WhatIsTooLargeIsRefused) {
  proto::SubmitRequest request = Request();
  request.mutable_program()->add_argv(std::string(5 << 20, 'x'));
  EXPECT_EQ(submissions_->Submit(request).status().code(), absl::StatusCode::kInvalidArgument);
  for (const int64_t memory_mb : {int64_t{-1}, INT64_MAX}) {
    request = Request();
    request.set_driver_memory_mb(memory_mb);
    EXPECT_EQ(submissions_->Submit(request).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_THAT(submissions_->List(), IsEmpty());
}

TEST_F(SubmissionsTest, OnlySoManyWait) {
  for (int i = 0; i < 2 + 3; ++i) Submit(Request());  // Two run.
  const absl::Status full = submissions_->Submit(Request()).status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(full.message()), HasSubstr("3 submissions wait already"));
}

TEST_F(SubmissionsTest, AKillThatTheDaemonDidNotLiveToCarryOutIsCarriedOut) {
  const std::string id = Submit(Request(/*supervise=*/true));
  host_.End(id + "#1", 1);
  Advance(Submissions::kPollMicros);
  RecordDir<proto::SubmissionRecord> records(fs_, dir_.path() + "/s");
  proto::SubmissionRecord record = records.ReadAll()->front();
  ASSERT_EQ(record.status().state(), proto::RELAUNCHING);
  record.set_is_kill_requested(true);
  ASSERT_EQ(records.Write(id, record), absl::OkStatus());
  Open();
  EXPECT_EQ(StatusOf(id).state(), proto::KILLED);
  Advance(100 * kSecond);
  EXPECT_EQ(host_.started.size(), 1u);
}

}  // namespace
}  // namespace millrace
