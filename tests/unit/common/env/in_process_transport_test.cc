#include "common/env/in_process_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "tests/support/fake_env.h"
#include "tests/support/memory_file_system.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

proto::ToWorker Cancel(int64_t task_id) {
  proto::ToWorker message;
  message.mutable_cancel_task()->set_task_id(task_id);
  return message;
}

proto::ToDriver Status(int64_t task_id) {
  proto::ToDriver message;
  message.mutable_task_status()->set_task_id(task_id);
  return message;
}

class InProcessTransportTest : public ::testing::Test {
 protected:
  InProcessTransportTest() {
    transport_.ConnectDriver(
        [this](proto::ToDriver message) { at_driver_.push_back(message.task_status().task_id()); });
    to_driver_ = &transport_.ConnectWorker(1, [this](proto::ToWorker message) {
      at_worker_.push_back(message.cancel_task().task_id());
      // An answer from within the handler must not reach the driver within it.
      to_driver_->SendToDriver(Status(message.cancel_task().task_id() * 10));
      EXPECT_THAT(at_driver_, IsEmpty());
    });
  }

  MemoryFileSystem fs_;
  FakeEnv env_{fs_};
  InProcessTransport transport_{env_};
  WorkerTransport* to_driver_ = nullptr;
  std::vector<int64_t> at_driver_, at_worker_;
};

TEST_F(InProcessTransportTest, MessagesArriveInOrderOnTurnsOfTheirOwn) {
  transport_.SendToWorker(1, Cancel(1));
  transport_.SendToWorker(1, Cancel(2));
  EXPECT_THAT(at_worker_, IsEmpty());
  env_.RunUntilIdle();
  EXPECT_THAT(at_worker_, ElementsAre(1, 2));
  EXPECT_THAT(at_driver_, ElementsAre(10, 20));
}

TEST_F(InProcessTransportTest, AMessageToNobodyIsLost) {
  transport_.SendToWorker(2, Cancel(1));
  env_.RunUntilIdle();
  EXPECT_THAT(at_worker_, IsEmpty());
}

TEST_F(InProcessTransportTest, ADisconnectionLosesWhatIsUnderWay) {
  transport_.SendToWorker(1, Cancel(1));
  to_driver_->SendToDriver(Status(5));
  transport_.DisconnectWorker(1, absl::UnavailableError("a test"));
  transport_.DisconnectWorker(1, absl::UnavailableError("a test"));
  env_.RunUntilIdle();
  EXPECT_THAT(at_worker_, IsEmpty());
  EXPECT_THAT(at_driver_, IsEmpty());

  std::vector<int64_t> at_new_worker;
  transport_.ConnectWorker(1, [&](proto::ToWorker message) {
    at_new_worker.push_back(message.cancel_task().task_id());
  });
  transport_.SendToWorker(1, Cancel(7));
  env_.RunUntilIdle();
  EXPECT_THAT(at_new_worker, ElementsAre(7));
}

}  // namespace
}  // namespace millrace
