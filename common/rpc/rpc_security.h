// Who may call whom: the secret that the processes of a cluster share, mutual TLS, and the version
// of what they speak.
#ifndef MILLRACE_COMMON_RPC_RPC_SECURITY_H_
#define MILLRACE_COMMON_RPC_RPC_SECURITY_H_

#include <grpcpp/support/status.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/metrics/metrics_registry.h"

namespace grpc {
class ChannelCredentials;
class ClientContext;
class ServerContextBase;
class ServerCredentials;
}  // namespace grpc

namespace millrace {

// A process refuses peers of another version; raised when a message changes its meaning.
inline constexpr int kRpcProtocolVersion = 1;

struct RpcSecurityOptions {
  std::string auth_secret_file = "";  // Empty: there is no secret.
  // PEM files for mutual TLS, all or none: this side's certificates, their key, and the
  // certificates by which those of peers are checked.
  std::string tls_cert = "";
  std::string tls_key = "";
  std::string tls_ca = "";
  bool insecure = false;  // A server may be reached from elsewhere without a secret.

  // What a daemon hands to the processes that it starts: MILLRACE_AUTH_SECRET_FILE,
  // MILLRACE_TLS_CERT, MILLRACE_TLS_KEY, MILLRACE_TLS_CA, and MILLRACE_INSECURE=1; those that are
  // empty are left out.
  static RpcSecurityOptions FromEnvironment();
  std::vector<std::pair<std::string, std::string>> ToEnvironment() const;
};

// Threads: any; nothing changes after Load.
class RpcSecurity {
 public:
  // Reads the files. Errors name the flag and the file, and say what to do: a secret that others
  // may read or that is shorter than 16 bytes is refused, and TLS of which a part is missing.
  // `metrics` counts who is refused (may be null) and outlives this.
  static absl::StatusOr<std::shared_ptr<const RpcSecurity>> Load(const RpcSecurityOptions& options,
                                                                 MetricsRegistry* metrics);

  // FailedPrecondition: a server on `host` could be reached from other machines, and neither is
  // there a secret nor does --insecure (of a daemon, and MILLRACE_INSECURE=1 of an application)
  // allow that.
  absl::Status CheckListenHost(std::string_view host) const;

  std::shared_ptr<grpc::ServerCredentials> server_credentials() const;
  std::shared_ptr<grpc::ChannelCredentials> channel_credentials() const;

  // Adds to a call what Admit wants to see.
  void Sign(grpc::ClientContext& context) const;

  // OK, or what the call is to be answered with: UNAUTHENTICATED without the right secret,
  // FAILED_PRECONDITION for a peer of another version. The first thing in every call.
  grpc::Status Admit(const grpc::ServerContextBase& context) const;

  bool has_secret() const { return !secret_digest_.empty(); }
  bool has_tls() const { return !tls_key_.empty(); }

 private:
  RpcSecurity() = default;
  absl::Status LoadTls(const RpcSecurityOptions& options);
  grpc::Status Refuse(const grpc::ServerContextBase& context, const char* reason,
                      grpc::Status status) const;

  bool insecure_ = false;
  // What is sent: a digest, so that a listener does not learn a secret that is used elsewhere too.
  std::string secret_digest_;
  std::string tls_cert_;
  std::string tls_key_;
  std::string tls_ca_;
  MetricsRegistry* metrics_ = nullptr;
};

// localhost, 127.0.0.0/8, ::1: reached from this machine only.
bool IsLoopbackHost(std::string_view host);

}  // namespace millrace

#endif  // MILLRACE_COMMON_RPC_RPC_SECURITY_H_
