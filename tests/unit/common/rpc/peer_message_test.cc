#include "common/rpc/peer_message.h"

#include <grpcpp/support/slice.h>

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

std::string Flat(const grpc::ByteBuffer& bytes) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(bytes.Dump(&slices).ok());
  std::string flat;
  for (const grpc::Slice& slice : slices) {
    flat.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return flat;
}

proto::PeerRequest Sent(const PeerMessage& message) {
  const std::string flat = Flat(message.ToBytes());
  EXPECT_EQ(flat.size(), message.ByteSizeLong());
  proto::PeerRequest request;
  EXPECT_TRUE(request.ParseFromString(flat));
  return request;
}

TEST(PeerMessageTest, PiecesOfMapOutputsAreThoseOfTheRequestAndTheOthers) {
  const std::string large(100'000, 'l');
  PeerMessage message;
  message.request.set_request_id(7);
  proto::PutMapOutput& put = *message.request.mutable_put_map_output();
  put.set_shuffle_id(300);
  put.add_reduce_partitions(1);
  put.add_pieces("first");
  message.bytes = {Buffer::CopyOf("small"), Buffer::CopyOf(large), Buffer(), Buffer::CopyOf("end")};
  const proto::PeerRequest sent = Sent(message);
  EXPECT_EQ(sent.request_id(), 7);
  EXPECT_EQ(sent.put_map_output().shuffle_id(), 300);
  EXPECT_THAT(sent.put_map_output().reduce_partitions(), ElementsAre(1));
  EXPECT_THAT(sent.put_map_output().pieces(), ElementsAre("first", "small", large, "", "end"));
}

TEST(PeerMessageTest, BuffersOfBlocks) {
  const std::string large(5'000, 'l');
  PeerMessage message;
  message.request.mutable_put_block()->set_receiving_worker(3);
  message.bytes = {Buffer::CopyOf(large), Buffer::CopyOf("small")};
  const proto::PeerRequest sent = Sent(message);
  EXPECT_EQ(sent.put_block().receiving_worker(), 3);
  EXPECT_THAT(sent.put_block().buffers(), ElementsAre(large, "small"));
}

TEST(PeerMessageTest, OtherRequestsAreThemselves) {
  PeerMessage message;
  message.request.mutable_fetch_block()->set_sequence(9);
  EXPECT_EQ(Sent(message).fetch_block().sequence(), 9);
  EXPECT_EQ(Sent(PeerMessage()).kind_case(), proto::PeerRequest::KIND_NOT_SET);
}

TEST(PeerMessageTest, LargeBuffersAreSentFromWhereTheyLieAndReleasedThen) {
  const std::string large(100'000, 'l');
  auto owner = std::make_shared<int>(0);
  const std::weak_ptr<int> is_held = owner;
  PeerMessage message;
  message.request.mutable_put_block();
  message.bytes = {Buffer(large, std::move(owner))};
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(message.ToBytes().Dump(&slices).ok());
  ASSERT_THAT(slices, SizeIs(2));
  EXPECT_EQ(static_cast<const void*>(slices[1].begin()), large.data());
  message = {};
  EXPECT_FALSE(is_held.expired());
  slices.clear();
  EXPECT_TRUE(is_held.expired());
}

}  // namespace
}  // namespace millrace::internal
