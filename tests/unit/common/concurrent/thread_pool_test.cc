#include "common/concurrent/thread_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/barrier.h"
#include "absl/synchronization/notification.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST(ThreadPoolTest, RunsEverythingThatItTook) {
  std::atomic<int> ran = 0;
  ThreadPool pool({.name = "p", .threads = 3, .queue_max = 5000});
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(pool.TrySubmit([&ran] { ++ran; }).ok());
  pool.Stop();
  EXPECT_EQ(ran, 5000);
}

TEST(ThreadPoolTest, AllThreadsRunAtOnce) {
  constexpr int kThreads = 4;
  ThreadPool pool({.name = "p", .threads = kThreads});
  auto* all_running = new absl::Barrier(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    // Each waits for the others: with a thread less this would never end.
    const absl::Status status = pool.TrySubmit([all_running] {
      if (all_running->Block()) delete all_running;
    });
    ASSERT_TRUE(status.ok());
  }
  pool.Stop();
}

class FullThreadPoolTest : public ::testing::Test {
 protected:
  FullThreadPoolTest() {
    Expect(pool_.TrySubmit([this] {
      running_.Notify();
      release_.WaitForNotification();
    }));
    running_.WaitForNotification();
    Expect(pool_.TrySubmit([this] { ++ran_; }));
  }
  ~FullThreadPoolTest() override {
    if (!release_.HasBeenNotified()) release_.Notify();
  }
  static void Expect(const absl::Status& status) { EXPECT_TRUE(status.ok()) << status; }

  std::atomic<int> ran_ = 0;
  absl::Notification running_, release_;
  ThreadPool pool_{{.name = "small", .threads = 1, .queue_max = 1}};
};

TEST_F(FullThreadPoolTest, RefusesMoreAndLeavesTheClosureAlone) {
  EXPECT_EQ(pool_.queue_size(), 1u);
  ThreadPool::Closure refused = [this] { ran_ += 10; };
  const absl::Status status = pool_.TrySubmit(std::move(refused));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("thread pool small is full"));
  ASSERT_TRUE(refused != nullptr);  // NOLINT(bugprone-use-after-move): not moved from.
  release_.Notify();
  EXPECT_TRUE(pool_.Submit(std::move(refused), 1min).ok());
  pool_.Stop();
  EXPECT_EQ(ran_, 11);
}

TEST_F(FullThreadPoolTest, SubmitGivesUpAfterItsTimeout) {
  ThreadPool::Closure refused = [] {};
  EXPECT_EQ(pool_.Submit(std::move(refused), 1ms).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(refused != nullptr);  // NOLINT(bugprone-use-after-move): not moved from.
}

TEST_F(FullThreadPoolTest, SubmitWaitsForRoom) {
  std::thread submitter([this] {
    EXPECT_TRUE(pool_.Submit([this] { ++ran_; }, 1min).ok());
    EXPECT_TRUE(release_.HasBeenNotified());
  });
  for (int i = 0; i < 100; ++i) std::this_thread::yield();  // Let one that does not wait pass.
  release_.Notify();
  submitter.join();
  pool_.Stop();
  EXPECT_EQ(ran_, 2);
}

TEST(ThreadPoolTest, RefusesWorkOnceStopped) {
  ThreadPool pool({.name = "p", .threads = 2});
  pool.Stop();
  EXPECT_EQ(pool.TrySubmit([] {}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(pool.Submit([] {}, 1min).code(), absl::StatusCode::kFailedPrecondition);
  pool.Stop();
}

TEST(ThreadPoolTest, WakesAnIdleThreadForEverySubmission) {
  for (const auto spin_max : {0us, 20us}) {
    ThreadPool pool({.name = "p", .threads = 2, .spin_max = spin_max});
    for (int i = 0; i < 2000; ++i) {
      absl::Notification ran;
      ASSERT_TRUE(pool.TrySubmit([&ran] { ran.Notify(); }).ok());
      ran.WaitForNotification();
    }
  }
}

TEST(ThreadPoolTest, DropsAClosureAsSoonAsItRan) {
  ThreadPool pool({.name = "p", .threads = 1});
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> alive = held;
  ASSERT_TRUE(pool.TrySubmit([held = std::move(held)] {}).ok());
  bool alive_after = true;
  ASSERT_TRUE(pool.Submit([&] { alive_after = !alive.expired(); }, 1min).ok());
  pool.Stop();
  EXPECT_FALSE(alive_after);
}

TEST(ThreadPoolTest, AGuestRunsWhatIsSubmittedWhileItIsExpected) {
  absl::Notification busy;
  absl::Notification release;
  ThreadPool pool({.name = "p", .threads = 1});
  ASSERT_TRUE(pool.TrySubmit([&] {
                    busy.Notify();
                    release.WaitForNotification();
                  })
                  .ok());
  busy.WaitForNotification();
  const std::thread::id here = std::this_thread::get_id();
  std::thread::id ran_on;
  {
    ThreadPool::Guest guest(pool);
    EXPECT_FALSE(pool.IsOwnThread());
    ASSERT_TRUE(pool.TrySubmit([&] {
                      ran_on = std::this_thread::get_id();
                      EXPECT_TRUE(pool.IsOwnThread());
                    })
                    .ok());
    EXPECT_TRUE(guest.RunOne());
    EXPECT_FALSE(guest.RunOne());
  }
  EXPECT_EQ(ran_on, here);
  release.Notify();
}

TEST(ThreadPoolTest, WhatAGuestLeavesIsRunByOthers) {
  absl::Notification ran;
  ThreadPool pool({.name = "p", .threads = 1});
  {
    const ThreadPool::Guest guest(pool);
    ASSERT_TRUE(pool.TrySubmit([&ran] { ran.Notify(); }).ok());
  }
  ran.WaitForNotification();
}

TEST(ThreadPoolTest, AGuestThatFoundNothingIsNotWaitedFor) {
  absl::Notification ran;
  ThreadPool pool({.name = "p", .threads = 1});
  ThreadPool::Guest guest(pool);
  while (guest.RunOne()) {
  }
  ASSERT_TRUE(pool.TrySubmit([&ran] { ran.Notify(); }).ok());
  ran.WaitForNotification();
}

// A thread that starts, or comes back from what it did before, may look at the queue first; sooner
// or later all others sleep.
TEST(ThreadPoolTest, AThreadThatIsAboutToBeFreeTakesWhatItHasSubmitted) {
  std::thread::id first;
  std::thread::id second;
  ThreadPool pool({.name = "p", .threads = 4});
  do {
    absl::Notification ran;
    ASSERT_TRUE(pool.TrySubmit([&] {
                      first = std::this_thread::get_id();
                      pool.AboutToBeFree();
                      const absl::Status status = pool.TrySubmit([&] {
                        second = std::this_thread::get_id();
                        ran.Notify();
                      });
                      EXPECT_TRUE(status.ok()) << status;
                    })
                    .ok());
    ran.WaitForNotification();
  } while (first != second);
}

TEST(ThreadPoolTest, NothingIsLeftBehindWhoeverComesAndGoes) {
  std::atomic<int> ran = 0;
  absl::Notification last;
  ThreadPool pool({.name = "p", .threads = 2, .queue_max = 100'000});
  std::vector<std::thread> guests;
  for (int i = 0; i < 2; ++i) {
    guests.emplace_back([&] {
      for (int round = 0; round < 2000; ++round) {
        ThreadPool::Guest guest(pool);
        const absl::Status status = pool.TrySubmit([&] {
          ++ran;
          pool.AboutToBeFree();
          const absl::Status more = pool.TrySubmit([&ran] { ++ran; });
          EXPECT_TRUE(more.ok()) << more;
        });
        EXPECT_TRUE(status.ok()) << status;
        for (int left = round % 3; left > 0 && guest.RunOne(); --left) {
        }
      }
    });
  }
  for (std::thread& guest : guests) guest.join();
  ASSERT_TRUE(pool.TrySubmit([&last] { last.Notify(); }).ok());
  last.WaitForNotification();  // Without a Stop, which would run what was forgotten.
  while (ran < 8000) std::this_thread::yield();
  EXPECT_EQ(ran, 8000);
}

}  // namespace
}  // namespace millrace
