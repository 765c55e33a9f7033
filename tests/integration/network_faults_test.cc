// A cluster on hosts with links of their own, and what happens to these.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <array>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/network_hosts.h"
#include "tests/integration/test_cluster.h"
#include "tests/integration/word_log.h"
#include "tests/support/printed_batches.h"
#include "tests/support/tcp_server.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using Counts = std::map<std::string, int64_t>;

Command Join(Command first, const Command& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

constexpr int64_t kMemoryMb = 192 * kMemoryFactor;  // Of workers.

constexpr char kDaemonSilenceMax[] = "--peer_timeout_ms=4000";
const Command kSilenceMax = {"--conf", "millrace.network.timeout=4s"};

// The driver daemon, programs and their sources are on the test's own host; the executors "a" and
// "b", of one core, on two others.
class NetworkFaultsTest : public ::testing::Test {
 protected:
  static constexpr int kA = 0;
  static constexpr int kB = 1;

  void SetUp() override {
    hosts_ = std::make_unique<NetworkHosts>(2);
    if (!hosts_->why_not().empty()) GTEST_SKIP() << hosts_->why_not();
    cluster_ = std::make_unique<TestCluster>(TestCluster::Options{
        .host = NetworkHosts::test_address(), .driver_flags = {kDaemonSilenceMax}});
    a_ = &cluster_->AddExecutor("a", 1, {"--host=" + NetworkHosts::address(kA)}, hosts_->Enter(kA));
    b_ = &cluster_->AddExecutor("b", 1, {"--host=" + NetworkHosts::address(kB)}, hosts_->Enter(kB));
    for (auto& server : servers_) {
      server = std::make_unique<TcpServer>(/*listening=*/true, NetworkHosts::test_address());
    }
  }

  Command TwoSources(const Command& options = kSilenceMax) const {
    return cluster_->SubmitCommand(Join(
        options, Program("two_sources",
                         {Setting("streaming.blockInterval=50ms"), NetworkHosts::test_address(),
                          servers_[0]->port_text(), servers_[1]->port_text()})));
  }

  // The receiver of each server has come; peers_ are in the order of hosts then.
  void AcceptBoth(const Process& program) {
    for (const auto& server : servers_) {
      peers_.push_back(server->Accept());
      ASSERT_TRUE(peers_.back().connected())
          << program.Describe() << cluster_->Submit({"--list"}).out << a_->process->Describe()
          << b_->process->Describe() << cluster_->driver().process->Describe();
    }
    if (peers_[kA].address() == NetworkHosts::address(kB)) {
      std::swap(peers_[kA], peers_[kB]);
      std::swap(servers_[kA], servers_[kB]);
    }
    ASSERT_EQ(peers_[kA].address(), NetworkHosts::address(kA));
    ASSERT_EQ(peers_[kB].address(), NetworkHosts::address(kB));
  }

  // Words of its own choice.
  void Send(int receiver, int lines) {
    std::string text;
    for (int line = 0; line < lines; ++line) {
      for (int word = 0; word < 5; ++word) {
        const std::string chosen = "word" + std::to_string(random_() % 50);
        ++sent_[chosen];
        text += chosen + (word < 4 ? " " : "\n");
      }
    }
    peers_[static_cast<size_t>(receiver)].Send(text);
  }

  // Words of 10,000 bytes, of which the first 16 are counted. Returns when the receiver has taken
  // them.
  void SendLong(int receiver, int count) {
    for (int i = 0; i < count; ++i) {
      const std::string word = "long" + std::to_string(i % 10) + std::string(10'000, '-');
      ++sent_[word.substr(0, 16)];
      peers_[static_cast<size_t>(receiver)].Send(word + "\n");
    }
  }

  bool AwaitAllCounted(Process& program) const {
    return program.AwaitText(Process::kOut,
                             [this](const std::string& text) { return SumCounts(text) == sent_; });
  }

  bool AwaitList(const std::string& part) const {
    return Eventually(
        [&] { return cluster_->Submit({"--list"}).out.find(part) != std::string::npos; });
  }

  // The host of "b" is cut off by `cut` for longer than silence may last, and comes back by `join`.
  void CutOffAndJoin(const std::function<void()>& cut, const std::function<void()>& join);

  std::unique_ptr<NetworkHosts> hosts_;
  std::unique_ptr<TestCluster> cluster_;
  Daemon* a_ = nullptr;
  Daemon* b_ = nullptr;
  std::array<std::unique_ptr<TcpServer>, 2> servers_;
  std::vector<TcpPeer> peers_;
  std::mt19937 random_{20240517};
  Counts sent_;
};

TEST_F(NetworkFaultsTest, TwoReceiversOnTwoHosts) {
  Process program(TwoSources());
  ASSERT_NO_FATAL_FAILURE(AcceptBoth(program));
  for (int i = 0; i < 10; ++i) {
    Send(kA, 200);
    Send(kB, 200);
  }
  EXPECT_TRUE(AwaitAllCounted(program)) << program.Describe();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
}

void NetworkFaultsTest::CutOffAndJoin(const std::function<void()>& cut,
                                      const std::function<void()>& join) {
  Process program(TwoSources());
  ASSERT_NO_FATAL_FAILURE(AcceptBoth(program));
  Send(kA, 100);
  Send(kB, 100);
  ASSERT_TRUE(AwaitAllCounted(program)) << program.Describe();
  const pid_t cut_off = cluster_->AwaitWorker("b");
  ASSERT_GT(cut_off, 0);
  cut();
  Send(kA, 100);
  // The receiver that was there has another place.
  peers_[kB] = servers_[kB]->Accept();
  EXPECT_EQ(peers_[kB].address(), NetworkHosts::address(kA));
  Send(kA, 100);
  Send(kB, 100);
  EXPECT_TRUE(AwaitAllCounted(program)) << program.Describe();
  EXPECT_TRUE(AwaitList("executors: 1\n"));
  join();
  EXPECT_TRUE(AwaitList("2 cores in 2 workers  running")) << cluster_->Submit({"--list"}).out;
  EXPECT_TRUE(Eventually([&] { return !IsRunning(cut_off); })) << "nobody wants it any more";
  EXPECT_GT(cluster_->AwaitWorker("b"), 0);
  Send(kA, 100);
  Send(kB, 100);
  EXPECT_TRUE(AwaitAllCounted(program)) << program.Describe();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  EXPECT_TRUE(Eventually(
      [&] { return cluster_->WorkerPids("a").empty() && cluster_->WorkerPids("b").empty(); }));
}

TEST_F(NetworkFaultsTest, AHostThatIsUnpluggedAndPluggedInAgain) {
  CutOffAndJoin([&] { hosts_->Unplug(kB); }, [&] { hosts_->Plug(kB); });
}

TEST_F(NetworkFaultsTest, AHostThatHearsAndIsNotHeard) {
  CutOffAndJoin([&] { hosts_->DropSent(kB); }, [&] { hosts_->Heal(kB); });
}

TEST_F(NetworkFaultsTest, AHostThatIsHeardAndDoesNotHear) {
  CutOffAndJoin([&] { hosts_->DropReceived(kB); }, [&] { hosts_->Heal(kB); });
}

class LogOnHostsTest : public NetworkFaultsTest {
 protected:
  void SetUp() override {
    NetworkFaultsTest::SetUp();
    if (IsSkipped()) return;
    log_ = std::make_unique<WordLog>(cluster_->path(), /*interval_ms=*/250);
    log_->Append(100);
    program_ = std::make_unique<Process>(cluster_->SubmitCommand(
        Join(kSilenceMax, Program("killed_counts", log_->ProgramArguments({Setting(
                                                       "streaming.gracefulStopTimeout=60s")})))));
    ASSERT_TRUE(AwaitCounted());
  }

  ::testing::AssertionResult AwaitCounted() {
    do {
      if (!program_->NextLine(Process::kOut).has_value()) {
        return ::testing::AssertionFailure() << program_->Describe();
      }
    } while (log_->counted() < log_->appended());
    return ::testing::AssertionSuccess();
  }

  void StopAndCheck() {
    program_->Signal(SIGTERM);
    EXPECT_EQ(program_->AwaitExit(), 0) << program_->Describe();
    log_->Check();
  }

  std::unique_ptr<WordLog> log_;
  std::unique_ptr<Process> program_;
};

TEST_F(LogOnHostsTest, AHostThatIsUnpluggedTakesNoState) {
  hosts_->Unplug(kB);
  log_->Append(100);
  EXPECT_TRUE(AwaitCounted());
  EXPECT_TRUE(AwaitList("executors: 1\n"));
  hosts_->Plug(kB);
  EXPECT_TRUE(AwaitList("2 cores in 2 workers  running"));
  log_->Append(100);
  EXPECT_TRUE(AwaitCounted());
  StopAndCheck();
}

// Both are heard by the driver, which is all that it sees of them.
TEST_F(LogOnHostsTest, TwoHostsThatDoNotHearEachOther) {
  hosts_->DropReceived(kA, NetworkHosts::address(kB));
  hosts_->DropReceived(kB, NetworkHosts::address(kA));
  log_->Append(100);
  EXPECT_TRUE(program_->Await(Process::kErr, "waits for another worker")) << program_->Describe();
  hosts_->Heal(kA);
  hosts_->Heal(kB);
  log_->Append(100);
  EXPECT_TRUE(AwaitCounted());
  StopAndCheck();
}

TEST_F(NetworkFaultsTest, LostPacketsAndASlowLinkCostTimeOnly) {
  Process program(TwoSources());
  ASSERT_NO_FATAL_FAILURE(
      AcceptBoth(program));  // The program itself, which is large without optimisation, is there.
  for (const int host : {kA, kB}) {
    hosts_->LosePackets(host, 5);
    hosts_->LimitRate(host, 20'000);
  }
  for (int i = 0; i < 10; ++i) {
    Send(kA, 3'000);
    Send(kB, 3'000);
  }
  EXPECT_TRUE(AwaitAllCounted(program)) << program.Describe();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
}

class SlowPeersTest : public NetworkFaultsTest {
 protected:
  // More than that and the worker is killed.
  const Command kLittleMemory = {"--executor-memory", std::to_string(kMemoryMb) + "m"};
};

// The other one has the second copies of what this one receives.
TEST_F(SlowPeersTest, AWorkerThatStandsStillHoldsTheSourceOfAnotherBack) {
  Process program(TwoSources(kLittleMemory));
  ASSERT_NO_FATAL_FAILURE(AcceptBoth(program));
  const pid_t a = cluster_->AwaitWorker("a");
  const pid_t b = cluster_->AwaitWorker("b");
  ASSERT_TRUE(a > 0 && b > 0);
  ASSERT_EQ(::kill(b, SIGSTOP), 0);
  std::future<void> sent = std::async(std::launch::async, [this] { SendLong(kA, 20'000); });
  EXPECT_EQ(sent.wait_for(3s), std::future_status::timeout) << "200 MB went where?";
  EXPECT_LT(ResidentMb(a), kMemoryMb);
  ASSERT_EQ(::kill(b, SIGCONT), 0);
  sent.get();
  EXPECT_TRUE(AwaitAllCounted(program)) << program.Describe();
  EXPECT_EQ(cluster_->AwaitWorker("a"), a) << "neither was lost";
  EXPECT_EQ(cluster_->AwaitWorker("b"), b);
}

TEST_F(SlowPeersTest, AHostBehindASlowLinkCostsTimeOnly) {
  Process program(TwoSources(kLittleMemory));
  ASSERT_NO_FATAL_FAILURE(AcceptBoth(program));
  hosts_->LimitRate(kB, 1'000);
  for (int i = 0; i < 5; ++i) {
    Send(kA, 2'000);
    Send(kB, 200);
  }
  EXPECT_TRUE(AwaitAllCounted(program)) << program.Describe();
  Send(kB, 200);
  EXPECT_TRUE(AwaitAllCounted(program)) << program.Describe();
}

TEST_F(SlowPeersTest, MapOutputsWaitForAWorkerThatStandsStill) {
  Process program(cluster_->SubmitCommand(Join(kLittleMemory, Program("grouped_texts", {}))));
  ASSERT_TRUE(program.Await(Process::kOut, "begins")) << program.Describe();
  const pid_t a = cluster_->AwaitWorker("a");
  const pid_t b = cluster_->AwaitWorker("b");
  ASSERT_TRUE(a > 0 && b > 0);
  ASSERT_EQ(::kill(b, SIGSTOP), 0);
  ::poll(nullptr, 0, 2'000);
  EXPECT_LT(ResidentMb(a), kMemoryMb);
  ASSERT_EQ(::kill(b, SIGCONT), 0);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
  EXPECT_EQ(program.text(Process::kOut), "begins\n1000 200000 20000000\n");
}

}  // namespace
}  // namespace millrace
