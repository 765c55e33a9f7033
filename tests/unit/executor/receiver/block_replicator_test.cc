#include "executor/receiver/block_replicator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "executor/receiver/block_generator.h"
#include "executor/service/peer_service.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Worker {
  Worker() : disk(fs, "/spill"), blocks(budget, disk), shuffles(budget, blocks, disk) {}

  MemoryFileSystem fs;
  MemoryBudget budget{1 << 20};
  SpillDir disk;
  BlockStore blocks;
  ReplicaBook replicas;
  ShuffleStore shuffles;
  PeerService service{blocks, replicas, shuffles};
};

// Workers that are there answer at once.
class Wire : public PeerTransport {
 public:
  void Call(int64_t worker_id, proto::PeerRequest request, Done done) override {
    asked.push_back(worker_id);
    const auto worker = workers.find(worker_id);
    if (worker == workers.end()) return done(absl::UnavailableError("nobody is there"));
    done(worker->second.service.Handle(std::move(request)));
  }

  std::map<int64_t, Worker> workers;
  std::vector<int64_t> asked;
};

class BlockReplicatorTest : public ::testing::Test {
 protected:
  absl::StatusOr<int64_t> Replicate(int64_t sequence) {
    proto::StoredBlock block;
    block.mutable_id()->set_stream_id(7);
    block.mutable_id()->set_sequence(sequence);
    StoreData data;
    data.buffers = {Buffer::CopyOf("ab"), Buffer::CopyOf("cd")};
    const auto copy = replicator_.Replicate(block, data);
    if (!copy.ok()) return copy.status();
    may_be_elsewhere_ = copy->may_be_elsewhere;
    return copy->worker_id;
  }
  std::string CopyOn(int64_t worker, int64_t sequence) {
    const auto buffers = wire_.workers[worker].blocks.Get(StoreKey::Block(7, sequence));
    if (!buffers.ok()) return std::string(buffers.status().message());
    std::string bytes;
    for (const Buffer& buffer : *buffers) bytes += buffer.view();
    return bytes;
  }

  Wire wire_;
  bool may_be_elsewhere_ = false;  // The latest block.
  BlockReplicator replicator_{{.worker_id = 5, .host = "here", .timeout = std::chrono::seconds(10)},
                              wire_};
};

TEST_F(BlockReplicatorTest, WithoutOtherWorkersThereIsNoCopy) {
  EXPECT_FALSE(replicator_.has_peers());
  EXPECT_EQ(*Replicate(1), 0);
}

TEST_F(BlockReplicatorTest, TheNextWorkerGetsTheCopy) {
  for (const int64_t id : {3, 6, 9}) {
    wire_.workers[id];
    replicator_.AddPeer(id, "here");
  }
  EXPECT_EQ(*Replicate(1), 6);
  EXPECT_FALSE(may_be_elsewhere_);
  EXPECT_EQ(CopyOn(6, 1), "abcd");
  EXPECT_THAT(wire_.asked, ElementsAre(6));
  replicator_.RemovePeer(6);
  EXPECT_EQ(*Replicate(2), 9);
  replicator_.RemovePeer(9);
  EXPECT_EQ(*Replicate(3), 3) << "around the ring";
}

TEST_F(BlockReplicatorTest, AnotherHostIsBetter) {
  replicator_.AddPeer(6, "here");
  replicator_.AddPeer(4, "there");
  wire_.workers[4];
  wire_.workers[6];
  EXPECT_EQ(*Replicate(1), 4);
  wire_.workers.erase(4);
  EXPECT_EQ(*Replicate(2), 6);
}

TEST_F(BlockReplicatorTest, WhereOneCannotTakeItAnotherDoes) {
  replicator_.AddPeer(6, "here");
  replicator_.AddPeer(7, "here");
  wire_.workers[7];
  EXPECT_EQ(*Replicate(1), 7);
  EXPECT_TRUE(may_be_elsewhere_) << "it may have come to the other one";
  wire_.workers.erase(7);
  EXPECT_EQ(Replicate(2).status(), absl::UnavailableError("nobody is there"));
}

// What waits to be sent is not counted by anybody.
TEST(SlowPeerTest, IsSentNothingMoreUntilItHasAnswered) {
  class SlowWire : public PeerTransport {
   public:
    void Call(int64_t worker_id, proto::PeerRequest /*request*/, Done done) override {
      asked.push_back(worker_id);
      if (worker_id == 6) {
        unanswered = std::move(done);
      } else {
        done(proto::PeerReply());
      }
    }
    std::vector<int64_t> asked;
    Done unanswered;
  };
  SlowWire wire;
  BlockReplicator replicator({.worker_id = 5, .host = "", .timeout = std::chrono::milliseconds(1)},
                             wire);
  replicator.AddPeer(6, "");
  replicator.AddPeer(7, "");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(replicator.Replicate({}, {})->worker_id, 7);
  EXPECT_THAT(wire.asked, ElementsAre(6, 7, 7, 7));
  replicator.RemovePeer(7);
  EXPECT_THAT(replicator.Replicate({}, {}).status().ToString(), HasSubstr("sent before"));
  wire.asked.clear();
  wire.unanswered(proto::PeerReply());
  EXPECT_THAT(replicator.Replicate({}, {}).status().ToString(), HasSubstr("has not answered"));
  EXPECT_THAT(wire.asked, ElementsAre(6));
}

TEST_F(BlockReplicatorTest, AWorkerThatWasGivenUpIsToldSo) {
  replicator_.AddPeer(6, "here");
  replicator_.AddPeer(7, "here");
  wire_.workers[6].replicas.GiveUp(5);
  wire_.workers[7];
  EXPECT_EQ(Replicate(1).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(CopyOn(6, 1), HasSubstr("is not here"));
  EXPECT_THAT(wire_.asked, ElementsAre(6)) << "another one might not know yet";
}

// What receivers do with it.
class ReplicatedBlocksTest : public BlockReplicatorTest {
 protected:
  ReplicatedBlocksTest()
      : generator_({.stream_id = 7,
                    .first_sequence = 1,
                    .storage_level = StorageLevel::kMemoryAndDisk2,
                    .replicator = &replicator_},
                   self_.blocks,
                   {.on_reports = [] {},
                    .on_store_needed = [this] { ++store_needed_; },
                    .on_error = [this](const std::string& error) { errors_.push_back(error); }}) {}

  // Replica by replica; -1: nothing is reported.
  std::vector<int64_t> ReportedReplicas() {
    std::vector<int64_t> replicas;
    for (const proto::BlockReport& report : generator_.TakeReports(1)) {
      for (const proto::StoredBlock& block : report.blocks()) replicas.push_back(block.replica());
    }
    return replicas;
  }
  void Cut(const std::string& record) {
    generator_.AddRecord(record);
    generator_.Cut(1);
    generator_.TryStorePending();
  }

  Worker self_;
  int store_needed_ = 0;
  std::vector<std::string> errors_;
  BlockGenerator generator_;
};

TEST_F(ReplicatedBlocksTest, AreReportedWhenBothCopiesAreThere) {
  replicator_.AddPeer(6, "here");
  wire_.workers[6];
  Cut("ab");
  EXPECT_THAT(ReportedReplicas(), IsEmpty()) << "the event loop does not wait for other workers";
  EXPECT_EQ(store_needed_, 1);
  generator_.StorePending();
  EXPECT_THAT(ReportedReplicas(), ElementsAre(6));
  EXPECT_EQ(CopyOn(6, 1), "ab");
  EXPECT_TRUE(self_.blocks.Contains(StoreKey::Block(7, 1)));
  EXPECT_TRUE(generator_.StoreBlock(Buffer::CopyOf("cd"), 1, "").ok());
  EXPECT_EQ(CopyOn(6, 2), "cd");
}

TEST_F(ReplicatedBlocksTest, StayOnTheirWorkerWhereThereIsNoOther) {
  Cut("ab");
  EXPECT_THAT(ReportedReplicas(), ElementsAre(0));
  EXPECT_EQ(store_needed_, 0);
  EXPECT_THAT(errors_, IsEmpty());
}

TEST_F(ReplicatedBlocksTest, WithoutASecondCopyAreToldOfOnce) {
  replicator_.AddPeer(6, "here");
  for (const char* record : {"ab", "cd"}) {
    Cut(record);
    generator_.StorePending();
    EXPECT_THAT(ReportedReplicas(), ElementsAre(0));
  }
  EXPECT_THAT(errors_, ElementsAre(HasSubstr("on this worker alone for now: nobody is there")));
}

TEST_F(ReplicatedBlocksTest, OfAWorkerThatWasGivenUpAreNotStored) {
  replicator_.AddPeer(6, "here");
  wire_.workers[6].replicas.GiveUp(5);
  EXPECT_EQ(generator_.StoreBlock(Buffer::CopyOf("ab"), 1, "").code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(ReportedReplicas(), IsEmpty());
}

}  // namespace
}  // namespace millrace::internal
