#include "executor/shuffle/map_output_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
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
    if (request.has_put_map_output()) sizes.push_back(request.ByteSizeLong());
    if (is_lossy) return;
    done(service_.Handle(std::move(request)));
  }

  bool is_lossy = false;
  std::vector<size_t> sizes;  // Of the requests with map outputs.

 private:
  PeerService service_;
};

class MapOutputWriterTest : public ::testing::Test {
 protected:
  static constexpr size_t kMessageBytes = 1000;
  static constexpr size_t kUnderWayBytesMax = kMessageBytes * ShuffleRouter::kUnderWayMessagesMax;

  std::unique_ptr<MapOutputWriter> Begin(uint32_t map, int64_t task, size_t reduce_count,
                                         std::vector<int64_t> workers) {
    return std::make_unique<MapOutputWriter>(
        router_, MapOutputWriter::Output{.shuffle_id = 5,
                                         .map_partition = map,
                                         .task_id = task,
                                         .reduce_count = reduce_count,
                                         .reduce_workers = std::move(workers)});
  }
  // Bucket i is for reduce partition i, which gathers on workers[i].
  absl::Status Put(uint32_t map, const std::vector<std::string>& buckets,
                   std::vector<int64_t> workers) {
    const auto writer = Begin(map, 100 + map, buckets.size(), std::move(workers));
    for (size_t i = 0; i < buckets.size(); ++i) {
      if (buckets[i].empty()) continue;
      RETURN_IF_ERROR(writer->Add(static_cast<int>(i), Buffer::CopyOf(buckets[i])));
    }
    RETURN_IF_ERROR(writer->Finish());
    return OutcomeOf(*writer);
  }
  static absl::Status OutcomeOf(MapOutputWriter& writer) {
    absl::Status outcome = absl::UnknownError("not acknowledged");
    writer.WhenAcknowledged([&outcome](const absl::Status& status) { outcome = status; });
    EXPECT_EQ(writer.is_acknowledged(), outcome.ok());
    return outcome;
  }

  Worker self_;
  Worker peer_;
  Wire wire_{peer_};
  ShuffleRouter router_{
      {.worker_id = 1, .message_bytes = kMessageBytes, .timeout = std::chrono::milliseconds(20)},
      self_.shuffles,
      wire_};
};

TEST_F(MapOutputWriterTest, EachWorkerGetsTheBucketsThatGatherThere) {
  EXPECT_TRUE(Put(0, {"a", "b", "c"}, {1, 2, 1}).ok());
  EXPECT_TRUE(Put(1, {"d", "e", "f"}, {1, 2, 1}).ok());
  EXPECT_THAT(self_.Read(0, 2), ElementsAre("a", "d"));
  EXPECT_THAT(self_.Read(2, 2), ElementsAre("c", "f"));
  EXPECT_THAT(peer_.Read(1, 2), ElementsAre("b", "e"));
  EXPECT_THAT(self_.Read(1, 2), ElementsAre(HasSubstr("0 of 2"))) << "it is not here too";
  EXPECT_EQ(wire_.sizes.size(), 2u);
}

TEST_F(MapOutputWriterTest, EmptyBucketsCountElsewhereToo) {
  EXPECT_FALSE(peer_.shuffles.ReadyOrExpect({5, 1}, 1));
  EXPECT_TRUE(Put(0, {"", ""}, {1, 2}).ok());
  EXPECT_TRUE(peer_.shuffles.has_ready());
  EXPECT_TRUE(peer_.Read(1, 1).empty());
}

TEST_F(MapOutputWriterTest, WithoutPlacesEverythingStaysHere) {
  EXPECT_TRUE(Put(0, {"a", "b"}, {}).ok());
  EXPECT_THAT(self_.Read(1, 1), ElementsAre("b"));
  EXPECT_TRUE(wire_.sizes.empty());
}

TEST_F(MapOutputWriterTest, WithoutPeersEverythingStaysHere) {
  const ShuffleRouter router(self_.shuffles);
  MapOutputWriter writer(router, {.shuffle_id = 5, .task_id = 1, .reduce_count = 2});
  ASSERT_TRUE(writer.Add(1, Buffer::CopyOf("b")).ok());
  ASSERT_TRUE(writer.Finish().ok());
  EXPECT_THAT(self_.Read(1, 1), ElementsAre("b"));
  MapOutputWriter elsewhere(
      router, {.shuffle_id = 5, .task_id = 2, .reduce_count = 1, .reduce_workers = {7}});
  EXPECT_EQ(elsewhere.Finish().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(MapOutputWriterTest, ALargeOutputGoesInMessagesOfABoundedSize) {
  const std::string bucket(kMessageBytes / 3, 'x');
  const std::string huge(3 * kMessageBytes, 'y');
  EXPECT_TRUE(Put(0, {bucket, bucket, bucket, bucket, huge, "a"}, std::vector<int64_t>(6, 2)).ok());
  ASSERT_EQ(wire_.sizes.size(), 4u);
  EXPECT_LT(wire_.sizes[0], kMessageBytes + 100);
  EXPECT_LT(wire_.sizes[1], kMessageBytes + 100);
  EXPECT_GT(wire_.sizes[2], huge.size());
  EXPECT_THAT(peer_.Read(4, 1), ElementsAre(huge));
  EXPECT_THAT(peer_.Read(5, 1), ElementsAre("a"));
}

TEST_F(MapOutputWriterTest, PartsGoOutWhileTheTaskRunsAndCountWhenItEnds) {
  const auto writer = Begin(0, 100, 4, {1, 2, 1, 2});
  const std::string piece(kMessageBytes, 'p');
  for (int reduce : {0, 1, 3, 1, 0}) ASSERT_TRUE(writer->Add(reduce, Buffer::CopyOf(piece)).ok());
  EXPECT_EQ(wire_.sizes.size(), 2u);
  EXPECT_EQ(self_.budget.used_bytes(), kMessageBytes);
  EXPECT_THAT(peer_.Read(1, 1), ElementsAre(HasSubstr("0 of 1")));
  ASSERT_TRUE(writer->Add(1, Buffer::CopyOf("end")).ok());
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(writer->bytes(), 5 * kMessageBytes + 3);
  EXPECT_THAT(self_.Read(0, 1), ElementsAre(piece, piece));
  EXPECT_THAT(peer_.Read(1, 1), ElementsAre(piece, piece, "end"));
  EXPECT_TRUE(self_.Read(2, 1).empty());
  EXPECT_THAT(peer_.Read(3, 1), ElementsAre(piece));
}

TEST_F(MapOutputWriterTest, WhatIsNotCommittedIsForgotten) {
  const std::string piece(kMessageBytes, 'p');
  {
    const auto writer = Begin(0, 100, 2, {1, 2});
    for (int reduce : {0, 0, 1, 1}) ASSERT_TRUE(writer->Add(reduce, Buffer::CopyOf(piece)).ok());
    EXPECT_EQ(self_.budget.used_bytes(), kMessageBytes);
    EXPECT_EQ(peer_.budget.used_bytes(), kMessageBytes);
  }
  EXPECT_EQ(self_.budget.used_bytes(), 0u);
  EXPECT_EQ(peer_.budget.used_bytes(), 0u);
  ASSERT_TRUE(Put(0, {"a", "b"}, {1, 2}).ok());
  EXPECT_THAT(self_.Read(0, 1), ElementsAre("a"));
  EXPECT_THAT(peer_.Read(1, 1), ElementsAre("b"));
}

TEST_F(MapOutputWriterTest, OfTwoAttemptsTheFirstThatEndsCounts) {
  const std::string piece(kMessageBytes, 'p');
  const std::string other(kMessageBytes, 'q');
  const auto first = Begin(0, 100, 2, {1, 2});
  const auto second = Begin(0, 101, 2, {1, 2});
  for (int i = 0; i < 2; ++i) {
    for (int reduce : {0, 1}) {
      ASSERT_TRUE(first->Add(reduce, Buffer::CopyOf(piece)).ok());
      ASSERT_TRUE(second->Add(reduce, Buffer::CopyOf(other)).ok());
    }
  }
  ASSERT_TRUE(second->Finish().ok());
  ASSERT_TRUE(first->Finish().ok());
  EXPECT_THAT(self_.Read(0, 1), ElementsAre(other, other));
  EXPECT_THAT(peer_.Read(1, 1), ElementsAre(other, other));
  EXPECT_EQ(self_.budget.used_bytes(), 2 * kMessageBytes);
  EXPECT_EQ(peer_.budget.used_bytes(), 2 * kMessageBytes);
}

TEST_F(MapOutputWriterTest, BucketsTogetherStayWithinSomeMessages) {
  EXPECT_EQ(router_.piece_bytes(1), kMessageBytes);
  EXPECT_EQ(router_.piece_bytes(64), kMessageBytes / 2);
  EXPECT_EQ(router_.piece_bytes(1'000'000), kMessageBytes / 64);
}

TEST_F(MapOutputWriterTest, AWorkerThatIsGoneMakesItUnavailable) {
  EXPECT_EQ(Put(0, {"a", "b"}, {2, 3}), absl::UnavailableError("worker 3 is gone"));
}

TEST_F(MapOutputWriterTest, AWorkerThatDoesNotAnswerMakesItUnavailable) {
  wire_.is_lossy = true;
  EXPECT_EQ(Put(0, {"a"}, {2}), absl::UnknownError("not acknowledged"));
  const std::string bucket(kUnderWayBytesMax, 'x');
  EXPECT_EQ(Put(1, {bucket, bucket, bucket}, {2, 2, 2}).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(wire_.sizes.size(), 2u) << "more was sent than may be under way";
}

TEST_F(MapOutputWriterTest, WhatThePeerCannotKeepIsItsError) {
  peer_.shuffles.Drop(5);
  EXPECT_EQ(Put(0, {"a"}, {2}), absl::FailedPreconditionError("worker 2: shuffle 5 was dropped"));
}

TEST_F(MapOutputWriterTest, WhatGoesToAnotherHostIsCompressed) {
  for (const auto codec : {CompressionCodec::kLz4, CompressionCodec::kZstd}) {
    const auto number = static_cast<uint32_t>(codec);
    ShuffleRouter router({.worker_id = 1, .codec = codec}, self_.shuffles, wire_);
    router.AddPeer(2, /*is_on_this_host=*/false);
    const std::string records(20'000, 'r');
    MapOutputWriter writer(router, {.shuffle_id = 5,
                                    .map_partition = number,
                                    .task_id = number,
                                    .reduce_count = 2,
                                    .reduce_workers = {2, 2}});
    wire_.sizes.clear();
    ASSERT_TRUE(writer.Add(0, Buffer::CopyOf(records)).ok());
    ASSERT_TRUE(writer.Add(1, Buffer::CopyOf("few")).ok());
    ASSERT_TRUE(writer.Finish().ok());
    ASSERT_EQ(wire_.sizes.size(), 1u);
    EXPECT_LT(wire_.sizes[0], 1000u);
    EXPECT_EQ(peer_.budget.used_bytes(), number * (20'000 + 3));
    router.RemovePeer(2);
    EXPECT_EQ(router.CodecFor(2), CompressionCodec::kNone);
  }
}

TEST_F(MapOutputWriterTest, OnlyPartitionsThatThereAre) {
  const auto writer = Begin(0, 1, 2, {1, 2});
  EXPECT_EQ(writer->Add(2, Buffer()).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(writer->Add(-1, Buffer()).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(MapOutputWriterTest, AsManyPlacesAsBuckets) {
  EXPECT_EQ(Put(0, {"a", "b"}, {2}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(PeerServiceTest, ARequestThatMakesNoSenseIsAnsweredWithAnError) {
  Worker worker;
  PeerService service(worker.blocks, worker.replicas, worker.shuffles);
  EXPECT_EQ(service.Handle({}).error_code(), static_cast<int>(absl::StatusCode::kUnimplemented));
  proto::PeerRequest request;
  proto::PutMapOutput& put = *request.mutable_put_map_output();
  const auto error_code = [&] { return service.Handle(request).error_code(); };
  put.add_pieces("a");
  EXPECT_EQ(error_code(), static_cast<int>(absl::StatusCode::kInvalidArgument));
  put.add_reduce_partitions(0);
  put.add_plain_sizes(1000);
  for (const uint32_t codec : {0u, 1u, 2u, 3u, 257u}) {
    put.set_codec(codec);
    EXPECT_EQ(error_code(), static_cast<int>(absl::StatusCode::kInvalidArgument)) << codec;
  }
  put.add_plain_sizes(1000);
  EXPECT_EQ(error_code(), static_cast<int>(absl::StatusCode::kInvalidArgument));
}

// A few bytes are enough to say a size, and for zeros a few more to make it true.
TEST(PeerServiceTest, AMessageMakesNoMoreOfItselfThanOnePieceMayHave) {
  Worker worker;
  PeerService service(worker.blocks, worker.replicas, worker.shuffles);
  const std::string zeros(kCompressedBytesMax / 2 + 1, '\0');
  proto::PeerRequest request;
  proto::PutMapOutput& put = *request.mutable_put_map_output();
  put.set_is_last(true);
  put.set_codec(static_cast<uint32_t>(CompressionCodec::kZstd));
  for (uint32_t partition = 0; partition < 2; ++partition) {
    put.add_reduce_partitions(partition);
    put.add_pieces(Compress(CompressionCodec::kZstd, zeros).value());
    put.add_plain_sizes(static_cast<uint32_t>(zeros.size()));
  }
  const proto::PeerReply reply = service.Handle(request);
  EXPECT_EQ(reply.error_code(), static_cast<int>(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(reply.error_message(), HasSubstr("made of 67108866 bytes"));
  put.set_plain_sizes(1, 0);
  EXPECT_EQ(service.Handle(std::move(request)).error_code(), 0);
}

}  // namespace
}  // namespace millrace::internal
