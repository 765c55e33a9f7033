#include "driver/batch/worker_scaler.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_env.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr milliseconds kBatchInterval{100};
constexpr int64_t kIntervalMicros = 10'000'000;

struct NoTransport : DriverTransport {
  void SendToWorker(int64_t, proto::ToWorker) override {}
  void DisconnectWorker(int64_t, const absl::Status&) override {}
};

class WorkerScalerTest : public ::testing::Test, private WorkerSupply {
 protected:
  WorkerScalerTest() { scaler_.Start(); }

  void Join(int64_t id) {
    proto::WorkerHello hello;
    hello.set_task_slots(1);
    workers_.Add(id, hello);
  }
  // As many as were asked for.
  void JoinAll() {
    while (workers_.count() < count_) Join(++last_id_);
  }
  void RunBatches(int batches, milliseconds processing) {
    for (int i = 0; i < batches; ++i) scaler_.BatchCompleted(processing);
  }
  Worker& worker(int64_t id) { return *workers_.Find(id); }

  MemoryFileSystem fs_;
  FakeEnv env_{fs_};
  NoTransport transport_;
  WorkerRegistry workers_{transport_, 1};
  WorkerData data_{workers_};
  std::vector<int64_t> with_receiver_;
  int count_ = 1;
  std::vector<int> added_;
  std::vector<int64_t> retired_;
  WorkerScaler scaler_{{env_, workers_, data_, *this,
                        [this](int64_t id) {
                          return std::find(with_receiver_.begin(), with_receiver_.end(), id) !=
                                 with_receiver_.end();
                        }},
                       {.interval = milliseconds(kIntervalMicros / 1000), .workers_min = 1},
                       kBatchInterval};

 private:
  int count() const override { return count_; }
  int count_max() const override { return 6; }
  void Add(int workers) override {
    added_.push_back(workers);
    count_ += workers;
  }
  void Retire(int64_t worker_id, const std::string& /*reason*/) override {
    retired_.push_back(worker_id);
    --count_;
    workers_.Remove(worker_id);
  }

  int64_t last_id_ = 0;
};

TEST_F(WorkerScalerTest, TenBatchesThatTakeTooLongAreEnough) {
  JoinAll();
  RunBatches(9, milliseconds(150));
  EXPECT_THAT(added_, IsEmpty());
  RunBatches(1, milliseconds(150));
  EXPECT_THAT(added_, ElementsAre(2));
}

TEST_F(WorkerScalerTest, AFewAreLookedAtWhenTheIntervalIsOver) {
  JoinAll();
  RunBatches(1, milliseconds(95));
  env_.Advance(kIntervalMicros);
  EXPECT_THAT(added_, ElementsAre(1));
}

TEST_F(WorkerScalerTest, WhatWasAskedForMustComeFirst) {
  JoinAll();
  RunBatches(10, milliseconds(95));
  RunBatches(10, milliseconds(95));
  EXPECT_THAT(added_, ElementsAre(1)) << "the second worker is still on its way";
  JoinAll();
  RunBatches(10, milliseconds(95));
  EXPECT_THAT(added_, ElementsAre(1, 1));
}

TEST_F(WorkerScalerTest, ThereIsRoomForSoMany) {
  count_ = 5;
  JoinAll();
  RunBatches(10, milliseconds(1000));
  EXPECT_THAT(added_, ElementsAre(1));
  JoinAll();
  RunBatches(10, milliseconds(1000));
  EXPECT_THAT(added_, ElementsAre(1));
}

TEST_F(WorkerScalerTest, OneRetiresInAnIntervalWithLittleWork) {
  count_ = 3;
  JoinAll();
  RunBatches(100, milliseconds(5));
  EXPECT_THAT(retired_, IsEmpty());
  env_.Advance(kIntervalMicros);
  EXPECT_THAT(retired_, ElementsAre(3)) << "the youngest, which does nothing";
  RunBatches(100, milliseconds(5));
  env_.Advance(kIntervalMicros);
  EXPECT_THAT(retired_, ElementsAre(3, 2));
  RunBatches(100, milliseconds(5));
  env_.Advance(kIntervalMicros);
  EXPECT_THAT(retired_, ElementsAre(3, 2)) << "one must stay";
}

TEST_F(WorkerScalerTest, TheOneThatCostsTheLeastGoes) {
  count_ = 5;
  JoinAll();
  with_receiver_ = {5};
  data_.blocks.Add({.stream_id = 0, .sequence = 1}, 4);
  data_.states.Begin(7);
  data_.states.Place(7, 0, 3);
  data_.states.Place(7, 1, 2);
  data_.cached.Track(9);
  data_.cached.Add(9, 0, 3);
  data_.states.Place(7, 2, 1);
  data_.states.Place(7, 3, 1);
  RunBatches(1, milliseconds(5));
  env_.Advance(kIntervalMicros);
  EXPECT_THAT(retired_, ElementsAre(2))
      << "5 receives, 4 has the only copy of a block, 3 has a cached partition, 1 more state";
}

TEST_F(WorkerScalerTest, ABusyOneGetsNothingNewAndGoesWhenItIsThrough) {
  count_ = 2;
  JoinAll();
  worker(2).free_slots = 0;
  RunBatches(1, milliseconds(5));
  env_.Advance(kIntervalMicros);
  EXPECT_FALSE(worker(2).is_usable);
  EXPECT_THAT(retired_, IsEmpty());
  worker(2).free_slots = 1;
  worker(2).tasks_ahead = 1;
  RunBatches(1, milliseconds(5));
  EXPECT_THAT(retired_, IsEmpty());
  worker(2).tasks_ahead = 0;
  RunBatches(1, milliseconds(5));
  EXPECT_THAT(retired_, ElementsAre(2));
}

TEST_F(WorkerScalerTest, OneThatStaysBusyStays) {
  count_ = 2;
  JoinAll();
  worker(2).free_slots = 0;
  RunBatches(1, milliseconds(5));
  env_.Advance(kIntervalMicros);
  RunBatches(1, milliseconds(50));
  env_.Advance(kIntervalMicros);
  EXPECT_TRUE(worker(2).is_usable);
  worker(2).free_slots = 1;
  RunBatches(1, milliseconds(50));
  EXPECT_THAT(retired_, IsEmpty());
}

TEST_F(WorkerScalerTest, OneThatIsLostOnItsWayOutIsForgotten) {
  count_ = 2;
  JoinAll();
  worker(2).free_slots = 0;
  RunBatches(1, milliseconds(5));
  env_.Advance(kIntervalMicros);
  workers_.Remove(2);
  RunBatches(1, milliseconds(5));
  Join(3);
  RunBatches(1, milliseconds(50));
  EXPECT_TRUE(worker(3).is_usable);
  EXPECT_THAT(retired_, IsEmpty());
}

TEST_F(WorkerScalerTest, AStopEndsIt) {
  count_ = 2;
  JoinAll();
  worker(2).free_slots = 0;
  RunBatches(1, milliseconds(5));
  env_.Advance(kIntervalMicros);
  scaler_.Stop();
  EXPECT_TRUE(worker(2).is_usable);
  RunBatches(10, milliseconds(500));
  env_.Advance(kIntervalMicros);
  EXPECT_THAT(added_, IsEmpty());
}

}  // namespace
}  // namespace millrace::internal
