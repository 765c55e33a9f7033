#include "executor/operator/fail.h"

#include <cstdint>

namespace millrace::internal {

std::string EncodeFailure(const absl::Status& status) {
  Encoder encoder;
  Encode(encoder, static_cast<int32_t>(status.code()));
  Encode(encoder, std::string(status.message()));
  return encoder.ToString();
}

bool FailOperator::Compute(TaskNode& node, AnySink* /*out*/) const {
  Decoder params(node.params());
  const auto code = params.GetFixed<int32_t>();
  std::string message;
  Decode(params, message);
  if (params.failed()) return FailWrongParams(node);
  return node.task().Fail(absl::Status(static_cast<absl::StatusCode>(code), message));
}

}  // namespace millrace::internal
