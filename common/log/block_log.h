// Received blocks in a write-ahead log.
#ifndef MILLRACE_COMMON_LOG_BLOCK_LOG_H_
#define MILLRACE_COMMON_LOG_BLOCK_LOG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/fs/file_system.h"
#include "common/log/segment_format.h"
#include "common/memory/buffer.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

// A record's payload: what is reported of the block, and its bytes. README.md says which bytes.
LogPayload EncodeLoggedBlock(const proto::StoredBlock& block, const std::vector<Buffer>& buffers);

// What a record holds.
struct LoggedBlock {
  proto::StoredBlock block;
  std::vector<Buffer> buffers;  // In the pieces in which they were stored.
};
// DataLoss: it was not written by EncodeLoggedBlock.
absl::StatusOr<LoggedBlock> DecodeLoggedBlock(const Buffer& payload);

// The bytes of the block that is logged there. NotFound: there is no such segment (any more).
// DataLoss: it is not what the id says; names the file and the offset.
absl::StatusOr<std::vector<Buffer>> ReadLoggedBlock(FileSystem& fs, const proto::BlockId& id);

// What is logged in the segments of a directory from `first_segment` on, in the order of sequences,
// each block once: the id of each has its place. Nobody writes there any more; what is listed is on
// the disk. Empty where there is no directory. DataLoss: a segment is corrupt; names it and the
// offset.
absl::StatusOr<std::vector<proto::StoredBlock>> ListLoggedBlocks(FileSystem& fs,
                                                                 const std::string& directory,
                                                                 int64_t first_segment);

// The numbers of the segments in a directory, rising. Empty where there is no directory.
absl::StatusOr<std::vector<int64_t>> ListSegments(FileSystem& fs, const std::string& directory);

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_LOG_BLOCK_LOG_H_
