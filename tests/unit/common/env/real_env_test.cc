#include "common/env/real_env.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/time/system_clock.h"
#include "tests/support/memory_file_system.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RealEnvTest : public ::testing::Test {
 protected:
  static RealEnv::Options Options(bool manual) {
    return {.name = "test",
            .task_threads = 2,
            .job_threads = 2,
            .spin_max = 0us,
            .manual_wall_clock = manual};
  }
  // Runs `body` on the event loop and waits for it: where Env's methods are called.
  static void OnLoop(RealEnv& env, const std::function<void()>& body) {
    absl::Notification done;
    env.Post([&] {
      body();
      done.Notify();
    });
    done.WaitForNotification();
  }

  MemoryFileSystem fs_;
  std::vector<int> log_;  // The loop's own.
  RealEnv env_{Options(false), fs_};
  RealEnv manual_{Options(true), fs_};
};

TEST_F(RealEnvTest, RunsPostsInOrderOnOneThread) {
  std::thread::id first, second;
  env_.Post([&] {
    first = std::this_thread::get_id();
    log_.push_back(1);
  });
  OnLoop(env_, [&] {
    second = std::this_thread::get_id();
    log_.push_back(2);
  });
  EXPECT_THAT(log_, ElementsAre(1, 2));
  EXPECT_EQ(first, second);
  EXPECT_NE(first, std::this_thread::get_id());
}

// Which thread runs the loop then is the loop's business: the end may only come before or after
// other closures, never beside them.
TEST_F(RealEnvTest, WorkRunsOffTheLoopAndItsEndOnIt) {
  absl::Notification all_done;
  std::thread::id loop, task, job;
  auto held = std::make_shared<int>(1);
  std::weak_ptr<int> alive = held;
  OnLoop(env_, [&] {
    loop = std::this_thread::get_id();
    env_.RunTask([&, held = std::move(held)] { task = std::this_thread::get_id(); },
                 [&] {
                   EXPECT_TRUE(alive.expired());  // What the work held is gone by now.
                   env_.RunJob([&] { job = std::this_thread::get_id(); },
                               [&] { all_done.Notify(); });
                 });
  });
  all_done.WaitForNotification();
  EXPECT_NE(task, loop);
  EXPECT_NE(job, loop);
  EXPECT_NE(task, job);
}

TEST_F(RealEnvTest, JobsMayWaitForOneAnother) {
  absl::Notification first_runs, second_ran, done;
  OnLoop(env_, [&] {
    env_.RunJob(
        [&] {
          first_runs.Notify();
          second_ran.WaitForNotification();
        },
        [&] { done.Notify(); });
    env_.RunJob(
        [&] {
          first_runs.WaitForNotification();
          second_ran.Notify();
        },
        [] {});
  });
  done.WaitForNotification();
}

TEST_F(RealEnvTest, TimersRunInTheirOrderUnlessCancelled) {
  absl::Notification last;
  int64_t set_at = 0;
  OnLoop(env_, [&] {
    set_at = env_.MonotonicMicros();
    env_.After(2000, [&] {
      EXPECT_GE(env_.MonotonicMicros(), set_at + 2000);
      log_.push_back(2);
      last.Notify();
    });
    env_.After(1000, [&] { log_.push_back(1); });
    env_.Cancel(env_.After(500, [&] { log_.push_back(0); }));
    env_.Cancel(kNoTimer);
  });
  last.WaitForNotification();
  EXPECT_THAT(log_, ElementsAre(1, 2));
}

TEST_F(RealEnvTest, TheWallClockIsTheMachines) {
  const int64_t before = WallClockMicros();
  const int64_t now = env_.NowMicros();
  EXPECT_LE(before, now + 1'000'000);  // It may have been set back a little.
  EXPECT_GE(before, now - 60'000'000);
  absl::Notification ran;
  OnLoop(env_, [&] {
    const int64_t wall = env_.NowMicros() + 1000;
    env_.Cancel(env_.AtWall(wall, [&] { log_.push_back(0); }));
    env_.AtWall(wall, [&, wall] {
      EXPECT_GE(env_.NowMicros(), wall);
      ran.Notify();
    });
  });
  ran.WaitForNotification();
  EXPECT_THAT(log_, IsEmpty());
}

TEST_F(RealEnvTest, AManualClockMovesOnlyWhenTold) {
  EXPECT_EQ(manual_.NowMicros(), 0);
  OnLoop(manual_, [&] {
    manual_.AtWall(2'000'000, [&] { log_.push_back(2); });
    manual_.AtWall(1'000'000, [&] {
      EXPECT_EQ(manual_.NowMicros(), 1'000'000);
      log_.push_back(1);
    });
    manual_.AtWall(3'000'000, [&] { log_.push_back(3); });
    manual_.AtWall(0, [&] { log_.push_back(0); });  // Due already.
  });
  OnLoop(manual_, [&] { EXPECT_THAT(log_, ElementsAre(0)); });
  manual_.AdvanceWall(1s);
  OnLoop(manual_, [&] { EXPECT_THAT(log_, ElementsAre(0, 1)); });
  manual_.AdvanceWall(5s);
  OnLoop(manual_, [&] { EXPECT_THAT(log_, ElementsAre(0, 1, 2, 3)); });
  EXPECT_EQ(manual_.NowMicros(), 6'000'000);
}

TEST_F(RealEnvTest, ACancelledManualTimerNeverRuns) {
  OnLoop(manual_, [&] {
    const TimerId second = manual_.AtWall(1'000'000, [&] { log_.push_back(2); });
    // Both fall due at once; the first takes the second away.
    manual_.AtWall(500'000, [&, second] {
      log_.push_back(1);
      manual_.Cancel(second);
    });
  });
  manual_.AdvanceWall(2s);
  OnLoop(manual_, [&] { EXPECT_THAT(log_, ElementsAre(1)); });
}

TEST_F(RealEnvTest, WhatACancelledManualTimerHeldMayCallTheEnv) {
  OnLoop(manual_, [&] {
    auto cancels_another = std::shared_ptr<void>(
        nullptr, [&, other = manual_.AtWall(1'000'000, [] {})](void*) { manual_.Cancel(other); });
    manual_.Cancel(manual_.AtWall(1'000'000, [held = std::move(cancels_another)] {}));
  });
}

TEST_F(RealEnvTest, StopFinishesWhatRunsAndDropsTheRest) {
  absl::Notification running, stopping;
  bool finished = false;
  bool told = false;
  OnLoop(env_, [&] {
    env_.RunTask(
        [&] {
          running.Notify();
          stopping.WaitForNotification();
          finished = true;
        },
        [&] { told = true; });
  });
  running.WaitForNotification();
  std::thread stopper([&] { env_.Stop(); });
  stopping.Notify();
  stopper.join();
  EXPECT_TRUE(finished);
  EXPECT_TRUE(told);
  env_.Post([] { FAIL() << "posted after Stop"; });
  env_.RunTask([] { FAIL() << "run after Stop"; }, [] {});
  env_.Stop();
}

TEST_F(RealEnvTest, RandomNumbersDiffer) {
  OnLoop(env_, [&] { EXPECT_NE(env_.Random(), env_.Random()); });
}

TEST_F(RealEnvTest, FilesAreThoseItWasGiven) { EXPECT_EQ(&env_.fs(), &fs_); }

}  // namespace
}  // namespace millrace
