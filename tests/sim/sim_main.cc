// Runs simulated clusters, a seed at a time; see scripts/sim.
#include <gflags/gflags.h>
#include <poll.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "glog/logging.h"
#include "tests/sim/daemon_run.h"
#include "tests/sim/mistakes.h"
#include "tests/sim/run_seed.h"

DEFINE_int64(seeds, 100, "how many seeds to run");
DEFINE_int64(from, 1, "the first seed");
DEFINE_bool(daemons, false, "clusters of daemons, with users, instead of an application's");
DEFINE_string(scenario, "", "the faults; as the seed says when not given");
DEFINE_string(mistake, "", "a deliberate one that all runs make; see mistakes.cc");
DEFINE_bool(mistakes, false, "each deliberate mistake must be found within --seeds seeds");
DEFINE_string(program, "", "the program; as the seed says when not given");
DEFINE_string(inputs, "", "how records come to it; as the seed says when not given");
DEFINE_bool(
    check_determinism, false,
    "run each seed twice, in two processes with other addresses: the digests must be the same");
DEFINE_bool(run_here, false, "run the seed --from in this process, and say only how it was");
DEFINE_bool(verbose, false,
            "show each run, what went wrong in it on purpose, and the engine's log");
DEFINE_int64(jobs, 0, "runs at a time; as many as there are CPUs when 0");
DEFINE_int64(timeout_s, 120, "real seconds for one run");

namespace millrace::sim {
namespace {

// A child process that runs one seed and says how it was.
struct Child {
  pid_t pid = -1;
  int output = -1;
  int cpu = 0;
  uint64_t seed = 0;
  bool is_second = false;  // Of the same seed.
  std::string text = {};
};

// Which runs, and how they are looked at.
struct Series {
  Mistake mistake = Mistake::kNone;
  std::string mistake_name = {};
  // It ends there, and says only how the first failure was.
  bool ends_with_failure = false;
};

RunOptions OptionsOf(uint64_t seed) {
  return {
      .seed = seed, .scenario = FLAGS_scenario, .program = FLAGS_program, .inputs = FLAGS_inputs};
}

std::string Replay(uint64_t seed, const std::string& mistake_name) {
  std::string command = absl::StrCat("scripts/sim --from ", seed, " --seeds 1");
  if (FLAGS_daemons) absl::StrAppend(&command, " --daemons");
  if (!FLAGS_scenario.empty()) absl::StrAppend(&command, " --scenario ", FLAGS_scenario);
  if (!FLAGS_program.empty()) absl::StrAppend(&command, " --program ", FLAGS_program);
  if (!FLAGS_inputs.empty()) absl::StrAppend(&command, " --inputs ", FLAGS_inputs);
  if (!mistake_name.empty()) absl::StrAppend(&command, " --mistake ", mistake_name);
  if (FLAGS_check_determinism) absl::StrAppend(&command, " --check-determinism");
  return command;
}

void WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

// The last line is "ok DIGEST" when all is well.
[[noreturn]] void RunChild(int output, int cpu, uint64_t seed, Mistake mistake) {
  // The threads of a run take turns; on one CPU a turn costs least.
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(static_cast<size_t>(cpu), &cpus);
  sched_setaffinity(0, sizeof cpus, &cpus);
  alarm(static_cast<unsigned>(FLAGS_timeout_s));
#ifndef NDEBUG
  Make(mistake);
#else
  CHECK(mistake == Mistake::kNone);
#endif
  const RunOptions options = OptionsOf(seed);
  const RunResult result = FLAGS_daemons ? RunDaemonSeed(options) : RunSeed(options);
  std::string text;
  const bool is_shown = FLAGS_verbose || !result.failures.empty();
  if (is_shown) absl::StrAppend(&text, "seed ", seed, ": ", result.summary, "\n");
  if (is_shown) {
    for (const std::string& line : result.log) absl::StrAppend(&text, "  ", line, "\n");
  }
  for (const std::string& failure : result.failures) {
    absl::StrAppend(&text, "  WRONG: ", failure, "\n");
  }
  if (FLAGS_verbose) absl::StrAppend(&text, "  ", result.event_count, " events\n");
  if (result.failures.empty()) absl::StrAppend(&text, "ok ", result.digest, "\n");
  WriteAll(output, text);
  _exit(0);
}

// The program anew, which has all it knows at other addresses.
[[noreturn]] void RunElsewhere(int output, uint64_t seed) {
  dup2(output, STDOUT_FILENO);
  std::vector<std::string> args = {"sim_main", "--run_here", absl::StrCat("--from=", seed)};
  if (FLAGS_daemons) args.emplace_back("--daemons");
  if (!FLAGS_scenario.empty()) args.push_back("--scenario=" + FLAGS_scenario);
  if (!FLAGS_program.empty()) args.push_back("--program=" + FLAGS_program);
  if (!FLAGS_inputs.empty()) args.push_back("--inputs=" + FLAGS_inputs);
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  execv("/proc/self/exe", argv.data());
  PLOG(FATAL) << "cannot run this program again";
  std::abort();
}

Child StartChild(int cpu, uint64_t seed, bool is_second, Mistake mistake) {
  int ends[2];
  PCHECK(pipe(ends) == 0);
  std::fflush(nullptr);
  const pid_t pid = fork();
  PCHECK(pid >= 0);
  if (pid == 0) {
    close(ends[0]);
    if (!is_second) RunChild(ends[1], cpu, seed, mistake);
    RunElsewhere(ends[1], seed);
  }
  close(ends[1]);
  return {.pid = pid, .output = ends[0], .cpu = cpu, .seed = seed, .is_second = is_second};
}

class Seeds {
 public:
  explicit Seeds(Series series) : series_(std::move(series)) {}

  // How the first run that failed ended; empty: none has.
  const std::string& first_failure() const { return first_failure_; }

  // The number of seeds that failed.
  int64_t RunAll() {
    const int64_t cpus = std::max<int64_t>(1, std::thread::hardware_concurrency());
    const int64_t jobs = FLAGS_jobs > 0 ? FLAGS_jobs : cpus;
    int64_t next = 0;
    const int64_t runs = FLAGS_seeds * (FLAGS_check_determinism ? 2 : 1);
    const auto has_more = [&] {
      return next < runs && !(series_.ends_with_failure && failed_ > 0);
    };
    while (has_more() || !children_.empty()) {
      while (has_more() && static_cast<int64_t>(children_.size()) < jobs) {
        const int64_t of_seed = FLAGS_check_determinism ? next / 2 : next;
        const bool is_second = FLAGS_check_determinism && next % 2 == 1;
        children_.push_back(StartChild(static_cast<int>(next % cpus),
                                       static_cast<uint64_t>(FLAGS_from + of_seed), is_second,
                                       series_.mistake));
        ++next;
      }
      ReadSome();
    }
    return failed_;
  }

 private:
  void ReadSome() {
    std::vector<pollfd> polled;
    for (const Child& child : children_) polled.push_back({child.output, POLLIN, 0});
    PCHECK(poll(polled.data(), polled.size(), -1) > 0);
    for (size_t i = polled.size(); i-- > 0;) {
      if (polled[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t count = read(children_[i].output, buffer, sizeof buffer);
      if (count > 0) {
        children_[i].text.append(buffer, static_cast<size_t>(count));
      } else {
        const Child ended = std::move(children_[i]);
        children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(i));
        End(ended);
      }
    }
  }

  void End(const Child& child) {
    close(child.output);
    int status = 0;
    waitpid(child.pid, &status, 0);
    const size_t mark = child.text.rfind("ok ");
    const bool is_ok = mark != std::string::npos && (mark == 0 || child.text[mark - 1] == '\n');
    std::string text = child.text.substr(0, is_ok ? mark : std::string::npos);
    if (WIFSIGNALED(status)) {
      absl::StrAppend(&text, "seed ", child.seed, "\n  WRONG: its process was killed by signal ",
                      WTERMSIG(status), " (", strsignal(WTERMSIG(status)), ")\n");
    }
    if (!is_ok) return Fail(child.seed, text);
    std::fputs(text.c_str(), stdout);
    if (!FLAGS_check_determinism) return;
    const std::string digest = child.text.substr(mark);
    const auto [other, is_first] = digests_.emplace(child.seed, digest);
    if (is_first) return;
    if (other->second != digest) {
      Fail(child.seed, absl::StrCat("seed ", child.seed, "\n  WRONG: two runs ended with ",
                                    other->second, "and with ", digest));
    }
    digests_.erase(other);
  }

  void Fail(uint64_t seed, const std::string& text) {
    if (!failed_seeds_.insert(seed).second) return;
    if (++failed_ == 1) {
      const size_t wrong = text.find("WRONG: ");
      const size_t end = text.find('\n', wrong);
      first_failure_ = absl::StrCat(
          "seed ", seed, ": ",
          wrong == std::string::npos ? "it ended" : text.substr(wrong + 7, end - wrong - 7));
    }
    if (series_.ends_with_failure) return;
    std::printf("%s  replay: %s\n", text.c_str(), Replay(seed, series_.mistake_name).c_str());
    std::fflush(stdout);
  }

  const Series series_;
  std::string first_failure_;
  std::vector<Child> children_;
  std::map<uint64_t, std::string> digests_;
  std::set<uint64_t> failed_seeds_;
  int64_t failed_ = 0;
};

int RunSeries(const Series& series) {
  const int64_t failed = Seeds(series).RunAll();
  std::printf("%" PRId64 " passed, %" PRId64 " failed\n", FLAGS_seeds - failed, failed);
  return failed == 0 ? 0 : 1;
}

// What the simulator does not find would not be found in the product either.
int FindMistakes() {
  int found = 0;
  for (const NamedMistake& named : Mistakes()) {
    FLAGS_daemons = named.is_of_daemons;
    FLAGS_scenario = named.scenario;
    FLAGS_program = named.program;
    FLAGS_inputs = named.inputs;
    Seeds seeds({.mistake = named.mistake, .mistake_name = named.name, .ends_with_failure = true});
    const bool is_found = seeds.RunAll() > 0;
    found += is_found ? 1 : 0;
    std::printf("%-32s %s\n", named.name.c_str(),
                is_found ? seeds.first_failure().substr(0, 200).c_str() : "NOT FOUND");
    std::fflush(stdout);
  }
  const int missed = static_cast<int>(Mistakes().size()) - found;
  std::printf("%d found, %d not found\n", found, missed);
  return missed == 0 ? 0 : 1;
}

bool IsKnown(const std::string& kind, const std::string& name,
             const std::vector<std::string>& names) {
  if (name.empty() || std::count(names.begin(), names.end(), name) > 0) return true;
  std::fprintf(stderr, "there is no %s '%s'; there are %s\n", kind.c_str(), name.c_str(),
               absl::StrJoin(names, ", ").c_str());
  return false;
}

int Main(int argc, char** argv) {
  gflags::SetUsageMessage("simulated clusters, a seed at a time");
  gflags::ParseCommandLineFlags(&argc, &argv, /*remove_flags=*/true);
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = FLAGS_verbose ? google::GLOG_INFO : google::GLOG_FATAL;
  if (FLAGS_run_here) {
    RunChild(STDOUT_FILENO, 0, static_cast<uint64_t>(FLAGS_from), Mistake::kNone);
  }
  const std::vector<std::string> scenarios =
      FLAGS_daemons ? DaemonScenarioNames() : ScenarioNames();
  if (!IsKnown("scenario", FLAGS_scenario, scenarios)) return 2;
  if (!IsKnown("program", FLAGS_program, ProgramNames())) return 2;
  if (!IsKnown("kind of inputs", FLAGS_inputs, InputNames())) return 2;
  if (!kMakesMistakes && (FLAGS_mistakes || !FLAGS_mistake.empty())) {
    std::fprintf(stderr, "this build makes no mistakes; scripts/sim --preset debug does\n");
    return 2;
  }
  if (FLAGS_mistakes) return FindMistakes();
  Series series;
  if (!FLAGS_mistake.empty()) {
    std::vector<std::string> names;
    for (const NamedMistake& named : Mistakes()) {
      names.push_back(named.name);
      if (named.name != FLAGS_mistake) continue;
      series = {named.mistake, named.name};
      FLAGS_daemons = named.is_of_daemons;
    }
    if (!IsKnown("mistake", FLAGS_mistake, names)) return 2;
  }
  return RunSeries(series);
}

}  // namespace
}  // namespace millrace::sim

int main(int argc, char** argv) { return millrace::sim::Main(argc, argv); }
