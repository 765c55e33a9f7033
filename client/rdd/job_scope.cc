#include "client/rdd/job_scope.h"

namespace millrace::internal {
namespace {

thread_local const JobScope* current_scope = nullptr;

}  // namespace

JobScope::JobScope(int64_t batch_time_ms, int output_op_id, std::string description,
                   LeftOutputs* left_outputs)
    : batch_time_ms_(batch_time_ms),
      output_op_id_(output_op_id),
      description_(std::move(description)),
      left_outputs_(left_outputs),
      outer_(std::exchange(current_scope, this)) {}

JobScope::~JobScope() { current_scope = outer_; }

const JobScope* JobScope::Current() { return current_scope; }

}  // namespace millrace::internal
