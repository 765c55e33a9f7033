// A checkpoint as bytes. The format stands in README.md.
#ifndef MILLRACE_DRIVER_CHECKPOINT_CHECKPOINT_FILE_H_
#define MILLRACE_DRIVER_CHECKPOINT_CHECKPOINT_FILE_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "proto/checkpoint.pb.h"

namespace millrace::internal {

std::string EncodeCheckpoint(const proto::Checkpoint& checkpoint);

// DataLoss: `bytes` are not what was written; says at which offset. Unimplemented: a newer version.
absl::StatusOr<proto::Checkpoint> DecodeCheckpoint(std::string_view bytes);

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_CHECKPOINT_CHECKPOINT_FILE_H_
