// Daemons of a cluster, on the loopback interface or on hosts of a network of the test's own.
#ifndef MILLRACE_TESTS_INTEGRATION_TEST_CLUSTER_H_
#define MILLRACE_TESTS_INTEGRATION_TEST_CLUSTER_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/integration/commands.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace millrace {

// Programs of a sanitized build hold so many times as much.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int kMemoryFactor = 8;
#else
inline constexpr int kMemoryFactor = 1;
#endif

// Looks again and again until `holds`; false when patience ends. For what other processes do.
bool Eventually(const std::function<bool()>& holds);

// A daemon that has said where it serves.
struct Daemon {
  std::unique_ptr<Process> process;
  std::string grpc;  // host:port
  std::string http;

  void Kill() const { process->Signal(SIGKILL); }
};

// A driver daemon and what belongs to it, in a directory of its own, with a secret. Everything ends
// with it, drivers in the cluster too.
class TestCluster {
 public:
  struct Finished {
    int exit_code = -1;
    std::string out;
    std::string err;
  };

  struct Options {
    std::string host = "127.0.0.1";  // That the driver daemon serves on.
    Command driver_flags = {};
    std::string state_dir = "";  // Empty: in the cluster's directory.
  };

  TestCluster();
  explicit TestCluster(Options options);
  ~TestCluster();

  // Kills the driver daemon and starts it again, on its port and with what it knew.
  void KillDriver() { driver_.Kill(); }
  void RestartDriver();
  // `name` is that of its directory.
  Daemon& AddExecutor(const std::string& name, int cores, const Command& flags = {},
                      const std::function<bool()>& before = nullptr);

  std::string master() const { return "millrace://" + driver_.grpc; }
  std::string secret_file() const { return dir_.path() + "/secret"; }
  const std::string& path() const { return dir_.path(); }
  const Daemon& driver() const { return driver_; }

  // millrace-submit with the master and the secret, and these.
  Command SubmitCommand(const Command& arguments) const;
  Finished Submit(const Command& arguments) const;
  // The id of a program that was submitted in cluster mode; empty: it was refused.
  std::string SubmitToCluster(const Command& arguments) const;
  bool AwaitState(const std::string& submission_id, const std::string& state) const;
  // Of the driver that a submission has in the cluster now; -1: none runs.
  pid_t DriverPid(const std::string& submission_id) const;
  // On the last whole line of what its drivers have printed, where that is a number.
  std::optional<int64_t> LastNumberPrinted(const std::string& submission_id) const;
  // A shell script, as a program.
  std::string Script(const std::string& name, const std::string& text) const;

  // Of workers that run on this executor.
  std::vector<pid_t> WorkerPids(const std::string& executor) const;
  // Of one that has begun to work, or is about to; -1: there is none, and the test has failed.
  pid_t AwaitWorker(const std::string& executor) const;

 private:
  Daemon StartDriver(const std::string& port) const;
  std::string StateDir() const {
    return options_.state_dir.empty() ? path() + "/driver" : options_.state_dir;
  }

  const Options options_;
  TempDir dir_;
  Daemon driver_;
  std::vector<std::unique_ptr<Daemon>> executors_;
};

// The answer to a GET, with its head; `address` is host:port, and the host a number.
std::string HttpGet(const std::string& address, const std::string& path);

// Whether there is such a process, zombies not counted.
bool IsRunning(pid_t pid);

// Memory that it holds now.
int64_t ResidentMb(pid_t pid);

}  // namespace millrace

#endif  // MILLRACE_TESTS_INTEGRATION_TEST_CLUSTER_H_
