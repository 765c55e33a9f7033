// A checkpoint directory that takes no checkpoint for a while.
#ifndef MILLRACE_TESTS_SUPPORT_BLOCKED_CHECKPOINTS_H_
#define MILLRACE_TESTS_SUPPORT_BLOCKED_CHECKPOINTS_H_

#include <filesystem>
#include <string>
#include <vector>

namespace millrace {

// No checkpoint can be written where its temporary file is a directory: none of those up to number
// `count`, by none of a few drivers, as long as this lives.
class BlockedCheckpoints {
 public:
  explicit BlockedCheckpoints(const std::string& directory, int count = 100) {
    for (int i = 0; i < count * kDrivers; ++i) {
      obstacles_.push_back(directory + "/checkpoint-" + std::to_string(i / kDrivers + 1) + "." +
                           std::to_string(i % kDrivers + 1) + ".tmp");
      std::filesystem::create_directories(obstacles_.back() + "/in use");
    }
  }
  ~BlockedCheckpoints() {
    for (const std::string& obstacle : obstacles_) std::filesystem::remove_all(obstacle);
  }
  BlockedCheckpoints(const BlockedCheckpoints&) = delete;
  BlockedCheckpoints& operator=(const BlockedCheckpoints&) = delete;

 private:
  static constexpr int kDrivers = 5;

  std::vector<std::string> obstacles_;
};

}  // namespace millrace

#endif  // MILLRACE_TESTS_SUPPORT_BLOCKED_CHECKPOINTS_H_
