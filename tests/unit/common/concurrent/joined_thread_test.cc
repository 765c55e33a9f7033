#include "common/concurrent/joined_thread.h"

#include <thread>
#include <utility>

#include "common/concurrent/change_signal.h"
#include "gtest/gtest.h"

namespace millrace {
namespace {

TEST(JoinedThreadTest, IsWaitedFor) {
  bool has_run = false;
  JoinedThread thread("test", [&] { has_run = true; });
  thread.Join();
  EXPECT_TRUE(has_run);
  thread.Join();
}

TEST(JoinedThreadTest, WithoutABodyThereIsNothingToWaitFor) { JoinedThread().Join(); }

// Runs the body when it is waited for.
class LazyMaker final : public ThreadMaker {
 public:
  LazyMaker() { Set(this); }
  ~LazyMaker() override { Set(nullptr); }
  std::unique_ptr<Thread> Make(absl::AnyInvocable<void()> body) override {
    class Lazy final : public Thread {
     public:
      explicit Lazy(absl::AnyInvocable<void()> body) : body_(std::move(body)) {}
      void Join() override { body_(); }

     private:
      absl::AnyInvocable<void()> body_;
    };
    return std::make_unique<Lazy>(std::move(body));
  }
};

TEST(JoinedThreadTest, AnotherMakerTakesTheOperatingSystemsPlace) {
  const LazyMaker maker;
  int runs = 0;
  JoinedThread thread("test", [&] { ++runs; });
  EXPECT_EQ(runs, 0);
  thread.Join();
  thread.Join();
  EXPECT_EQ(runs, 1);
}

TEST(ChangeSignalTest, WakesWhoeverWaits) {
  absl::Mutex mutex;
  ChangeSignal changed;
  bool is_there = false;
  JoinedThread other("other", [&] {
    const absl::MutexLock lock(&mutex);
    is_there = true;
    changed.SignalAll();
  });
  {
    const absl::MutexLock lock(&mutex);
    while (!is_there) changed.WaitWithTimeout(&mutex, absl::InfiniteDuration());
  }
  other.Join();
}

TEST(ChangeSignalTest, AWaitEndsWithItsTimeout) {
  absl::Mutex mutex;
  ChangeSignal changed;
  const absl::MutexLock lock(&mutex);
  changed.WaitWithTimeout(&mutex, absl::Milliseconds(1));
}

}  // namespace
}  // namespace millrace
