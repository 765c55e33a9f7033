// What the daemons cost: the way of a program to its first batch, and their idleness.
#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "tests/bench/plain/text_server.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/program/stopwatch.h"
#include "tests/bench/report/contest.h"
#include "tests/integration/test_cluster.h"

namespace millrace::bench {
namespace {

using namespace std::chrono_literals;

constexpr char kText[] = "/usr/share/common-licenses/GPL-3";
constexpr auto kIdleTime = 10s;

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Of all its threads, since it began.
double CpuSeconds(pid_t process) {
  const std::string stat = Contents(absl::StrCat("/proc/", process, "/stat"));
  const std::vector<std::string> fields =
      absl::StrSplit(stat.substr(std::min(stat.size(), stat.rfind(')') + 2)), ' ');
  if (fields.size() < 13) return 0;
  return (std::stod(fields[11]) + std::stod(fields[12])) /
         static_cast<double>(sysconf(_SC_CLK_TCK));
}

double ResidentMebibytes(pid_t process) {
  std::ifstream status(absl::StrCat("/proc/", process, "/status"));
  for (std::string line; std::getline(status, line);) {
    if (absl::StartsWith(line, "VmRSS:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

// From the start of millrace-submit to the first batch that the program prints.
absl::StatusOr<double> SubmitOnce(const TestCluster& cluster, TextServer& server) {
  const Stopwatch watch;
  const std::string id =
      cluster.SubmitToCluster({BENCH_WORD_COUNT, "127.0.0.1", std::to_string(server.port())});
  if (id.empty()) return absl::InternalError("the program was refused");
  const std::string output = absl::StrCat(cluster.path(), "/driver/runs/", id, "/stdout");
  const bool has_batch = Eventually([&] { return absl::StrContains(Contents(output), "Time: "); });
  const double seconds = watch.Seconds();
  cluster.Submit({"--kill", id});
  if (!has_batch) return absl::DeadlineExceededError("no batch");
  return seconds;
}

}  // namespace

absl::StatusOr<std::vector<Figure>> SubmitTime(const BenchOptions& options) {
  absl::StatusOr<TextServer> server = TextServer::Start(kText);
  if (!server.ok()) return server.status();
  TestCluster cluster;
  cluster.AddExecutor("executor", 2);
  std::vector<double> seconds;
  for (int run = 0; run < options.runs; ++run) {
    const absl::StatusOr<double> once = SubmitOnce(cluster, *server);
    if (!once.ok()) return once.status();
    seconds.push_back(*once);
  }
  return std::vector<Figure>{
      {Median(seconds),
       absl::StrFormat("the slowest %.2f s; the program's interval is 1 s", Quantile(seconds, 1))}};
}

absl::StatusOr<std::vector<Figure>> IdleDaemons(const BenchOptions& /*options*/) {
  TestCluster cluster;
  const Daemon& executor = cluster.AddExecutor("executor", 2);
  const pid_t pids[] = {cluster.driver().process->pid(), executor.process->pid()};
  double before[2];
  for (int i = 0; i < 2; ++i) before[i] = CpuSeconds(pids[i]);
  const Stopwatch watch;
  std::this_thread::sleep_for(kIdleTime);
  double percent[2];
  double mebibytes[2];
  for (int i = 0; i < 2; ++i) {
    percent[i] = 100 * (CpuSeconds(pids[i]) - before[i]) / watch.Seconds();
    mebibytes[i] = ResidentMebibytes(pids[i]);
  }
  return std::vector<Figure>{
      {std::max(percent[0], percent[1]),
       absl::StrFormat("driver %.2f %%, executor %.2f %%", percent[0], percent[1])},
      {std::max(mebibytes[0], mebibytes[1]),
       absl::StrFormat("driver %.1f MiB, executor %.1f MiB", mebibytes[0], mebibytes[1])}};
}

}  // namespace millrace::bench
