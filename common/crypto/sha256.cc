#include "common/crypto/sha256.h"

#include <openssl/evp.h>

#include <algorithm>
#include <vector>

#include "absl/strings/escaping.h"
#include "common/base/status_macros.h"
#include "glog/logging.h"

namespace millrace {

namespace {

constexpr size_t kReadBytes = size_t{1} << 20;

}  // namespace

void Sha256::FreeContext::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

// OpenSSL fails here only without memory, or in a build of it without SHA-256.
Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  CHECK(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void Sha256::Update(std::string_view bytes) {
  CHECK_EQ(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()), 1);
}

std::string Sha256::Finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  CHECK_EQ(EVP_DigestFinal_ex(context_.get(), digest, &size), 1);
  return std::string(reinterpret_cast<const char*>(digest), size);
}

std::string Sha256::FinishHex() { return absl::BytesToHexString(Finish()); }

std::string Sha256Hex(std::string_view bytes) {
  Sha256 digest;
  digest.Update(bytes);
  return digest.FinishHex();
}

absl::StatusOr<std::string> Sha256HexOfFile(FileSystem& fs, const std::string& path) {
  ASSIGN_OR_RETURN(const auto file, fs.OpenForRead(path));
  Sha256 digest;
  std::vector<char> bytes(kReadBytes);
  for (uint64_t offset = 0; offset < file->size_bytes();) {
    ASSIGN_OR_RETURN(const size_t size, file->ReadAt(offset, bytes.data(), bytes.size()));
    if (size == 0) return absl::DataLossError("'" + path + "' became shorter while it was read");
    digest.Update({bytes.data(), size});
    offset += size;
  }
  return digest.FinishHex();
}

bool IsSha256Hex(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace millrace
