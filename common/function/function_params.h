// What of an operator's functions travels with a plan.
#ifndef MILLRACE_COMMON_FUNCTION_FUNCTION_PARAMS_H_
#define MILLRACE_COMMON_FUNCTION_FUNCTION_PARAMS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace millrace::internal {

// A broadcast value that an operator's functions read, kept for as long as the operator may run.
struct BroadcastUse {
  int64_t broadcast_id = 0;
  std::shared_ptr<void> lease;
};

// Parameters of an operator: bytes, and the broadcasts whose handles are among them.
struct FunctionParams {
  FunctionParams() = default;
  // Bytes are parameters without broadcasts.
  FunctionParams(std::string encoded)  // NOLINT(google-explicit-constructor)
      : bytes(std::move(encoded)) {}
  FunctionParams(const char* encoded)  // NOLINT(google-explicit-constructor)
      : bytes(encoded) {}

  friend FunctionParams operator+(FunctionParams first, const FunctionParams& second) {
    first.bytes += second.bytes;
    first.broadcasts.insert(first.broadcasts.end(), second.broadcasts.begin(),
                            second.broadcasts.end());
    return first;
  }

  std::string bytes;
  std::vector<BroadcastUse> broadcasts;
};

// While it lives, handles of broadcasts that are encoded on this thread are noted in `uses`.
class BroadcastRecorder {
 public:
  explicit BroadcastRecorder(std::vector<BroadcastUse>& uses);
  ~BroadcastRecorder();
  BroadcastRecorder(const BroadcastRecorder&) = delete;
  BroadcastRecorder& operator=(const BroadcastRecorder&) = delete;

  // Called by the handles. Without a recorder nothing is noted.
  static void Note(int64_t broadcast_id, const std::shared_ptr<void>& lease);

 private:
  std::vector<BroadcastUse>& uses_;
  BroadcastRecorder* const outer_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_FUNCTION_FUNCTION_PARAMS_H_
