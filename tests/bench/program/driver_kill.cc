// What the death of a driver in the cluster costs a running stream.
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/program/stopwatch.h"
#include "tests/bench/report/contest.h"
#include "tests/integration/test_cluster.h"
#include "tests/integration/word_log.h"

namespace millrace::bench {
namespace {

constexpr int kBatchIntervalMs = 100;
constexpr int kRecords = 1000;

// Outputs of batches that are complete.
int64_t CountOutputs(const TestCluster& cluster) {
  std::error_code none_yet;
  const std::filesystem::directory_iterator outputs(cluster.path() + "/output", none_yet);
  return std::count_if(begin(outputs), end(outputs), [](const auto& output) {
    return output.path().filename().string().rfind("window-", 0) == 0;
  });
}

struct Restart {
  double seconds = 0;  // From the driver's next start to its first output.
  double gap = 0;      // From its death on.
};

absl::StatusOr<Restart> KillOnce(const TestCluster& cluster, const std::string& id, WordLog& log) {
  log.Append(kRecords);
  if (!Eventually([&] { return log.counted() == log.appended(); })) {
    return absl::DeadlineExceededError("the log is not counted");
  }
  log.Append(kRecords);
  const pid_t driver = cluster.DriverPid(id);
  const Stopwatch since_kill;
  if (driver <= 1 || ::kill(driver, SIGKILL) != 0) return absl::NotFoundError("no driver runs");
  const auto is_new = [&] {
    const pid_t now = cluster.DriverPid(id);
    return now > 1 && now != driver;
  };
  if (!Eventually(is_new)) return absl::DeadlineExceededError("no driver is started again");
  const Stopwatch since_start;
  const int64_t outputs = CountOutputs(cluster);
  if (!Eventually([&] { return CountOutputs(cluster) > outputs; })) {
    return absl::DeadlineExceededError("no output after the restart");
  }
  return Restart{since_start.Seconds(), since_kill.Seconds()};
}

}  // namespace

absl::StatusOr<std::vector<Figure>> DriverKill(const BenchOptions& options) {
  TestCluster cluster;
  cluster.AddExecutor("executor", 2);
  WordLog log(cluster.path(), kBatchIntervalMs);
  Command arguments = {"--supervise"};
  const Command program = Program("killed_counts", log.ProgramArguments());
  arguments.insert(arguments.end(), program.begin(), program.end());
  const std::string id = cluster.SubmitToCluster(arguments);
  std::vector<double> seconds;
  double longest_gap = 0;
  for (int run = 0; run < options.runs; ++run) {
    const absl::StatusOr<Restart> restart = KillOnce(cluster, id, log);
    if (!restart.ok()) return restart.status();
    seconds.push_back(restart->seconds);
    longest_gap = std::max(longest_gap, restart->gap);
  }
  if (!Eventually([&] { return log.counted() == log.appended(); })) {
    return absl::DataLossError(
        absl::StrFormat("%d of %d words are counted", log.counted(), log.appended()));
  }
  cluster.Submit({"--kill", id, "--wait"});
  return std::vector<Figure>{
      {Median(seconds), absl::StrFormat("%d kills, every word counted once; %.2f s at most from a "
                                        "kill to the next output",
                                        options.runs, longest_gap)}};
}

}  // namespace millrace::bench
