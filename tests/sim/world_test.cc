#include "tests/sim/world.h"

#include <string>
#include <vector>

#include "common/concurrent/joined_thread.h"
#include "common/concurrent/one_shot.h"
#include "common/time/system_clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace::sim {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kSecond = 1'000'000;
constexpr NodeId kNode = 1;
constexpr NodeId kOther = 2;

class WorldTest : public ::testing::Test {
 protected:
  Closure Say(const std::string& word) {
    return [this, word] { said_.push_back(word); };
  }

  World world_{1};
  std::vector<std::string> said_;
};

TEST_F(WorldTest, EventsComeInTheOrderOfTheirTimes) {
  world_.At(20, kNode, EventKind::kPost, Say("late"));
  world_.At(10, kNode, EventKind::kPost, Say("early"));
  const EventId never = world_.At(15, kNode, EventKind::kPost, Say("never"));
  world_.Cancel(never);
  world_.RunFor(15);
  EXPECT_THAT(said_, ElementsAre("early"));
  EXPECT_EQ(world_.now_micros(), 15);
  world_.RunFor(15);
  EXPECT_THAT(said_, ElementsAre("early", "late"));
}

TEST(WorldSeedTest, TheSeedDecidesAmongEventsOfOneTime) {
  const auto order_of = [](uint64_t seed) {
    World world(seed);
    std::vector<int> order;
    for (int i = 0; i < 10; ++i) {
      world.At(1, kNode, EventKind::kPost, [&order, i] { order.push_back(i); });
    }
    world.RunFor(1);
    return std::pair(order, world.digest());
  };
  EXPECT_EQ(order_of(1), order_of(1));
  EXPECT_NE(order_of(1).first, order_of(2).first);
}

TEST_F(WorldTest, ProgramsAndWorksWaitInVirtualTime) {
  OneShot<int> asked;
  OneShot<int> answered;
  world_.RunOnThread(
      kNode, 10, [&] { answered.Set(asked.Wait() + 1); }, Say("done"));
  world_.At(60 * kSecond, kNode, EventKind::kPost, [&] { asked.Set(1); });
  EXPECT_EQ(answered.WaitFor(1s), nullptr);
  EXPECT_EQ(world_.now_micros(), kSecond);
  EXPECT_EQ(world_.works_under_way(kNode), 1);
  EXPECT_EQ(answered.Wait(), 2);
  EXPECT_THAT(said_, ElementsAre("done"));
  EXPECT_EQ(world_.works_under_way(kNode), 0);
}

TEST_F(WorldTest, AWaitOfAWorkEndsWithItsTimeout) {
  OneShot<int> nothing;
  world_.RunOnThread(
      kNode, 0,
      [&] {
        EXPECT_EQ(nothing.WaitFor(5s), nullptr);
        EXPECT_EQ(MonotonicNanos(), 5 * kSecond * 1000);
      },
      Say("done"));
  world_.RunFor(10 * kSecond);
  EXPECT_THAT(said_, ElementsAre("done"));
}

TEST_F(WorldTest, WorksThatWaitDoNotWaitForOneAnother) {
  OneShot<int> first;
  OneShot<int> second;
  world_.RunOnThread(
      kNode, 0, [&] { first.Wait(); }, Say("first"));
  world_.RunOnThread(
      kNode, 1, [&] { second.Wait(); }, Say("second"));
  world_.RunFor(kSecond);
  first.Set(1);
  world_.After(1, kNode, EventKind::kPost, [] {});
  world_.RunFor(kSecond);
  EXPECT_THAT(said_, ElementsAre("first"));
  second.Set(1);
  world_.After(1, kNode, EventKind::kPost, [] {});
  world_.RunFor(kSecond);
  EXPECT_THAT(said_, ElementsAre("first", "second"));
}

TEST_F(WorldTest, NothingHappensAtANodeThatWasKilled) {
  OneShot<int> nothing;
  bool has_ended = false;
  world_.RunOnThread(
      kNode, 0,
      [&] {
        EXPECT_EQ(nothing.WaitFor(5s), nullptr);
        EXPECT_EQ(nothing.WaitFor(5s), nullptr);
        has_ended = true;
      },
      Say("done"));
  world_.At(10, kNode, EventKind::kPost, Say("too late"));
  world_.At(5, kOther, EventKind::kFault, [&] {
    world_.Kill(kNode);
    EXPECT_TRUE(has_ended);
  });
  world_.RunFor(kSecond);
  world_.At(kSecond, kNode, EventKind::kPost, Say("too late"));
  world_.RunOnThread(kNode, 0, Say("too late"), Say("too late"));
  world_.RunFor(kSecond);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(WorldTest, JoinedThreadsTakeTurns) {
  OneShot<int> asked;
  JoinedThread thread;
  world_.At(5, kNode, EventKind::kPost, [&] {
    thread = JoinedThread("test", [&] {
      EXPECT_EQ(world_.current_node(), kNode);
      asked.Wait();
      said_.push_back("thread");
    });
  });
  world_.RunOnThread(
      kNode, 1 * kSecond,
      [&] {
        thread.Join();
        said_.push_back("joined");
      },
      [] {});
  world_.RunFor(60 * kSecond);
  EXPECT_THAT(said_, IsEmpty());
  world_.After(1, kNode, EventKind::kPost, [&] { asked.Set(1); });
  world_.RunFor(kSecond);
  EXPECT_THAT(said_, ElementsAre("thread", "joined"));
}

TEST_F(WorldTest, AJoinedThreadOfANodeThatWasKilledEndsWhenItIsWaitedFor) {
  OneShot<int> nothing;
  JoinedThread thread;
  world_.At(5, kNode, EventKind::kPost, [&] {
    thread = JoinedThread("test", [&] {
      const int64_t begin_nanos = MonotonicNanos();
      while (MonotonicNanos() < begin_nanos + 60 * kSecond * 1000) nothing.WaitFor(5s);
      said_.push_back("thread");
    });
  });
  world_.RunFor(kSecond);
  world_.Kill(kNode);
  EXPECT_THAT(said_, IsEmpty());
  thread.Join();
  EXPECT_THAT(said_, ElementsAre("thread"));
  EXPECT_EQ(MonotonicNanos(), kSecond * 1000);
}

}  // namespace
}  // namespace millrace::sim
