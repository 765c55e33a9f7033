#include "client/cluster/binary_digest.h"

#include <xxhash.h>

#include <algorithm>
#include <memory>

#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/fs/local_file_system.h"

namespace millrace::internal {

namespace {

constexpr size_t kReadBytes = size_t{1} << 20;

struct FreeState {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

}  // namespace

absl::StatusOr<std::string> BinaryDigest() {
  LocalFileSystem fs;
  ASSIGN_OR_RETURN(const std::unique_ptr<RandomAccessFile> file, fs.OpenForRead("/proc/self/exe"));
  const std::unique_ptr<XXH3_state_t, FreeState> state(XXH3_createState());
  XXH3_128bits_reset(state.get());
  std::string bytes(kReadBytes, '\0');
  for (uint64_t offset = 0; offset < file->size_bytes(); offset += kReadBytes) {
    const uint64_t size = std::min<uint64_t>(kReadBytes, file->size_bytes() - offset);
    ASSIGN_OR_RETURN(const size_t read, file->ReadAt(offset, bytes.data(), size));
    XXH3_128bits_update(state.get(), bytes.data(), read);
  }
  const XXH128_hash_t digest = XXH3_128bits_digest(state.get());
  return absl::StrFormat("%016x%016x", digest.high64, digest.low64);
}

}  // namespace millrace::internal
