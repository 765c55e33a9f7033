#include "common/rpc/rpc_security.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "common/rpc/rpc_status.h"
#include "proto/artifact.grpc.pb.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

constexpr char kSecret[] = "a secret of some length\n";

class Service : public proto::ArtifactService::Service {
 public:
  explicit Service(std::shared_ptr<const RpcSecurity> security) : security_(std::move(security)) {}

  grpc::Status FindMissing(grpc::ServerContext* context, const proto::FindMissingRequest*,
                           proto::FindMissingReply*) override {
    return security_->Admit(*context);
  }

 private:
  std::shared_ptr<const RpcSecurity> security_;
};

class RpcSecurityTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& contents, mode_t mode = 0600) {
    std::string path = dir_.path() + "/" + name;
    std::ofstream(path) << contents;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }

  std::shared_ptr<const RpcSecurity> Load(const RpcSecurityOptions& options) {
    auto security = RpcSecurity::Load(options, &metrics_);
    EXPECT_TRUE(security.ok()) << security.status();
    return *security;
  }

  // What a client gets from a server that each have their own idea of security.
  absl::Status Call(const std::shared_ptr<const RpcSecurity>& server_side,
                    const std::shared_ptr<const RpcSecurity>& client_side, bool sign = true) {
    Service service(server_side);
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", server_side->server_credentials(), &port);
    builder.RegisterService(&service);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    const auto stub = proto::ArtifactService::NewStub(grpc::CreateChannel(
        "127.0.0.1:" + std::to_string(port), client_side->channel_credentials()));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    if (sign) client_side->Sign(context);
    proto::FindMissingReply reply;
    return FromGrpcStatus(stub->FindMissing(&context, {}, &reply));
  }

  double Refused(const std::string& reason) {
    return metrics_.GetCounter("millrace_rpc_refused_total", "", {{"reason", reason}})->value();
  }

  std::string Shell(const std::string& command) {
    const std::string quiet = "cd " + dir_.path() + " && (" + command + ") >log 2>&1";
    EXPECT_EQ(std::system(quiet.c_str()), 0) << command;
    return dir_.path();
  }

  // A root of certificates `name`, and a certificate of it for this machine.
  RpcSecurityOptions MakeTls(const std::string& name) {
    Shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout " +
          name + "-root.key -out " + name + "-root.pem -subj /CN=" + name +
          " && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout " + name +
          ".key -out " + name + ".csr -subj /CN=localhost" +
          " && echo subjectAltName=IP:127.0.0.1 >ext && openssl x509 -req -in " + name +
          ".csr -CA " + name + "-root.pem -CAkey " + name +
          "-root.key -CAcreateserial -days 2 -extfile ext -out " + name + ".pem && chmod 600 " +
          name + ".key");
    const std::string base = dir_.path() + "/" + name;
    return {.tls_cert = base + ".pem", .tls_key = base + ".key", .tls_ca = base + "-root.pem"};
  }

  TempDir dir_;
  MetricsRegistry metrics_;
};

TEST_F(RpcSecurityTest, TheSameSecretIsAdmitted) {
  // The end of a line is no part of it.
  const auto server = Load({.auth_secret_file = Write("a", kSecret)});
  const auto client = Load({.auth_secret_file = Write("b", "a secret of some length")});
  EXPECT_EQ(Call(server, client), absl::OkStatus());
  EXPECT_EQ(Refused("secret"), 0);
}

TEST_F(RpcSecurityTest, AnotherSecretOrNoneIsRefusedAndCounted) {
  const auto server = Load({.auth_secret_file = Write("a", kSecret)});
  const auto other = Load({.auth_secret_file = Write("b", "a secret of some lengtH")});
  const absl::Status status = Call(server, other);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--auth_secret_file"));
  EXPECT_EQ(Call(server, Load({})).code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Refused("secret"), 2);
}

TEST_F(RpcSecurityTest, WithoutASecretAnybodyOfThisVersionIsAdmitted) {
  const auto server = Load({});
  EXPECT_EQ(Call(server, Load({})), absl::OkStatus());
  EXPECT_EQ(Call(server, Load({.auth_secret_file = Write("a", kSecret)})), absl::OkStatus());
  EXPECT_EQ(Call(server, Load({}), /*sign=*/false).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Refused("version"), 1);
}

TEST_F(RpcSecurityTest, ASecretThatOthersReadIsRefused) {
  for (const mode_t mode : {0604, 0602, 0620}) {
    const auto security =
        RpcSecurity::Load({.auth_secret_file = Write("s", kSecret, mode)}, nullptr);
    EXPECT_EQ(security.status().code(), absl::StatusCode::kPermissionDenied) << mode;
    EXPECT_THAT(std::string(security.status().message()), HasSubstr("chmod 600"));
  }
  EXPECT_TRUE(RpcSecurity::Load({.auth_secret_file = Write("s", kSecret, 0440)}, nullptr).ok());
}

TEST_F(RpcSecurityTest, AMissingOrEmptyOrShortSecretIsRefused) {
  const auto load = [](const std::string& path) {
    return RpcSecurity::Load({.auth_secret_file = path}, nullptr).status().code();
  };
  EXPECT_EQ(load(dir_.path() + "/none"), absl::StatusCode::kNotFound);
  EXPECT_EQ(load(dir_.path()), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(load(Write("empty", "")), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(load(Write("short", "0123456789abcde\n")), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(load(Write("long", std::string(5000, 'x'))), absl::StatusCode::kResourceExhausted);
}

TEST_F(RpcSecurityTest, ListensBeyondLoopbackOnlyWithASecretOrWhenAllowed) {
  const auto bare = Load({});
  for (const char* host : {"localhost", "127.0.0.1", "127.3.2.1", "::1"}) {
    EXPECT_TRUE(bare->CheckListenHost(host).ok()) << host;
  }
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "example", "127.evil", ""}) {
    EXPECT_EQ(bare->CheckListenHost(host).code(), absl::StatusCode::kFailedPrecondition) << host;
  }
  EXPECT_TRUE(Load({.insecure = true})->CheckListenHost("0.0.0.0").ok());
  EXPECT_TRUE(Load({.auth_secret_file = Write("a", kSecret)})->CheckListenHost("0.0.0.0").ok());
}

TEST_F(RpcSecurityTest, MutualTlsAdmitsOnlyPeersOfTheSameRoot) {
  const auto ours = Load(MakeTls("ours"));
  EXPECT_EQ(Call(ours, ours), absl::OkStatus());
  const auto theirs = Load(MakeTls("theirs"));
  EXPECT_EQ(Call(ours, theirs).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Call(ours, Load({})).code(), absl::StatusCode::kUnavailable);
}

TEST_F(RpcSecurityTest, TlsNeedsAllItsFilesAndAPrivateKey) {
  RpcSecurityOptions options{.tls_cert = Write("c", "x"), .tls_key = Write("k", "x", 0644)};
  EXPECT_EQ(RpcSecurity::Load(options, nullptr).status().code(),
            absl::StatusCode::kInvalidArgument);
  options.tls_ca = Write("a", "x");
  EXPECT_EQ(RpcSecurity::Load(options, nullptr).status().code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(RpcSecurityTest, ChildrenGetItByTheirEnvironment) {
  const RpcSecurityOptions options{.auth_secret_file = "/a", .tls_ca = "/b", .insecure = true};
  const auto environment = options.ToEnvironment();
  EXPECT_THAT(environment,
              ::testing::ElementsAre(::testing::Pair("MILLRACE_AUTH_SECRET_FILE", "/a"),
                                     ::testing::Pair("MILLRACE_TLS_CA", "/b"),
                                     ::testing::Pair("MILLRACE_INSECURE", "1")));
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  const RpcSecurityOptions again = RpcSecurityOptions::FromEnvironment();
  for (const auto& [name, value] : environment) ::unsetenv(name.c_str());
  EXPECT_EQ(again.auth_secret_file, "/a");
  EXPECT_EQ(again.tls_ca, "/b");
  EXPECT_EQ(again.tls_cert, "");
  EXPECT_TRUE(again.insecure);
  EXPECT_FALSE(RpcSecurityOptions::FromEnvironment().insecure);
}

TEST(RpcStatusTest, CrossesAndComesBack) {
  const absl::Status status = absl::NotFoundError("no such thing");
  EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(status)), status);
  EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(absl::OkStatus())), absl::OkStatus());
  EXPECT_EQ(ToGrpcStatus(absl::InternalError(std::string(100'000, 'x'))).error_message().size(),
            2000);
}

}  // namespace
}  // namespace millrace
