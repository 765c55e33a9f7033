// The driver's and the worker's end of their conversation, over a loopback connection.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include "common/concurrent/watched.h"
#include "common/env/real_env.h"
#include "common/metrics/metrics_registry.h"
#include "common/rpc/grpc_driver_transport.h"
#include "common/rpc/grpc_worker_transport.h"
#include "common/rpc/rpc_security.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr milliseconds kPatience{30'000};

struct DriverSide : GrpcDriverTransport::Owner {
  struct Seen {
    std::vector<proto::ToDriver> messages;
    std::vector<std::string> gone;
  };

  absl::Status MayJoin(int64_t worker_id) override {
    if (worker_id != refused_id) return absl::OkStatus();
    return absl::FailedPreconditionError("this worker was given up");
  }
  void OnMessage(proto::ToDriver message) override {
    seen.Update([&](Seen& now) { now.messages.push_back(std::move(message)); });
  }
  void OnDisconnected(int64_t worker_id, const std::string& reason) override {
    seen.Update([&](Seen& now) { now.gone.push_back(std::to_string(worker_id) + ": " + reason); });
  }
  Seen Await(const std::function<bool(const Seen&)>& enough) {
    return seen.WaitUntil(enough, kPatience, [](const Seen& now) { return now; });
  }

  int64_t refused_id = 0;
  Watched<Seen> seen;
};

struct WorkerSide : GrpcWorkerTransport::Owner {
  struct Seen {
    std::vector<int64_t> shuffles;
    std::optional<absl::Status> end;
  };

  void OnMessage(proto::ToWorker message) override {
    seen.Update([&](Seen& now) { now.shuffles.push_back(message.drop_shuffle().shuffle_id()); });
  }
  void OnDisconnected(const absl::Status& reason) override {
    seen.Update([&](Seen& now) { now.end = reason; });
  }
  absl::Status AwaitEnd() {
    return seen.WaitUntil([](const Seen& now) { return now.end.has_value(); }, kPatience,
                          [](const Seen& now) {
                            return now.end.value_or(absl::DeadlineExceededError("no end came"));
                          });
  }

  Watched<Seen> seen;
};

class GrpcTransportTest : public ::testing::Test {
 protected:
  GrpcTransportTest() : driver_env_({}, fs_), worker_env_({}, fs_), driver_(driver_env_) {
    security_ = Security("a secret of some length", &metrics_);
    GrpcDriverTransport::Options options;
    options.application_id = "app";
    options.binary_digest = "abc";
    options.security = security_;
    options.metrics = &metrics_;
    const absl::Status listening = driver_.Listen(options, driver_side_);
    EXPECT_TRUE(listening.ok()) << listening;
  }
  ~GrpcTransportTest() override {
    worker_env_.Stop();
    worker_.reset();
    driver_env_.Stop();
    driver_.Stop();
  }

  std::shared_ptr<const RpcSecurity> Security(const std::string& secret, MetricsRegistry* metrics) {
    const std::string path = dir_.path() + "/secret" + std::to_string(++secrets_);
    std::ofstream(path) << secret;
    EXPECT_EQ(::chmod(path.c_str(), 0600), 0);
    RpcSecurityOptions options;
    options.auth_secret_file = path;
    auto security = RpcSecurity::Load(options, metrics);
    EXPECT_TRUE(security.ok()) << security.status();
    return *security;
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(driver_.port()); }

  void Connect(const std::shared_ptr<const RpcSecurity>& security) {
    worker_ = std::make_unique<GrpcWorkerTransport>(worker_env_, security, worker_side_);
    const absl::Status connected = worker_->Connect(address(), kPatience, [] { return true; });
    EXPECT_TRUE(connected.ok()) << connected;
  }
  static proto::ToDriver Hello(int64_t worker_id) {
    proto::ToDriver message;
    message.set_worker_id(worker_id);
    message.mutable_hello()->set_application_id("app");
    message.mutable_hello()->set_binary_digest("abc");
    message.mutable_hello()->set_task_slots(1);
    return message;
  }
  void Send(proto::ToDriver message) {
    worker_env_.Post([this, message] { worker_->SendToDriver(message); });
  }
  void Join(int64_t worker_id) {
    Connect(security_);
    Send(Hello(worker_id));
    driver_side_.Await([](const auto& seen) { return !seen.messages.empty(); });
  }
  // What a worker with this hello is told, which nobody hears of.
  std::string Refusal(const proto::ToDriver& hello) {
    Connect(security_);
    Send(hello);
    const absl::Status end = worker_side_.AwaitEnd();
    EXPECT_FALSE(absl::IsUnavailable(end)) << "a reason to try again";
    const auto nothing = driver_side_.Await([](const auto&) { return true; });
    EXPECT_THAT(nothing.messages, IsEmpty());
    EXPECT_THAT(nothing.gone, IsEmpty());
    return end.ToString();
  }

  TempDir dir_;
  int secrets_ = 0;
  MetricsRegistry metrics_;
  MemoryFileSystem fs_;
  std::shared_ptr<const RpcSecurity> security_;
  DriverSide driver_side_;
  WorkerSide worker_side_;
  RealEnv driver_env_;
  RealEnv worker_env_;
  GrpcDriverTransport driver_;
  std::unique_ptr<GrpcWorkerTransport> worker_;
};

TEST_F(GrpcTransportTest, MessagesArriveInOrderBothWays) {
  constexpr int kCount = 2'000;
  Join(7);
  for (int i = 0; i < kCount; ++i) {
    proto::ToDriver status;
    status.mutable_task_status()->set_task_id(i);
    Send(std::move(status));
    driver_env_.Post([this, i] {
      proto::ToWorker message;
      message.mutable_drop_shuffle()->set_shuffle_id(i);
      driver_.SendToWorker(7, std::move(message));
    });
  }
  const auto driver_saw =
      driver_side_.Await([](const auto& seen) { return seen.messages.size() > kCount; });
  ASSERT_EQ(driver_saw.messages.size(), size_t{kCount} + 1);
  EXPECT_TRUE(driver_saw.messages[0].has_hello());
  const auto shuffles =
      worker_side_.seen.WaitUntil([](const auto& seen) { return seen.shuffles.size() == kCount; },
                                  kPatience, [](const auto& seen) { return seen.shuffles; });
  ASSERT_EQ(shuffles.size(), size_t{kCount});
  for (int i = 0; i < kCount; ++i) {
    EXPECT_EQ(driver_saw.messages[static_cast<size_t>(i) + 1].task_status().task_id(), i);
    // Whoever the worker says it is, it is the one that said hello.
    EXPECT_EQ(driver_saw.messages[static_cast<size_t>(i) + 1].worker_id(), 7);
    EXPECT_EQ(shuffles[static_cast<size_t>(i)], i);
  }
}

TEST_F(GrpcTransportTest, ALargeMessagePasses) {
  Join(7);
  proto::ToDriver status;
  status.mutable_task_status()->set_result(std::string(20 << 20, 'x'));
  Send(std::move(status));
  const auto seen = driver_side_.Await([](const auto& now) { return now.messages.size() == 2; });
  ASSERT_EQ(seen.messages.size(), 2u);
  EXPECT_EQ(seen.messages[1].task_status().result().size(), size_t{20} << 20);
}

TEST_F(GrpcTransportTest, TheDriverIsToldOnceOfAWorkerThatGoes) {
  Join(7);
  worker_.reset();
  const auto seen = driver_side_.Await([](const auto& now) { return !now.gone.empty(); });
  ASSERT_EQ(seen.gone.size(), 1u);
  EXPECT_THAT(seen.gone[0], HasSubstr("7: "));
}

TEST_F(GrpcTransportTest, AWorkerThatIsGivenUpIsToldWhy) {
  Join(7);
  driver_env_.Post(
      [this] { driver_.DisconnectWorker(7, absl::DeadlineExceededError("it was silent")); });
  EXPECT_EQ(worker_side_.AwaitEnd(), absl::DeadlineExceededError("it was silent"));
  driver_env_.Stop();
  EXPECT_THAT(driver_side_.Await([](const auto&) { return true; }).gone, IsEmpty());
}

TEST_F(GrpcTransportTest, AWorkerWhoseDriverGoesHearsThatItIsLost) {
  Join(7);
  driver_env_.Stop();
  const std::string there = address();
  driver_.Stop();
  EXPECT_EQ(worker_side_.AwaitEnd().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(worker_->Connect(there, milliseconds(1), [] { return true; }).code(),
            absl::StatusCode::kUnavailable);
  int looks = 0;
  EXPECT_EQ(worker_->Connect(there, kPatience, [&] { return ++looks < 2; }).code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(looks, 2);
}

TEST_F(GrpcTransportTest, AWorkerThatHasHeardALaterDriverIsRefused) {
  Connect(security_);
  proto::ToDriver hello = Hello(7);
  hello.mutable_hello()->set_driver_epoch(2);
  Send(hello);
  EXPECT_EQ(worker_side_.AwaitEnd().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(GrpcTransportTest, AWrongSecretIsRefusedAndCounted) {
  Connect(Security("another secret, just as long", nullptr));
  Send(Hello(7));
  const absl::Status end = worker_side_.AwaitEnd();
  EXPECT_EQ(end.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(end.message()), HasSubstr("secret is missing or wrong"));
  EXPECT_THAT(metrics_.RenderPrometheus(),
              HasSubstr("millrace_rpc_refused_total{reason=\"secret\"} 1"));
}

TEST_F(GrpcTransportTest, AnotherBinaryIsRefusedAndCounted) {
  proto::ToDriver hello = Hello(7);
  hello.mutable_hello()->set_binary_digest("abd");
  EXPECT_THAT(Refusal(hello), HasSubstr("worker 7 runs another binary (digest abd)"));
  EXPECT_THAT(metrics_.RenderPrometheus(),
              HasSubstr("millrace_rpc_refused_total{reason=\"hello\"} 1"));
}

TEST_F(GrpcTransportTest, AnotherApplicationIsRefused) {
  proto::ToDriver hello = Hello(7);
  hello.mutable_hello()->set_application_id("other");
  EXPECT_THAT(Refusal(hello), HasSubstr("driver of application 'app'"));
}

TEST_F(GrpcTransportTest, AWorkerWithoutSlotsIsRefused) {
  proto::ToDriver hello = Hello(7);
  hello.mutable_hello()->set_task_slots(0);
  EXPECT_THAT(Refusal(hello), HasSubstr("0 task slots"));
}

TEST_F(GrpcTransportTest, WhoeverDoesNotSayHelloIsRefused) {
  proto::ToDriver message;
  message.mutable_heartbeat();
  EXPECT_THAT(Refusal(message), HasSubstr("must be its hello"));
}

TEST_F(GrpcTransportTest, AWorkerThatWasGivenUpMayNotComeBack) {
  driver_side_.refused_id = 7;
  EXPECT_THAT(Refusal(Hello(7)), HasSubstr("this worker was given up"));
}

TEST_F(GrpcTransportTest, GarbageOnThePortHarmsNobody) {
  Join(7);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(static_cast<uint16_t>(driver_.port()));
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof server), 0);
  const std::string garbage(1 << 16, '\x7f');
  EXPECT_GT(send(fd, garbage.data(), garbage.size(), MSG_NOSIGNAL), 0);
  char byte = 0;
  while (recv(fd, &byte, 1, 0) > 0) {  // Until the server ends the connection.
  }
  close(fd);
  proto::ToDriver heartbeat;
  heartbeat.mutable_heartbeat();
  Send(std::move(heartbeat));
  const auto seen = driver_side_.Await([](const auto& now) { return now.messages.size() == 2; });
  EXPECT_EQ(seen.messages.size(), 2u);
}

}  // namespace
}  // namespace millrace
