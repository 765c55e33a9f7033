#include "driver/event/listener_bus.h"

#include <stdexcept>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_env.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;

class TimesListener : public StreamingListener {
 public:
  void OnStreamingStarted(Time time) override {
    times.push_back(time.ms());
    if (throws) throw std::runtime_error("no");
  }
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
  std::shared_ptr<ListenerBus> bus_ = std::make_shared<ListenerBus>(env_, /*queue_max=*/3);
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

TEST_F(ListenerBusTest, OfTooManyWaitingEventsTheOldestAreDropped) {
  const auto listener = AddListener();
  env_.HoldJobs(true);
  Post(0);  // Under way.
  for (int64_t ms = 1; ms <= 5; ++ms) Post(ms);
  env_.HoldJobs(false);
  env_.RunUntilIdle();
  EXPECT_THAT(listener->times, ElementsAre(0, 3, 4, 5));
  EXPECT_EQ(bus_->dropped_count(), 2);
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

TEST_F(ListenerBusTest, StopsAtOnceWithNothingToDeliver) {
  bool drained = false;
  bus_->Stop([&drained] { drained = true; });
  EXPECT_TRUE(drained);
}

}  // namespace
}  // namespace millrace::internal
