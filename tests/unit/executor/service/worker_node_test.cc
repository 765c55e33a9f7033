#include "executor/service/worker_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "common/time/system_clock.h"
#include "tests/support/fake_env.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class NoPeers : public PeerConnections {
 public:
  void Call(int64_t /*worker_id*/, proto::PeerRequest /*request*/, Done done) override {
    done(absl::UnavailableError("no such worker"));
  }
  void AddPeer(int64_t /*worker_id*/, std::string /*address*/) override {}
  void RemovePeer(int64_t /*worker_id*/) override {}
};

class WorkerNodeTest : public ::testing::Test, protected WorkerTransport {
 protected:
  WorkerNodeTest()
      : node_({.worker_id = 1,
               .memory_bytes = 1 << 20,
               .spill_path = "/spill",
               .nanos = &MonotonicNanos},
              {env_, fs_, *this, peers_}) {
    node_.MakeCore({});
  }

  void SendToDriver(proto::ToDriver message) override {
    if (message.has_block_report()) reports_.push_back(message.block_report());
    if (message.has_hello()) hellos_.push_back(message.hello());
  }
  // A copy of a block of worker 2; returns the answer's error.
  int PutCopy(int64_t sequence = 5) {
    proto::PeerRequest request;
    proto::PutBlock& put = *request.mutable_put_block();
    put.set_receiving_worker(2);
    put.mutable_block()->mutable_id()->set_sequence(sequence);
    put.set_storage_level(3);
    put.add_buffers("bytes");
    int error = -1;
    node_.HandlePeer(std::move(request),
                     [&](const proto::PeerReply& reply) { error = reply.error_code(); });
    return error;
  }
  void SayThatWorker2IsGone(int64_t driver_epoch) {
    proto::ToWorker message;
    message.set_driver_epoch(driver_epoch);
    message.mutable_peers()->add_removed(2);
    node_.Handle(std::move(message));
  }

  MemoryFileSystem fs_;
  FakeEnv env_{fs_};
  NoPeers peers_;
  std::vector<proto::BlockReport> reports_;
  std::vector<proto::WorkerHello> hellos_;
  WorkerNode node_;
};

TEST_F(WorkerNodeTest, CopiesOfALostWorkersBlocksAreReported) {
  EXPECT_EQ(PutCopy(), 0);
  SayThatWorker2IsGone(1);
  ASSERT_THAT(reports_, SizeIs(1));
  EXPECT_EQ(reports_[0].blocks(0).id().sequence(), 5);
}

TEST_F(WorkerNodeTest, ACopyThatComesLateAndIsRefusedTakesNoneAway) {
  EXPECT_EQ(PutCopy(5), 0);
  SayThatWorker2IsGone(1);
  ASSERT_THAT(reports_, SizeIs(1));
  EXPECT_NE(PutCopy(5), 0);
  EXPECT_TRUE(node_.blocks().Contains(StoreKey::Block(0, 5)))
      << "the driver was told that it is here";
  EXPECT_NE(PutCopy(6), 0);
  EXPECT_FALSE(node_.blocks().Contains(StoreKey::Block(0, 6)));
}

TEST_F(WorkerNodeTest, WhatAReplacedDriverSaysOfOtherWorkersIsIgnored) {
  EXPECT_EQ(PutCopy(), 0);
  proto::ToWorker message;
  message.set_driver_epoch(7);
  message.mutable_drop_shuffle()->set_shuffle_id(1);
  node_.Handle(std::move(message));
  SayThatWorker2IsGone(6);
  EXPECT_THAT(reports_, IsEmpty());
  // Neither does it make the worker drop what the other one needs.
  proto::ToWorker drop;
  drop.set_driver_epoch(6);
  drop.mutable_drop_blocks()->add_blocks()->set_sequence(5);
  node_.Handle(std::move(drop));
  SayThatWorker2IsGone(7);
  EXPECT_THAT(reports_, SizeIs(1));
}

TEST_F(WorkerNodeTest, ANewDriverIsToldOfCopiesAndTakesThoseOfItsOwnWorkersAlone) {
  proto::ToWorker introduced;
  introduced.set_driver_epoch(1);
  proto::Peers::Peer& peer = *introduced.mutable_peers()->add_added();
  peer.set_worker_id(2);
  peer.set_address("there:1");
  node_.Handle(introduced);
  EXPECT_EQ(PutCopy(), 0);
  node_.Disconnected();
  node_.Connected();
  ASSERT_THAT(hellos_, SizeIs(1));
  ASSERT_EQ(hellos_[0].blocks_size(), 1);
  EXPECT_EQ(hellos_[0].blocks(0).id().sequence(), 5);
  proto::ToWorker message;
  message.set_driver_epoch(2);
  node_.Handle(message);
  EXPECT_NE(PutCopy(6), 0) << "worker 2 is none of its workers so far";
  introduced.set_driver_epoch(2);
  node_.Handle(introduced);
  EXPECT_EQ(PutCopy(7), 0);
}

}  // namespace
}  // namespace millrace::internal
