#include "common/concurrent/event_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/time/system_clock.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class EventLoopTest : public ::testing::Test {
 protected:
  // Returns when the loop has run all that was posted before.
  void Drain() {
    absl::Notification drained;
    ASSERT_TRUE(loop_.Post([&drained] { drained.Notify(); }));
    drained.WaitForNotification();
  }

  // Runs `f` on the loop, on this thread: the loop sleeps once it has run everything, which takes
  // it a moment.
  void OnBorrowedLoop(std::function<void()> f) {
    bool has_run = false;
    while (!has_run) {
      absl::Notification looked;
      ASSERT_TRUE(loop_.PostAndRun([&, caller = std::this_thread::get_id()] {
        has_run = caller == std::this_thread::get_id();
        if (has_run) f();
        looked.Notify();
      }));
      looked.WaitForNotification();
    }
  }

  // The loop's own: no lock needed. Read after Drain.
  std::vector<int> log_;
  EventLoop loop_{{.name = "test_loop", .spin_max = 0us, .posts_max = 1000}};
};

TEST_F(EventLoopTest, RunsPostsInTheirOrder) {
  std::vector<int> expected(500);
  std::iota(expected.begin(), expected.end(), 0);
  for (int i : expected) ASSERT_TRUE(loop_.Post([this, i] { log_.push_back(i); }));
  Drain();
  EXPECT_EQ(log_, expected);
}

TEST_F(EventLoopTest, RunsOnItsOwnThreadOnly) {
  EXPECT_FALSE(loop_.InLoopThread());
  bool inside = false;
  loop_.Post([&] { inside = loop_.InLoopThread(); });
  Drain();
  EXPECT_TRUE(inside);
}

TEST_F(EventLoopTest, AThreadRunsASleepingLoopInItsStead) {
  bool posted_ran = false;
  OnBorrowedLoop([&] {
    EXPECT_TRUE(loop_.InLoopThread());
    loop_.Post([&posted_ran] { posted_ran = true; });
  });
  EXPECT_FALSE(loop_.InLoopThread());
  Drain();
  EXPECT_TRUE(posted_ran);
}

TEST_F(EventLoopTest, WhatManyThreadsPostRunsOneAtATimeWhoeverRunsIt) {
  constexpr int kPosters = 4;
  constexpr int kPosts = 3000;
  std::vector<int> next(kPosters, 0);
  int runs = 0;  // Not atomic: a closure that ran beside another would be a race.
  int timer_runs = 0;
  std::vector<std::thread> posters;
  for (int p = 0; p < kPosters; ++p) {
    posters.emplace_back([&, p] {
      for (int i = 0; i < kPosts; ++i) {
        auto closure = [&, p, i] {
          EXPECT_EQ(next[p], i);
          next[p] = i + 1;
          ++runs;
          loop_.Post([&runs] { ++runs; });
          if (i % 100 == 0) loop_.PostAfter(10us, [&timer_runs] { ++timer_runs; });
        };
        if (i % 3 == 0) {
          loop_.Post(std::move(closure));
        } else {
          loop_.PostAndRun(std::move(closure));
        }
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  // A timer that a borrower has set wakes the loop's own thread.
  absl::Notification all_timers;
  std::function<void()> look = [&] {
    if (timer_runs == kPosters * kPosts / 100) return all_timers.Notify();
    loop_.PostAfter(100us, [&look] { look(); });
  };
  loop_.PostAndRun([&look] { look(); });
  all_timers.WaitForNotification();
  Drain();
  EXPECT_EQ(runs, 2 * kPosters * kPosts);
}

TEST_F(EventLoopTest, ABorrowerGivesTheLoopBackAfterAWhile) {
  absl::Notification all_ran;
  std::atomic<int> chain{0};
  std::function<void()> again = [&] {
    if (++chain == 100'000) return all_ran.Notify();
    loop_.Post([&again] { again(); });
  };
  OnBorrowedLoop([&again] { again(); });
  // The rest is run by the loop's own thread.
  all_ran.WaitForNotification();
  EXPECT_EQ(chain, 100'000);
}

TEST_F(EventLoopTest, ABorrowedLoopStopsAfterWhatWasPosted) {
  OnBorrowedLoop([this] {
    loop_.Post([this] { log_.push_back(1); });
    loop_.Stop();
    EXPECT_FALSE(loop_.Post([this] { log_.push_back(2); }));
  });
  loop_.Stop();
  EXPECT_THAT(log_, ElementsAre(1));
  EXPECT_FALSE(loop_.PostAndRun([this] { log_.push_back(3); }));
  EXPECT_THAT(log_, ElementsAre(1));
}

TEST_F(EventLoopTest, KeepsEachPostersOrder) {
  constexpr int kPosters = 4;
  constexpr int kPosts = 2000;
  std::vector<int> next(kPosters, 0);
  std::vector<std::thread> posters;
  for (int p = 0; p < kPosters; ++p) {
    posters.emplace_back([&, p] {
      for (int i = 0; i < kPosts; ++i) {
        loop_.Post([&next, p, i] {
          EXPECT_EQ(next[p], i);
          next[p] = i + 1;
        });
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  Drain();
  EXPECT_THAT(next, ::testing::Each(kPosts));
}

TEST_F(EventLoopTest, ItsOwnPostsRunAfterThoseMadeBeforeThem) {
  absl::Notification first_runs, other_posted, last_ran;
  loop_.Post([&] {
    first_runs.Notify();
    other_posted.WaitForNotification();
    loop_.Post([&] {
      log_.push_back(2);
      loop_.Post([&] {
        log_.push_back(4);
        last_ran.Notify();
      });
    });
    loop_.Post([this] { log_.push_back(3); });
    log_.push_back(0);
  });
  first_runs.WaitForNotification();
  loop_.Post([this] { log_.push_back(1); });
  other_posted.Notify();
  last_ran.WaitForNotification();
  EXPECT_THAT(log_, ElementsAre(0, 1, 2, 3, 4));
}

TEST_F(EventLoopTest, AChainOfOwnPostsDoesNotKeepOthersWaiting) {
  // Would never end if the loop ran its own posts to exhaustion first.
  std::function<void()> again = [&] { loop_.Post(again); };
  loop_.Post(again);
  Drain();
  loop_.Stop();
}

TEST_F(EventLoopTest, DropsAClosureAsSoonAsItRan) {
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> alive = held;
  bool alive_after = true;
  absl::Notification posted_both;
  loop_.Post([&posted_both] { posted_both.WaitForNotification(); });
  loop_.Post([held = std::move(held)] {});
  loop_.Post([&] { alive_after = !alive.expired(); });
  posted_both.Notify();
  Drain();
  EXPECT_FALSE(alive_after);
}

TEST_F(EventLoopTest, TimersRunInTheOrderOfTheirDeadlines) {
  absl::Notification last_ran;
  const int64_t now_ns = MonotonicNanos();
  loop_.PostAt(now_ns + 3'000'000, [&] {
    log_.push_back(3);
    EXPECT_GE(MonotonicNanos(), now_ns + 3'000'000);
    last_ran.Notify();
  });
  loop_.PostAt(now_ns + 1'000'000, [&] {
    log_.push_back(1);
    EXPECT_GE(MonotonicNanos(), now_ns + 1'000'000);
  });
  loop_.PostAt(now_ns + 2'000'000, [&] { log_.push_back(2); });
  loop_.PostAt(now_ns - 1'000'000, [&] { log_.push_back(0); });
  last_ran.WaitForNotification();
  EXPECT_THAT(log_, ElementsAre(0, 1, 2, 3));
}

TEST_F(EventLoopTest, TimersOfOneDeadlineRunInTheOrderOfSetting) {
  const int64_t deadline_ns = MonotonicNanos() + 1'000'000;
  absl::Notification last_ran;
  for (int i = 0; i < 3; ++i) loop_.PostAt(deadline_ns, [this, i] { log_.push_back(i); });
  loop_.PostAt(deadline_ns, [&] { last_ran.Notify(); });
  last_ran.WaitForNotification();
  EXPECT_THAT(log_, ElementsAre(0, 1, 2));
}

TEST_F(EventLoopTest, ANewEarlierTimerWakesTheSleepingLoop) {
  absl::Notification ran;
  loop_.PostAfter(1h, [] { FAIL() << "a timer of an hour"; });
  Drain();
  loop_.PostAfter(1ms, [&] { ran.Notify(); });
  ran.WaitForNotification();
}

TEST_F(EventLoopTest, ACancelledTimerNeverRuns) {
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> alive = held;
  const EventLoop::TimerId timer =
      loop_.PostAfter(1h, [held = std::move(held)] { FAIL() << "cancelled"; });
  EXPECT_TRUE(loop_.Cancel(timer));
  EXPECT_TRUE(alive.expired());
  EXPECT_FALSE(loop_.Cancel(timer));
  EXPECT_FALSE(loop_.Cancel(timer + 100));
}

TEST_F(EventLoopTest, ADueTimerMayCancelTheNextDueOne) {
  absl::Notification done;
  loop_.Post([&] {  // Both become due before the loop looks at its timers.
    const int64_t now_ns = MonotonicNanos();
    const EventLoop::TimerId second = loop_.PostAt(now_ns, [this] { log_.push_back(2); });
    loop_.PostAt(now_ns - 1, [this, second] {
      log_.push_back(1);
      EXPECT_TRUE(loop_.Cancel(second));
    });
    loop_.PostAt(now_ns, [&] { done.Notify(); });
  });
  done.WaitForNotification();
  EXPECT_THAT(log_, ElementsAre(1));
}

TEST_F(EventLoopTest, ATimerThatSetsItselfAgainDoesNotKeepPostsWaiting) {
  std::function<void()> again = [&] { loop_.PostAt(0, again); };
  loop_.PostAt(0, again);
  Drain();
  loop_.Stop();
}

TEST_F(EventLoopTest, StopRunsWhatWasPostedAndDropsTheRest) {
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> alive = held;
  for (int i = 0; i < 100; ++i) loop_.Post([this, i] { log_.push_back(i); });
  loop_.PostAfter(1h, [held = std::move(held)] {});
  loop_.Stop();
  EXPECT_EQ(log_.size(), 100u);
  EXPECT_TRUE(alive.expired());
  EXPECT_FALSE(loop_.Post([] { FAIL() << "posted after Stop"; }));
  EXPECT_FALSE(loop_.Cancel(loop_.PostAfter(0ns, [] { FAIL() << "set after Stop"; })));
  loop_.Stop();
}

TEST_F(EventLoopTest, CanBeStoppedFromItself) {
  absl::Notification stopped;
  bool accepted = true;
  loop_.Post([&] {
    loop_.Post([this] { log_.push_back(1); });
    loop_.Stop();
    accepted = loop_.Post([] { FAIL() << "posted after Stop"; });
    stopped.Notify();
  });
  stopped.WaitForNotification();
  loop_.Stop();
  EXPECT_FALSE(accepted);
  EXPECT_THAT(log_, ElementsAre(1));
}

TEST_F(EventLoopTest, AFullLoopMakesItsPostersWait) {
  EventLoop loop({.name = "full", .posts_max = 2});
  absl::Notification running, release;
  std::atomic<bool> released = false;
  loop.Post([&] {
    running.Notify();
    release.WaitForNotification();
  });
  running.WaitForNotification();
  loop.Post([] {});
  loop.Post([] {});
  absl::Notification posting;
  std::thread poster([&] {
    posting.Notify();
    EXPECT_TRUE(loop.Post([] {}));
    EXPECT_TRUE(released);
  });
  posting.WaitForNotification();
  for (int i = 0; i < 100; ++i) std::this_thread::yield();  // Let a poster that does not wait pass.
  released = true;
  release.Notify();
  poster.join();
}

TEST_F(EventLoopTest, SpinningLosesNoPost) {
  EventLoop loop({.name = "spinning", .spin_max = 20us});
  int count = 0;
  for (int i = 0; i < 2000; ++i) {
    absl::Notification ran;
    loop.Post([&] {
      ++count;
      ran.Notify();
    });
    if (i % 4 == 0) loop.Post([&count] { ++count; });
    ran.WaitForNotification();
  }
  loop.Stop();
  EXPECT_EQ(count, 2500);
}

}  // namespace
}  // namespace millrace
