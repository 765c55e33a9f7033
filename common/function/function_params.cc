#include "common/function/function_params.h"

namespace millrace::internal {
namespace {

thread_local BroadcastRecorder* current_recorder = nullptr;

}  // namespace

BroadcastRecorder::BroadcastRecorder(std::vector<BroadcastUse>& uses)
    : uses_(uses), outer_(std::exchange(current_recorder, this)) {}

BroadcastRecorder::~BroadcastRecorder() { current_recorder = outer_; }

void BroadcastRecorder::Note(int64_t broadcast_id, const std::shared_ptr<void>& lease) {
  if (current_recorder != nullptr) current_recorder->uses_.push_back({broadcast_id, lease});
}

}  // namespace millrace::internal
