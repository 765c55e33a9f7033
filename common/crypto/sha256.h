// SHA-256: artifacts are named by it, and checked.
#ifndef MILLRACE_COMMON_CRYPTO_SHA256_H_
#define MILLRACE_COMMON_CRYPTO_SHA256_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/fs/file_system.h"

struct evp_md_ctx_st;

namespace millrace {

// Of bytes that come piece by piece.
class Sha256 {
 public:
  Sha256();

  void Update(std::string_view bytes);
  // 32 bytes. Nothing may be called after it.
  std::string Finish();
  // The same as 64 hexadecimal digits in lower case.
  std::string FinishHex();

 private:
  struct FreeContext {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, FreeContext> context_;
};

std::string Sha256Hex(std::string_view bytes);

// Of a whole file, however large.
absl::StatusOr<std::string> Sha256HexOfFile(FileSystem& fs, const std::string& path);

// 64 hexadecimal digits in lower case and nothing else, so that it is good as a file's name.
bool IsSha256Hex(std::string_view text);

}  // namespace millrace

#endif  // MILLRACE_COMMON_CRYPTO_SHA256_H_
