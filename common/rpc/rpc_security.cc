#include "common/rpc/rpc_security.h"

#include <arpa/inet.h>
#include <grpcpp/client_context.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_context.h>
#include <openssl/crypto.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/annotate_status.h"
#include "common/base/status_macros.h"
#include "common/crypto/sha256.h"
#include "common/fs/file_util.h"
#include "common/fs/local_file_system.h"
#include "glog/logging.h"

namespace millrace {

namespace {

// gRPC wants keys in lower case; values under a key in -bin may hold any bytes.
constexpr char kSecretKey[] = "millrace-secret-bin";
constexpr char kVersionKey[] = "millrace-protocol";

constexpr size_t kSecretBytesMin = 16;
constexpr size_t kSecretBytesMax = 4096;
constexpr size_t kPemBytesMax = size_t{1} << 20;

struct EnvironmentName {
  const char* name;
  std::string RpcSecurityOptions::*value;
};
constexpr char kInsecureVariable[] = "MILLRACE_INSECURE";
constexpr EnvironmentName kEnvironment[] = {
    {"MILLRACE_AUTH_SECRET_FILE", &RpcSecurityOptions::auth_secret_file},
    {"MILLRACE_TLS_CERT", &RpcSecurityOptions::tls_cert},
    {"MILLRACE_TLS_KEY", &RpcSecurityOptions::tls_key},
    {"MILLRACE_TLS_CA", &RpcSecurityOptions::tls_ca},
};

// Whoever may read the file is one of the cluster. A group may, as where it is mounted into a
// container for a user who does not own it.
absl::Status CheckPrivate(const std::string& path, const std::string& what) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) {
    return absl::NotFoundError(absl::StrCat(what, " '", path, "': ", std::strerror(errno)));
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(what, " '", path, "' is not a file"));
  }
  if ((info.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
    return absl::PermissionDeniedError(absl::StrCat(
        what, " '", path, "' is open to others; shut them out with: chmod 600 '", path, "'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadSecret(const std::string& path) {
  const std::string what = "the file of the shared secret";
  RETURN_IF_ERROR(CheckPrivate(path, what));
  LocalFileSystem fs;
  ASSIGN_OR_RETURN(std::string secret, ReadWholeFile(fs, path, kSecretBytesMax));
  secret = std::string(absl::StripAsciiWhitespace(secret));
  if (secret.size() < kSecretBytesMin) {
    return absl::InvalidArgumentError(absl::StrCat(
        what, " '", path, "' holds ", secret.size(), " bytes, fewer than ", kSecretBytesMin,
        "; make one with: (umask 077; head -c 32 /dev/urandom | base64 > '", path, "')"));
  }
  return secret;
}

bool SameBytes(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::optional<std::string_view> Find(const grpc::ServerContextBase& context, const char* key) {
  const auto& metadata = context.client_metadata();
  const auto it = metadata.find(key);
  if (it == metadata.end()) return std::nullopt;
  return std::string_view(it->second.data(), it->second.size());
}

}  // namespace

RpcSecurityOptions RpcSecurityOptions::FromEnvironment() {
  RpcSecurityOptions options;
  for (const EnvironmentName& variable : kEnvironment) {
    if (const char* value = std::getenv(variable.name)) options.*variable.value = value;
  }
  const char* const insecure = std::getenv(kInsecureVariable);
  options.insecure = insecure != nullptr && std::string_view(insecure) == "1";
  return options;
}

std::vector<std::pair<std::string, std::string>> RpcSecurityOptions::ToEnvironment() const {
  std::vector<std::pair<std::string, std::string>> environment;
  for (const EnvironmentName& variable : kEnvironment) {
    if (!(this->*variable.value).empty()) {
      environment.emplace_back(variable.name, this->*variable.value);
    }
  }
  if (insecure) environment.emplace_back(kInsecureVariable, "1");
  return environment;
}

absl::StatusOr<std::shared_ptr<const RpcSecurity>> RpcSecurity::Load(
    const RpcSecurityOptions& options, MetricsRegistry* metrics) {
  const std::shared_ptr<RpcSecurity> security(new RpcSecurity);
  security->insecure_ = options.insecure;
  security->metrics_ = metrics;
  if (!options.auth_secret_file.empty()) {
    ASSIGN_OR_RETURN(const std::string secret, ReadSecret(options.auth_secret_file));
    Sha256 digest;
    digest.Update("millrace shared secret\n");
    digest.Update(secret);
    security->secret_digest_ = digest.Finish();
  }
  RETURN_IF_ERROR(security->LoadTls(options));
  return security;
}

absl::Status RpcSecurity::LoadTls(const RpcSecurityOptions& options) {
  const int given = !options.tls_cert.empty() + !options.tls_key.empty() + !options.tls_ca.empty();
  if (given == 0) return absl::OkStatus();
  if (given < 3) {
    return absl::InvalidArgumentError(
        "mutual TLS needs three files: --tls_cert, --tls_key and --tls_ca");
  }
  RETURN_IF_ERROR(CheckPrivate(options.tls_key, "the key of --tls_key"));
  LocalFileSystem fs;
  ASSIGN_OR_RETURN(tls_cert_, ReadWholeFile(fs, options.tls_cert, kPemBytesMax));
  ASSIGN_OR_RETURN(tls_key_, ReadWholeFile(fs, options.tls_key, kPemBytesMax));
  ASSIGN_OR_RETURN(tls_ca_, ReadWholeFile(fs, options.tls_ca, kPemBytesMax));
  if (tls_cert_.empty() || tls_key_.empty() || tls_ca_.empty()) {
    return absl::InvalidArgumentError("one of --tls_cert, --tls_key and --tls_ca is an empty file");
  }
  return absl::OkStatus();
}

absl::Status RpcSecurity::CheckListenHost(std::string_view host) const {
  if (has_secret() || insecure_ || IsLoopbackHost(host)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "'", absl::string_view(host.data(), host.size()),
      "' can be reached from other machines, and whoever reaches it can run programs here: give "
      "--auth_secret_file=FILE (for an application millrace.authenticate.secretFile), or listen on "
      "127.0.0.1, or allow it with --insecure (MILLRACE_INSECURE=1)"));
}

std::shared_ptr<grpc::ServerCredentials> RpcSecurity::server_credentials() const {
  if (!has_tls()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = tls_ca_;
  options.pem_key_cert_pairs.push_back({.private_key = tls_key_, .cert_chain = tls_cert_});
  return grpc::SslServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> RpcSecurity::channel_credentials() const {
  if (!has_tls()) return grpc::InsecureChannelCredentials();
  return grpc::SslCredentials(
      {.pem_root_certs = tls_ca_, .pem_private_key = tls_key_, .pem_cert_chain = tls_cert_});
}

void RpcSecurity::Sign(grpc::ClientContext& context) const {
  context.AddMetadata(kVersionKey, std::to_string(kRpcProtocolVersion));
  if (has_secret()) context.AddMetadata(kSecretKey, secret_digest_);
}

grpc::Status RpcSecurity::Admit(const grpc::ServerContextBase& context) const {
  if (has_secret() && !SameBytes(secret_digest_, Find(context, kSecretKey).value_or(""))) {
    return Refuse(
        context, "secret",
        {grpc::StatusCode::UNAUTHENTICATED,
         "the shared secret is missing or wrong: give the file that the cluster's daemons "
         "were given, by --auth_secret_file or millrace.authenticate.secretFile"});
  }
  const std::string_view version = Find(context, kVersionKey).value_or("none");
  if (version != std::to_string(kRpcProtocolVersion)) {
    return Refuse(context, "version",
                  {grpc::StatusCode::FAILED_PRECONDITION,
                   absl::StrCat("the peer speaks version '",
                                absl::string_view(version.data(), version.size()).substr(0, 20),
                                "' of the protocol, and this process version ", kRpcProtocolVersion,
                                ": install the same release of Millrace on both sides")});
  }
  return grpc::Status::OK;
}

// The log is bounded: a stranger must not be able to fill a disk.
grpc::Status RpcSecurity::Refuse(const grpc::ServerContextBase& context, const char* reason,
                                 grpc::Status status) const {
  LOG_EVERY_T(WARNING, 1) << "refused a call of " << context.peer() << ": "
                          << status.error_message();
  if (metrics_ != nullptr) {
    metrics_
        ->GetCounter("millrace_rpc_refused_total", "Calls of peers that may not call",
                     {{"reason", reason}})
        ->Increment();
  }
  return status;
}

bool IsLoopbackHost(std::string_view host) {
  if (host == "localhost") return true;
  const std::string text(host);
  in_addr v4;
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  return ::inet_pton(AF_INET6, text.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace millrace
