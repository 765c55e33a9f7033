// A checkpoint directory that takes no checkpoint for a while.
#ifndef MILLRACE_TESTS_SUPPORT_BLOCKED_CHECKPOINTS_H_
#define MILLRACE_TESTS_SUPPORT_BLOCKED_CHECKPOINTS_H_

#include <filesystem>
#include <string>
#include <vector>

namespace millrace {

// No checkpoint can be written where its temporary file is a directory: none of those up to number
// `count`, as long as this lives.
class BlockedCheckpoints {
 public:
  explicit BlockedCheckpoints(const std::string& directory, int count = 100) {
    for (int i = 1; i <= count; ++i) {
      obstacles_.push_back(directory + "/checkpoint-" + std::to_string(i) + ".tmp");
      std::filesystem::create_directories(obstacles_.back() + "/in use");
    }
  }
  ~BlockedCheckpoints() {
    for (const std::string& obstacle : obstacles_) std::filesystem::remove_all(obstacle);
  }
  BlockedCheckpoints(const BlockedCheckpoints&) = delete;
  BlockedCheckpoints& operator=(const BlockedCheckpoints&) = delete;

 private:
  std::vector<std::string> obstacles_;
};

}  // namespace millrace

#endif  // MILLRACE_TESTS_SUPPORT_BLOCKED_CHECKPOINTS_H_
