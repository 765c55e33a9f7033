// Requests of one worker to another, over a loopback connection.
#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "absl/synchronization/notification.h"
#include "common/concurrent/one_shot.h"
#include "common/concurrent/watched.h"
#include "common/rpc/grpc_peer_server.h"
#include "common/rpc/grpc_peer_transport.h"
#include "common/rpc/rpc_limits.h"
#include "common/rpc/rpc_security.h"
#include "proto/peer.grpc.pb.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr milliseconds kPatience{30'000};
constexpr int64_t kServer = 2;

// The shuffle's id comes back as the error code.
void Echo(const proto::PeerRequest& request, const GrpcPeerServer::Reply& reply) {
  proto::PeerReply answer;
  answer.set_error_code(static_cast<int32_t>(request.put_map_output().shuffle_id()));
  reply(std::move(answer));
}

class GrpcPeerTest : public ::testing::Test {
 protected:
  using Answer = OneShot<absl::StatusOr<proto::PeerReply>>;

  GrpcPeerTest() : security_(Security("a secret of some length")), client_(security_, "app") {}

  std::shared_ptr<const RpcSecurity> Security(const std::string& secret) {
    const std::string path = dir_.path() + "/secret" + std::to_string(++secrets_);
    std::ofstream(path) << secret;
    EXPECT_EQ(::chmod(path.c_str(), 0600), 0);
    RpcSecurityOptions options;
    options.auth_secret_file = path;
    auto security = RpcSecurity::Load(options, nullptr);
    EXPECT_TRUE(security.ok()) << security.status();
    return *security;
  }
  void Serve(GrpcPeerServer::Handler handler) {
    server_ =
        std::make_unique<GrpcPeerServer>(security_, PeerName{"app", kServer}, std::move(handler));
    ASSERT_TRUE(server_->Listen("127.0.0.1").ok());
    client_.AddPeer(kServer, "127.0.0.1:" + std::to_string(server_->port()));
  }
  static void Call(PeerTransport& client, int64_t shuffle_id, Answer& answer) {
    proto::PeerRequest request;
    request.mutable_put_map_output()->set_shuffle_id(shuffle_id);
    client.Call(kServer, std::move(request), [&answer](absl::StatusOr<proto::PeerReply> reply) {
      answer.Set(std::move(reply));
    });
  }
  static absl::StatusOr<proto::PeerReply> Await(Answer& answer) {
    auto* const reply = answer.WaitFor(kPatience);
    if (reply == nullptr) return absl::DeadlineExceededError("no answer came");
    return *reply;
  }
  absl::StatusOr<proto::PeerReply> CallAndWait(PeerTransport& client) {
    Answer answer;
    Call(client, 0, answer);
    return Await(answer);
  }

  TempDir dir_;
  int secrets_ = 0;
  std::shared_ptr<const RpcSecurity> security_;
  GrpcPeerTransport client_;
  std::unique_ptr<GrpcPeerServer> server_;
};

TEST_F(GrpcPeerTest, RequestsAreAnsweredInTheirOrder) {
  constexpr int kCount = 500;
  std::vector<int64_t> seen;  // Of one stream, so one at a time.
  Serve([&seen](const proto::PeerRequest& request, const GrpcPeerServer::Reply& reply) {
    seen.push_back(request.put_map_output().shuffle_id());
    Echo(request, reply);
  });
  std::vector<Answer> answers(kCount);
  for (int i = 0; i < kCount; ++i) Call(client_, i, answers[static_cast<size_t>(i)]);
  for (int i = 0; i < kCount; ++i) {
    const auto reply = Await(answers[static_cast<size_t>(i)]);
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->error_code(), i);
  }
  ASSERT_EQ(seen.size(), size_t{kCount});
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST_F(GrpcPeerTest, APeerThatIsNotKnownIsUnavailable) {
  EXPECT_EQ(CallAndWait(client_).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(GrpcPeerTest, WhoeverWaitsForAPeerThatGoesHearsOfIt) {
  absl::Notification asked;
  absl::Notification removed;
  Serve([&](const proto::PeerRequest& request, const GrpcPeerServer::Reply& reply) {
    asked.Notify();
    removed.WaitForNotificationWithTimeout(absl::Seconds(30));
    Echo(request, reply);
  });
  Answer answer;
  Call(client_, 0, answer);
  ASSERT_TRUE(asked.WaitForNotificationWithTimeout(absl::Seconds(30)));
  client_.RemovePeer(kServer);
  const absl::Status lost = Await(answer).status();
  EXPECT_EQ(lost.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(lost.message()), HasSubstr("worker 2 at 127.0.0.1:"));
  removed.Notify();
  server_.reset();  // The handler uses what goes with this function.
}

TEST_F(GrpcPeerTest, APeerThatCameBackElsewhereIsReachedThere) {
  Serve(Echo);
  EXPECT_TRUE(CallAndWait(client_).ok());
  server_.reset();
  EXPECT_EQ(CallAndWait(client_).status().code(), absl::StatusCode::kUnavailable);
  Serve(Echo);
  EXPECT_TRUE(CallAndWait(client_).ok());
}

TEST_F(GrpcPeerTest, AWrongSecretIsRefused) {
  Serve(Echo);
  GrpcPeerTransport stranger(Security("another secret, just as long"), "app");
  stranger.AddPeer(kServer, "127.0.0.1:" + std::to_string(server_->port()));
  EXPECT_THAT(CallAndWait(stranger).status().ToString(), HasSubstr("secret is missing or wrong"));
}

TEST_F(GrpcPeerTest, WhoeverTookThePortOfAWorkerDoesNotAnswerForIt) {
  Serve(Echo);
  const std::string address = "127.0.0.1:" + std::to_string(server_->port());
  GrpcPeerTransport other_application(security_, "another");
  other_application.AddPeer(kServer, address);
  EXPECT_EQ(CallAndWait(other_application).status().code(), absl::StatusCode::kUnavailable);
  client_.AddPeer(kServer + 1, address);
  Answer answer;
  client_.Call(kServer + 1, {},
               [&answer](absl::StatusOr<proto::PeerReply> reply) { answer.Set(std::move(reply)); });
  EXPECT_THAT(Await(answer).status().ToString(), HasSubstr("another worker answers there: app/2"));
}

TEST_F(GrpcPeerTest, AfterStopNobodyIsThere) {
  Serve(Echo);
  EXPECT_TRUE(CallAndWait(client_).ok());
  client_.Stop();
  EXPECT_EQ(CallAndWait(client_).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(GrpcPeerTest, WhatIsTooLargeToBeSentIsRefusedAndTheStreamGoesOn) {
  Serve([](const proto::PeerRequest& request, const GrpcPeerServer::Reply& reply) {
    if (!request.has_fetch_block()) return Echo(request, reply);
    proto::PeerReply answer;
    for (int i = 0; i < 2; ++i) answer.add_buffers(std::string(size_t{513} << 20, 'x'));
    reply(std::move(answer));
  });
  proto::PeerRequest large;
  for (int i = 0; i < 2; ++i) {
    large.mutable_put_map_output()->add_pieces(std::string(size_t{513} << 20, 'x'));
  }
  Answer put;
  client_.Call(kServer, std::move(large),
               [&put](absl::StatusOr<proto::PeerReply> reply) { put.Set(std::move(reply)); });
  EXPECT_EQ(Await(put).status().code(), absl::StatusCode::kResourceExhausted);
  Answer fetched;
  proto::PeerRequest fetch;
  fetch.mutable_fetch_block();
  client_.Call(kServer, std::move(fetch), [&fetched](absl::StatusOr<proto::PeerReply> reply) {
    fetched.Set(std::move(reply));
  });
  const auto reply = Await(fetched);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->error_code(), static_cast<int>(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(reply->error_message(), HasSubstr("1026 MiB"));
  EXPECT_TRUE(CallAndWait(client_).ok());
}

TEST_F(GrpcPeerTest, BytesThatArePutArriveWithTheRequest) {
  const std::string large(size_t{3} << 20, 'x');
  std::vector<std::string> pieces;
  Serve([&](const proto::PeerRequest& request, const GrpcPeerServer::Reply& reply) {
    const auto& put = request.put_map_output().pieces();
    pieces.assign(put.begin(), put.end());
    Echo(request, reply);
  });
  Answer answer;
  proto::PeerRequest request;
  request.mutable_put_map_output()->set_shuffle_id(12);
  client_.Put(kServer, std::move(request), {Buffer::CopyOf("small"), Buffer::CopyOf(large)},
              [&answer](absl::StatusOr<proto::PeerReply> reply) { answer.Set(std::move(reply)); });
  const auto reply = Await(answer);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->error_code(), 12);
  EXPECT_THAT(pieces, ::testing::ElementsAre("small", large));
}

TEST_F(GrpcPeerTest, AnswersThatNobodyReadsDoNotPileUp) {
  constexpr int kCount = 200;
  Watched<int> handled;
  Serve([&](const proto::PeerRequest&, const GrpcPeerServer::Reply& reply) {
    handled.Update([](int& count) { ++count; });
    proto::PeerReply answer;
    answer.add_buffers(std::string(1 << 20, 'x'));
    reply(std::move(answer));
  });
  grpc::ChannelArguments arguments;
  internal::LimitChannel(arguments);
  const auto stub = proto::WorkerPeer::NewStub(
      grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(server_->port()),
                                grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  security_->Sign(context);
  context.AddMetadata(PeerName::kMetadataKey, PeerName{"app", kServer}.ToString());
  const auto call = stub->Exchange(&context);
  for (int i = 0; i < kCount; ++i) ASSERT_TRUE(call->Write(proto::PeerRequest()));
  const auto count = [](int now) { return now; };
  // Given time to go wrong.
  EXPECT_LT(handled.WaitUntil([](int now) { return now == kCount; }, milliseconds(300), count),
            kCount);
  proto::PeerReply reply;
  for (int i = 0; i < kCount; ++i) ASSERT_TRUE(call->Read(&reply)) << i;
  call->WritesDone();
  EXPECT_TRUE(call->Finish().ok());
  EXPECT_EQ(handled.Get(count), kCount);
  server_.reset();  // The handler uses what goes with this function.
}

}  // namespace
}  // namespace millrace
