// What the driver core does about its workers as such.
#include "driver/driver_core.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/driver_fixture.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr int64_t kSecond = 1'000'000;

class WorkersTest : public DriverFixture {
 protected:
  WorkersTest()
      : DriverFixture([] {
          DriverOptions options;
          options.worker_timeout_micros = 10 * kSecond;
          return options;
        }()) {}

  void AddPeer(int64_t id) {
    proto::ToDriver message;
    message.set_worker_id(id);
    message.mutable_hello()->set_task_slots(1);
    message.mutable_hello()->set_peer_address("host:" + std::to_string(id));
    Tell(std::move(message));
  }
  void Heartbeat(int64_t id) {
    proto::ToDriver message;
    message.set_worker_id(id);
    message.mutable_heartbeat();
    Tell(std::move(message));
  }
  // What was said of peers since the last call: "to 1: +2 host:2 -3".
  std::vector<std::string> PeersSent() {
    std::vector<std::string> texts;
    for (const SentMessage& sent : workers_.sent()) {
      if (!sent.message.has_peers()) continue;
      std::string text = "to " + std::to_string(sent.worker_id) + ":";
      for (const auto& peer : sent.message.peers().added()) {
        text += " +" + std::to_string(peer.worker_id()) + " " + peer.address();
      }
      for (const int64_t id : sent.message.peers().removed()) text += " -" + std::to_string(id);
      texts.push_back(text);
    }
    workers_.ClearSent();
    return texts;
  }
};

TEST_F(WorkersTest, LearnOfOneAnother) {
  AddPeer(1);
  EXPECT_THAT(PeersSent(), IsEmpty());
  AddPeer(2);
  EXPECT_THAT(PeersSent(), ElementsAre("to 1: +2 host:2", "to 2: +1 host:1"));
  AddPeer(3);
  EXPECT_THAT(PeersSent(),
              ElementsAre("to 1: +3 host:3", "to 2: +3 host:3", "to 3: +1 host:1 +2 host:2"));
  core_.WorkerLost(2, "gone");
  EXPECT_THAT(PeersSent(), ElementsAre("to 1: -2", "to 3: -2"));
}

TEST_F(WorkersTest, AreLostWhenTheyFallSilent) {
  AddPeer(1);
  AddPeer(2);
  const auto job = Collect(Values("values", 2));
  for (int i = 0; i < 20; ++i) {
    env_.Advance(kSecond);
    Heartbeat(1);
  }
  EXPECT_THAT(workers_.disconnected(),
              ElementsAre(Pair(2, absl::DeadlineExceededError("it has said nothing for 10 s"))));
  for (const LaunchedTask& task : workers_.launched()) {
    if (task.worker_id == 1) Tell(Success(task));
  }
  SucceedAll();
  EXPECT_TRUE(job->done());
  EXPECT_EQ(core_.idle(), true);
}

TEST_F(WorkersTest, AnyMessageIsASignOfLife) {
  AddPeer(1);
  for (int i = 0; i < 5; ++i) {
    env_.Advance(6 * kSecond);
    proto::ToDriver report;
    report.set_worker_id(1);
    report.mutable_block_report()->set_stream_id(9);
    Tell(std::move(report));
  }
  EXPECT_THAT(workers_.disconnected(), IsEmpty());
}

TEST_F(WorkersTest, ThatComeAfterAllOthersWentAreWatchedToo) {
  AddPeer(1);
  core_.WorkerLost(1, "gone");
  env_.Advance(20 * kSecond);
  AddPeer(2);
  env_.Advance(20 * kSecond);
  EXPECT_THAT(workers_.disconnected(), ElementsAre(Pair(2, ::testing::_)));
}

TEST_F(WorkersTest, AreNotLostWhileTheDriverStandsStill) {
  AddPeer(1);
  AddPeer(2);
  env_.JumpMonotonic(60 * kSecond);  // What they say meanwhile is not read.
  env_.Advance(kSecond);
  EXPECT_THAT(workers_.disconnected(), IsEmpty());
  Heartbeat(1);
  env_.Advance(9 * kSecond);
  Heartbeat(1);
  env_.Advance(4 * kSecond);
  EXPECT_THAT(workers_.disconnected(), ElementsAre(Pair(2, ::testing::_)));
}

}  // namespace
}  // namespace millrace::internal
