#include "executor/receiver/receiver_supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "executor/block/block_store.h"
#include "executor/block/spill_dir.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Event = ReceiverSupervisor::Event;

// A receiver that does what the test says, and can be told things from outside.
class ScriptedReceiver : public ReceiverBase {
 public:
  std::function<void(ScriptedReceiver&)> on_start = [](ScriptedReceiver&) {};
  std::function<void(ScriptedReceiver&)> on_stop = [](ScriptedReceiver&) {};

  void OnStart() override { on_start(*this); }
  void OnStop() override { on_stop(*this); }

  using ReceiverBase::IsStarted;
  using ReceiverBase::IsStopped;
  using ReceiverBase::ReportError;
  using ReceiverBase::Restart;
  using ReceiverBase::Stop;
  using ReceiverBase::StoreEncoded;
  using ReceiverBase::StoreEncodedBlock;
  using ReceiverBase::stream_id;
};

class ReceiverSupervisorTest : public ::testing::Test {
 protected:
  ReceiverSupervisorTest() : disk_(fs_, "/spill"), store_(budget_, disk_) {
    auto receiver = std::make_unique<ScriptedReceiver>();
    receiver_ = receiver.get();
    supervisor_ = std::make_unique<ReceiverSupervisor>(
        ReceiverSupervisor::Options{.blocks = {.stream_id = 3},
                                    .name = "test",
                                    .restart_delay = std::chrono::milliseconds(1)},
        std::move(receiver), store_,
        ReceiverSupervisor::Callbacks{
            .on_event =
                [this](Event event, const std::string& message, const std::string& error) {
                  absl::MutexLock lock(&mutex_);
                  events_.push_back(Name(event) + ": " + message + error);
                },
            .on_reports = [] {}});
  }

  static std::string Name(Event event) {
    return event == Event::kStarted ? "started" : event == Event::kError ? "error" : "stopped";
  }

  std::vector<std::string> AwaitEvents(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return events_.size() >= count;
    };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(30)));
    return events_;
  }

  MemoryFileSystem fs_;
  MemoryBudget budget_{1 << 20};
  SpillDir disk_;
  BlockStore store_;
  ScriptedReceiver* receiver_;
  absl::Mutex mutex_;
  std::vector<std::string> events_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<ReceiverSupervisor> supervisor_;
};

TEST_F(ReceiverSupervisorTest, StartsStopsAndReportsEverythingBeforeItSaysSo) {
  std::thread thread;
  receiver_->on_start = [&](ScriptedReceiver& receiver) {
    thread = std::thread([&] {
      while (!receiver.IsStopped() && receiver.StoreEncoded("r")) {
      }
    });
  };
  receiver_->on_stop = [&](ScriptedReceiver&) { thread.join(); };
  supervisor_->Launch();
  AwaitEvents(1);
  supervisor_->RequestStop("enough");
  EXPECT_THAT(AwaitEvents(2), ElementsAre("started: ", "stopped: enough"));
  int64_t records = 0;
  for (const proto::BlockReport& report : supervisor_->generator().TakeReports(1)) {
    for (const proto::StoredBlock& block : report.blocks()) {
      EXPECT_TRUE(store_.Contains(StoreKey::Block(3, block.id().sequence())));
      records += block.record_count();
    }
  }
  EXPECT_EQ(records, static_cast<int64_t>(budget_.used_bytes()));
  EXPECT_FALSE(receiver_->StoreEncoded("too late"));
  EXPECT_TRUE(absl::IsCancelled(receiver_->StoreEncodedBlock(std::string("too late"), 1)));
}

TEST_F(ReceiverSupervisorTest, RestartsAfterTheDelayAndSaysWhy) {
  int starts = 0;
  int stops = 0;
  receiver_->on_start = [&](ScriptedReceiver& receiver) {
    if (++starts > 1) return;  // The stop may have been asked for by now.
    EXPECT_TRUE(receiver.IsStarted());
    receiver.Restart("connection lost");
    receiver.Restart("connection lost, said by another thread");
    EXPECT_TRUE(receiver.IsStopped());
  };
  receiver_->on_stop = [&](ScriptedReceiver&) { ++stops; };
  supervisor_->Launch();
  AwaitEvents(3);
  supervisor_->RequestStop("done");
  EXPECT_THAT(AwaitEvents(4),
              ElementsAre("started: ", "error: connection lost; starting again in 1 ms",
                          "started: ", "stopped: done"));
  EXPECT_EQ(starts, 2);
  EXPECT_EQ(stops, 2);
}

TEST_F(ReceiverSupervisorTest, AStopEndsAWaitForTheRestart) {
  receiver_->on_start = [&](ScriptedReceiver& receiver) {
    receiver.Restart("later", std::chrono::hours(10));
  };
  supervisor_->Launch();
  AwaitEvents(2);
  supervisor_->RequestStop("done");
  EXPECT_THAT(AwaitEvents(3), ElementsAre("started: ", HasSubstr("later"), "stopped: done"));
}

TEST_F(ReceiverSupervisorTest, AnExceptionEndsTheReceiverWithThatError) {
  receiver_->on_start = [](ScriptedReceiver&) { throw std::runtime_error("no such queue"); };
  supervisor_->Launch();
  EXPECT_THAT(AwaitEvents(2),
              ElementsAre("started: ", "stopped: the receiver failedOnStart threw: no such queue"));
}

TEST_F(ReceiverSupervisorTest, AnExceptionInOnStopIsToldToo) {
  receiver_->on_stop = [](ScriptedReceiver&) { throw 5; };
  supervisor_->Launch();
  AwaitEvents(1);
  supervisor_->RequestStop("done");
  EXPECT_THAT(AwaitEvents(2)[1], HasSubstr("OnStop threw: something that is not"));
}

TEST_F(ReceiverSupervisorTest, AReceiverMayEndItself) {
  receiver_->on_start = [](ScriptedReceiver& receiver) {
    EXPECT_EQ(receiver.stream_id(), 3);
    receiver.ReportError("half of it is broken");
    receiver.Stop("the source is finished");
  };
  supervisor_->Launch();
  EXPECT_THAT(AwaitEvents(3), ElementsAre("started: ", "error: half of it is broken",
                                          "stopped: the source is finished"));
}

TEST_F(ReceiverSupervisorTest, AnOnStartThatBlocksIsEndedByIsStopped) {
  receiver_->on_start = [](ScriptedReceiver& receiver) {
    while (receiver.StoreEncoded("r")) {
    }
  };
  supervisor_->Launch();
  AwaitEvents(1);
  supervisor_->RequestStop("done");
  EXPECT_THAT(AwaitEvents(2), ElementsAre("started: ", "stopped: done"));
}

TEST_F(ReceiverSupervisorTest, StoresForTheEventLoopWhatMustWait) {
  StoreData filler{.buffers = {Buffer(std::string(1 << 20, 'f'))},
                   .level = StorageLevel::kMemoryOnly};
  ASSERT_TRUE(store_.Put(StoreKey::Block(1, 1), filler).ok());
  fs_.SetCapacity(0);
  supervisor_->Launch();
  AwaitEvents(1);
  ASSERT_TRUE(receiver_->StoreEncoded("record"));
  supervisor_->generator().Cut(1);
  supervisor_->generator().TryStorePending();
  EXPECT_FALSE(store_.Contains(StoreKey::Block(3, 0)));
  // Goes behind the block that is waited for.
  std::thread reliable(
      [this] { EXPECT_TRUE(receiver_->StoreEncodedBlock(std::string("second"), 1).ok()); });
  store_.Drop(StoreKey::Block(1, 1));
  reliable.join();
  EXPECT_TRUE(store_.Contains(StoreKey::Block(3, 0)));
  EXPECT_TRUE(store_.Contains(StoreKey::Block(3, 1)));
}

}  // namespace
}  // namespace millrace::internal
