// Both ends of a conversation, over a loopback connection.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"
#include "common/concurrent/one_shot.h"
#include "common/concurrent/watched.h"
#include "common/rpc/client_session.h"
#include "common/rpc/server_session.h"
#include "proto/driver.grpc.pb.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{30'000};
constexpr auto kNow = [](const auto& now) { return now; };

// Takes one call, whose messages it counts.
class Service final : public proto::DriverDaemonService::CallbackService {
 public:
  using Session = ServerSession<proto::FromExecutor, proto::ToExecutor>;

  grpc::ServerBidiReactor<proto::FromExecutor, proto::ToExecutor>* Connect(
      grpc::CallbackServerContext* context) override {
    auto session = Session::Make(context);
    session->Begin(
        {.on_message = [this](const proto::FromExecutor&) { messages.Update([](int& n) { ++n; }); },
         .on_closed = [this] { closed.Notify(); }});
    sessions.Set(session);
    return session.get();
  }

  OneShot<std::shared_ptr<Session>> sessions;
  Watched<int> messages;
  absl::Notification closed;
};

class SessionsTest : public ::testing::Test {
 protected:
  using Client = ClientSession<proto::FromExecutor, proto::ToExecutor>;

  SessionsTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = proto::DriverDaemonService::NewStub(grpc::CreateChannel(
        "127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
    client_ = Client::Make();
    client_->Begin({.on_message = nullptr,
                    .on_closed =
                        [this](const absl::Status& status, std::shared_ptr<Client> session) {
                          last_ = std::move(session);
                          ended_.Set(status);
                        }},
                   [this](grpc::ClientContext* context, Client* session) {
                     stub_->async()->Connect(context, session);
                   });
  }
  ~SessionsTest() override {
    client_->Close();
    ended_.Wait();
    server_->Shutdown(std::chrono::system_clock::now());
  }
  static proto::FromExecutor Message() {
    proto::FromExecutor message;
    message.mutable_heartbeat();
    return message;
  }
  int AwaitMessages(int count, milliseconds patience) {
    return service_.messages.WaitUntil([count](int now) { return now >= count; }, patience, kNow);
  }

  Service service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<proto::DriverDaemonService::Stub> stub_;
  std::shared_ptr<Client> client_;
  std::shared_ptr<Client> last_;
  OneShot<absl::Status> ended_;
};

TEST_F(SessionsTest, AMessageIsReadWhenTheOneBeforeHasBeenDealtWith) {
  for (int i = 0; i < 3; ++i) client_->Send(Message());
  EXPECT_EQ(AwaitMessages(1, kPatience), 1);
  EXPECT_EQ(AwaitMessages(2, milliseconds(100)), 1) << "given time to go wrong";
  const auto session = service_.sessions.Wait();
  session->ReadOn();
  EXPECT_EQ(AwaitMessages(2, kPatience), 2);
}

TEST_F(SessionsTest, AnEndIsNoticedWhileNoMessageIsWaitedFor) {
  client_->Send(Message());
  EXPECT_EQ(AwaitMessages(1, kPatience), 1);
  client_->Close();
  EXPECT_TRUE(service_.closed.WaitForNotificationWithTimeout(absl::FromChrono(kPatience)));
  service_.sessions.Wait()->ReadOn();  // Does nothing any more.
}

TEST_F(SessionsTest, NothingIsSentBehindTheLastMessage) {
  client_->Send(Message());
  client_->FinishWriting();
  client_->Send(Message());
  const auto session = service_.sessions.Wait();
  EXPECT_EQ(AwaitMessages(1, kPatience), 1);
  session->ReadOn();
  // The end of what is sent ends the call.
  ASSERT_NE(ended_.WaitFor(kPatience), nullptr);
  EXPECT_TRUE(ended_.Wait().ok());
  EXPECT_EQ(AwaitMessages(2, milliseconds(0)), 1);
  client_->Send(Message());
}

TEST_F(SessionsTest, APeerThatDoesNotReadIsCutOff) {
  // A client that has begun no read: it is held up by its connection.
  grpc::ClientContext context;
  Service other;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&other);
  const auto server = builder.BuildAndStart();
  const auto stub = proto::DriverDaemonService::NewStub(
      grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
  const auto call = stub->Connect(&context);
  const auto session = other.sessions.Wait();
  proto::ToExecutor message;
  message.mutable_forget_application()->set_app_id(std::string(10'000, 'x'));
  for (size_t i = 0; i < 2 * kSessionQueueMax; ++i) session->Send(message);
  EXPECT_TRUE(other.closed.WaitForNotificationWithTimeout(absl::FromChrono(kPatience)));
  context.TryCancel();
  server->Shutdown(std::chrono::system_clock::now());
}

}  // namespace
}  // namespace millrace
