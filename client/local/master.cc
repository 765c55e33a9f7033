#include "client/local/master.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace millrace::internal {
namespace {

constexpr int kTaskThreadsMax = 1024;
constexpr int kTaskFailuresMax = 1000;

absl::Status Wrong(std::string_view master, std::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("master \"", std::string(master), "\": ", std::string(why),
                   "; this build runs local, local[N] and local[*] (millrace.master)"));
}

absl::StatusOr<int> ParseCount(std::string_view master, std::string_view text, int max) {
  int count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count < 1 || count > max) {
    return Wrong(master, absl::StrCat("\"", std::string(text), "\" is no number from 1 to ", max));
  }
  return count;
}

int MachineCores() {
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kTaskThreadsMax);
}

}  // namespace

absl::StatusOr<LocalMaster> ParseMaster(std::string_view master) {
  if (master == "local") return LocalMaster{};
  if (!master.starts_with("local[") || !master.ends_with("]")) {
    if (master.starts_with("millrace://") || master.starts_with("local-cluster[")) {
      return Wrong(master, "clusters of processes are not part of this build");
    }
    return Wrong(master, "unknown");
  }
  std::string_view threads = master.substr(6, master.size() - 7);
  LocalMaster result;
  if (const size_t comma = threads.find(','); comma != threads.npos) {
    ASSIGN_OR_RETURN(result.task_max_failures,
                     ParseCount(master, threads.substr(comma + 1), kTaskFailuresMax));
    threads = threads.substr(0, comma);
  }
  if (threads == "*") {
    result.task_threads = MachineCores();
  } else {
    ASSIGN_OR_RETURN(result.task_threads, ParseCount(master, threads, kTaskThreadsMax));
  }
  return result;
}

}  // namespace millrace::internal
