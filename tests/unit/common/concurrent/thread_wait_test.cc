#include "common/concurrent/thread_wait.h"

#include <thread>

#include "common/concurrent/one_shot.h"
#include "common/concurrent/watched.h"
#include "gtest/gtest.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;

TEST(ThreadWaitTest, SleepsUntilTheConditionHolds) {
  absl::Mutex mutex;
  bool is_there = false;
  std::thread other([&] {
    const absl::MutexLock lock(&mutex);
    is_there = true;
  });
  {
    const absl::MutexLock lock(&mutex);
    EXPECT_TRUE(AwaitUnder(mutex, absl::Condition(&is_there), absl::InfiniteDuration()));
  }
  other.join();
}

TEST(ThreadWaitTest, EndsWithTheTimeout) {
  absl::Mutex mutex;
  const bool is_there = false;
  const absl::MutexLock lock(&mutex);
  EXPECT_FALSE(AwaitUnder(mutex, absl::Condition(&is_there), absl::Milliseconds(1)));
}

// Does what is waited for, in the place of all others.
class Doer final : public ThreadWaiter {
 public:
  Doer() { Set(this); }
  ~Doer() override { Set(nullptr); }
  bool Await(absl::Mutex& mutex, const absl::Condition& condition,
             absl::Duration timeout) override ABSL_NO_THREAD_SAFETY_ANALYSIS {
    timeouts.push_back(timeout);
    mutex.Unlock();
    if (act) act();
    mutex.Lock();
    return condition.Eval();
  }

  std::function<void()> act;
  std::vector<absl::Duration> timeouts;
};

TEST(ThreadWaitTest, AWaiterStandsInForItsThread) {
  Doer doer;
  OneShot<int> result;
  doer.act = [&] { result.Set(3); };
  EXPECT_EQ(result.Wait(), 3);
  OneShot<int> nothing;
  doer.act = nullptr;
  EXPECT_EQ(nothing.WaitFor(2s), nullptr);
  Watched<int> count;
  doer.act = [&] { count.Update([](int& value) { ++value; }); };
  EXPECT_EQ(
      count.WaitUntil([](int value) { return value == 1; }, 3s, [](int value) { return value; }),
      1);
  EXPECT_EQ(doer.timeouts, (std::vector<absl::Duration>{absl::InfiniteDuration(), absl::Seconds(2),
                                                        absl::Seconds(3)}));
}

}  // namespace
}  // namespace millrace
