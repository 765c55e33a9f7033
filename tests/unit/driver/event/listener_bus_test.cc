#include "driver/event/listener_bus.h"

#include <stdexcept>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_env.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kMicrosPerSecond = 1'000'000;

class TimesListener : public StreamingListener {
 public:
  void OnStreamingStarted(Time time) override {
    times.push_back(time.ms());
    if (throws) throw std::runtime_error("no");
  }
  void OnEventsDropped(int64_t count) override { times.push_back(-count); }
  bool throws = false;
  std::vector<int64_t> times;
};

class ListenerBusTest : public ::testing::Test {
 protected:
  void Post(int64_t ms) {
    bus_->Post([ms](StreamingListener& listener) { listener.OnStreamingStarted(Time(ms)); });
  }
  std::shared_ptr<TimesListener> AddListener() {
    auto listener = std::make_shared<TimesListener>();
    bus_->Add(listener);
    return listener;
  }

  MemoryFileSystem fs_;
  FakeEnv env_{fs_};
  std::shared_ptr<ListenerBus> bus_ = std::make_shared<ListenerBus>(
      env_, ListenerBus::Options{.queue_max = 3, .deliveries_max = 2});
};

TEST_F(ListenerBusTest, DeliversInOrder) {
  const auto listener = AddListener();
  for (int64_t ms = 1; ms <= 3; ++ms) Post(ms);
  env_.RunUntilIdle();
  EXPECT_THAT(listener->times, ElementsAre(1, 2, 3));
}

TEST_F(ListenerBusTest, WhereNobodyListensNothingIsDone) {
  EXPECT_FALSE(bus_->has_listeners());
  Post(1);
  EXPECT_EQ(env_.job_count(), 0u);
}

TEST_F(ListenerBusTest, WhoListensToTroubleAloneCostsNothingWhenAllGoesWell) {
  const auto troubles = std::make_shared<TimesListener>();
  bus_->Add(troubles, "troubles", ListensTo::kTrouble);
  EXPECT_FALSE(bus_->has_listeners());
  Post(1);
  EXPECT_EQ(env_.job_count(), 0u);
  const auto all = AddListener();
  EXPECT_TRUE(bus_->has_listeners());
  Post(2);
  bus_->PostTrouble([](StreamingListener& listener) { listener.OnStreamingStarted(Time(3)); });
  env_.RunUntilIdle();
  EXPECT_THAT(troubles->times, ElementsAre(3));
  EXPECT_THAT(all->times, ElementsAre(2, 3));
}

TEST_F(ListenerBusTest, AListenerHearsOfWhatComesAfterIt) {
  AddListener();
  Post(1);
  const auto late = AddListener();
  Post(2);
  env_.RunUntilIdle();
  EXPECT_THAT(late->times, ElementsAre(2));
}

TEST_F(ListenerBusTest, OneThatThrowsHarmsNobody) {
  const auto bad = AddListener();
  bad->throws = true;
  const auto good = AddListener();
  Post(1);
  Post(2);
  env_.RunUntilIdle();
  EXPECT_THAT(good->times, ElementsAre(1, 2));
  EXPECT_THAT(bad->times, ElementsAre(1, 2));
}

TEST_F(ListenerBusTest, OnlyOneDeliveryIsUnderWay) {
  AddListener();
  env_.HoldJobs(true);
  Post(1);
  Post(2);
  EXPECT_EQ(env_.job_count(), 1u);
}

TEST_F(ListenerBusTest, ASlowListenerDelaysNoOther) {
  const auto slow = AddListener();
  const auto quick = AddListener();
  env_.HoldJobs(true);
  Post(1);
  ASSERT_EQ(env_.job_count(), 2u);
  env_.RotateJobs();  // The slow one's delivery is held.
  for (int64_t ms = 2; ms <= 4; ++ms) {
    env_.RunNextJob();
    env_.RunUntilIdle();
    env_.RotateJobs();
    Post(ms);
    env_.RotateJobs();
  }
  env_.RunNextJob();
  env_.RunUntilIdle();
  EXPECT_THAT(quick->times, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(slow->times, IsEmpty());
  env_.HoldJobs(false);
  env_.RunUntilIdle();
  EXPECT_THAT(slow->times, ElementsAre(1, 2, 3, 4)) << "late, and all of it";
}

// However many hang, job threads are left for the batches.
TEST_F(ListenerBusTest, ListenersTakeNoMoreThanTheirShareOfTheJobThreads) {
  std::vector<std::shared_ptr<TimesListener>> listeners;
  for (int i = 0; i < 5; ++i) listeners.push_back(AddListener());
  env_.HoldJobs(true);
  Post(1);
  Post(2);
  EXPECT_EQ(env_.job_count(), 2u);
  env_.HoldJobs(false);
  env_.RunUntilIdle();
  for (const auto& listener : listeners) EXPECT_THAT(listener->times, ElementsAre(1, 2));
}

TEST_F(ListenerBusTest, OfTooManyWaitingEventsTheOldestAreDroppedAndTold) {
  const auto slow = AddListener();
  const auto quick = AddListener();
  env_.HoldJobs(true);
  Post(0);
  env_.RotateJobs();
  env_.RunNextJob();
  env_.RunUntilIdle();  // Of the slow one's, the first event is under way.
  for (int64_t ms = 1; ms <= 3; ++ms) Post(ms);
  env_.RotateJobs();
  env_.RunNextJob();
  env_.RunUntilIdle();
  for (int64_t ms = 4; ms <= 5; ++ms) Post(ms);
  env_.HoldJobs(false);
  env_.RunUntilIdle();
  EXPECT_THAT(slow->times, ElementsAre(0, -2, 3, 4, 5));
  EXPECT_THAT(quick->times, ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(bus_->dropped_count(), 2);
}

TEST_F(ListenerBusTest, ManyWaitingEventsComeInOrder) {
  bus_ = std::make_shared<ListenerBus>(env_);
  const auto listener = AddListener();
  env_.HoldJobs(true);
  std::vector<int64_t> posted;
  for (int64_t ms = 1; ms <= 1000; ++ms) {
    Post(ms);
    posted.push_back(ms);
  }
  env_.HoldJobs(false);
  env_.RunUntilIdle();
  EXPECT_EQ(listener->times, posted);
}

TEST_F(ListenerBusTest, AfterStopOnlyWhatWasPostedBeforeIsDelivered) {
  const auto listener = AddListener();
  Post(1);
  bool drained = false;
  bus_->Stop([&drained] { drained = true; });
  Post(2);
  EXPECT_FALSE(drained);
  env_.RunUntilIdle();
  EXPECT_TRUE(drained);
  EXPECT_THAT(listener->times, ElementsAre(1));
}

TEST_F(ListenerBusTest, AStopWaitsForSlowListenersOnlySoLong) {
  const auto listener = AddListener();
  env_.HoldJobs(true);
  Post(1);
  Post(2);
  Post(3);
  bool drained = false;
  bus_->Stop([&drained] { drained = true; });
  env_.Advance(10 * kMicrosPerSecond - 1);
  EXPECT_FALSE(drained);
  env_.Advance(1);
  EXPECT_TRUE(drained);
  EXPECT_EQ(bus_->dropped_count(), 2);
  env_.HoldJobs(false);
  env_.RunUntilIdle();
  EXPECT_THAT(listener->times, IsEmpty()) << "what was under way ends too";
  EXPECT_EQ(env_.timer_count(), 0u);
}

TEST_F(ListenerBusTest, StopsAtOnceWithNothingToDeliver) {
  bool drained = false;
  bus_->Stop([&drained] { drained = true; });
  EXPECT_TRUE(drained);
}

}  // namespace
}  // namespace millrace::internal
