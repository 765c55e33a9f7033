#include "executor/shuffle/shuffle_router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "executor/service/peer_service.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Worker {
  Worker() : disk(fs, "/spill"), blocks(budget, disk), shuffles(budget, blocks, disk) {}

  std::vector<std::string> Read(uint32_t reduce, uint32_t map_count) {
    const auto buckets = shuffles.Read({5, reduce}, map_count);
    if (!buckets.ok()) return {buckets.status().ToString()};
    std::vector<std::string> bytes;
    for (const Buffer& bucket : *buckets) bytes.emplace_back(bucket.view());
    return bytes;
  }

  MemoryFileSystem fs;
  MemoryBudget budget{size_t{1} << 30};
  SpillDir disk;
  BlockStore blocks;
  ReplicaBook replicas;
  ShuffleStore shuffles;
};

// Carries requests to the other worker at once, or holds them back.
class Wire : public PeerTransport {
 public:
  explicit Wire(Worker& peer) : service_(peer.blocks, peer.replicas, peer.shuffles) {}

  void Call(int64_t worker_id, proto::PeerRequest request, Done done) override {
    if (worker_id != 2) return done(absl::UnavailableError("worker 3 is gone"));
    sizes.push_back(request.ByteSizeLong());
    if (is_lossy) return;
    done(service_.Handle(std::move(request)));
  }

  bool is_lossy = false;
  std::vector<size_t> sizes;  // Of the requests.

 private:
  PeerService service_;
};

class ShuffleRouterTest : public ::testing::Test {
 protected:
  // Bucket i is for reduce partition i, which gathers on workers[i].
  absl::Status Put(uint32_t map, const std::vector<std::string>& buckets,
                   std::vector<int64_t> workers) {
    MapOutput output;
    output.shuffle_id = 5;
    output.map_partition = map;
    for (uint32_t i = 0; i < buckets.size(); ++i) {
      output.buckets.emplace_back(i, Buffer::CopyOf(buckets[i]));
    }
    output.workers = std::move(workers);
    return router_.Put(std::move(output));
  }

  Worker self_;
  Worker peer_;
  Wire wire_{peer_};
  ShuffleRouter router_{
      {.worker_id = 1, .timeout = std::chrono::milliseconds(20)}, self_.shuffles, wire_};
};

TEST_F(ShuffleRouterTest, EachWorkerGetsTheBucketsThatGatherThere) {
  EXPECT_TRUE(Put(0, {"a", "b", "c"}, {1, 2, 1}).ok());
  EXPECT_TRUE(Put(1, {"d", "e", "f"}, {1, 2, 1}).ok());
  EXPECT_THAT(self_.Read(0, 2), ElementsAre("a", "d"));
  EXPECT_THAT(self_.Read(2, 2), ElementsAre("c", "f"));
  EXPECT_THAT(peer_.Read(1, 2), ElementsAre("b", "e"));
  EXPECT_THAT(self_.Read(1, 2), ElementsAre(HasSubstr("0 of 2"))) << "it is not here too";
  EXPECT_EQ(wire_.sizes.size(), 2u);
}

TEST_F(ShuffleRouterTest, EmptyBucketsCountElsewhereToo) {
  EXPECT_FALSE(peer_.shuffles.ReadyOrExpect({5, 1}, 1));
  EXPECT_TRUE(Put(0, {"", ""}, {1, 2}).ok());
  EXPECT_TRUE(peer_.shuffles.has_ready());
  EXPECT_TRUE(peer_.Read(1, 1).empty());
}

TEST_F(ShuffleRouterTest, WithoutPlacesEverythingStaysHere) {
  EXPECT_TRUE(Put(0, {"a", "b"}, {}).ok());
  EXPECT_THAT(self_.Read(1, 1), ElementsAre("b"));
  EXPECT_TRUE(wire_.sizes.empty());
}

TEST_F(ShuffleRouterTest, ALargeOutputGoesInMessagesOfABoundedSize) {
  const std::string bucket(ShuffleRouter::kMessageBytes / 3, 'x');
  const std::string huge(3 * ShuffleRouter::kMessageBytes, 'y');
  EXPECT_TRUE(Put(0, {bucket, bucket, bucket, bucket, huge, "a"}, std::vector<int64_t>(6, 2)).ok());
  ASSERT_EQ(wire_.sizes.size(), 4u);
  EXPECT_LT(wire_.sizes[0], ShuffleRouter::kMessageBytes + 100);
  EXPECT_LT(wire_.sizes[1], ShuffleRouter::kMessageBytes + 100);
  EXPECT_GT(wire_.sizes[2], huge.size());
  EXPECT_THAT(peer_.Read(4, 1), ElementsAre(huge));
  EXPECT_THAT(peer_.Read(5, 1), ElementsAre("a"));
}

TEST_F(ShuffleRouterTest, AWorkerThatIsGoneMakesItUnavailable) {
  EXPECT_EQ(Put(0, {"a", "b"}, {2, 3}), absl::UnavailableError("worker 3 is gone"));
}

TEST_F(ShuffleRouterTest, AWorkerThatDoesNotAnswerMakesItUnavailable) {
  wire_.is_lossy = true;
  EXPECT_EQ(Put(0, {"a"}, {2}).code(), absl::StatusCode::kUnavailable);
  const std::string bucket(ShuffleRouter::kUnderWayBytesMax, 'x');
  EXPECT_EQ(Put(1, {bucket, bucket, bucket}, {2, 2, 2}).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(wire_.sizes.size(), 2u) << "more was sent than may be under way";
}

TEST_F(ShuffleRouterTest, WhatThePeerCannotKeepIsItsError) {
  MapOutput output;
  output.shuffle_id = 5;
  output.buckets.emplace_back(1u << 30, Buffer::CopyOf("a"));
  output.workers = {2};
  const absl::Status status = router_.Put(std::move(output));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("worker 2: shuffle 5 has a partition number"));
}

TEST_F(ShuffleRouterTest, AsManyPlacesAsBuckets) {
  EXPECT_EQ(Put(0, {"a", "b"}, {2}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(PeerServiceTest, ARequestThatMakesNoSenseIsAnsweredWithAnError) {
  Worker worker;
  PeerService service(worker.blocks, worker.replicas, worker.shuffles);
  EXPECT_EQ(service.Handle({}).error_code(), static_cast<int>(absl::StatusCode::kUnimplemented));
  proto::PeerRequest request;
  request.mutable_put_map_output()->add_buckets("a");
  EXPECT_EQ(service.Handle(request).error_code(),
            static_cast<int>(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace millrace::internal
