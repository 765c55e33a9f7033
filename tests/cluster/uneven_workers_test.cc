// One worker process is worse than the others: tasks fail on it, or take for ever. Results stay
// exact.
#include <fcntl.h>
#include <glog/logging.h>
#include <gtest/gtest.h>
#include <millrace/testing.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "tests/support/temp_dir.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using testing::StreamHarness;

constexpr int kPartitions = 4;

// The first process that asks with this file is the one.
bool IsTheOne(const std::string& file) {
  const int fd = open(file.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (fd >= 0) {
    const std::string pid = std::to_string(getpid());
    const bool is_written = write(fd, pid.data(), pid.size()) == std::ssize(pid);
    close(fd);
    return is_written;
  }
  pid_t pid = 0;
  std::ifstream(file) >> pid;
  return pid == getpid();
}

std::vector<std::vector<int64_t>> Numbers(int batches) {
  std::vector<int64_t> numbers(100);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int64_t>(i);
  return std::vector<std::vector<int64_t>>(static_cast<size_t>(batches), numbers);
}

std::vector<std::pair<int64_t, int64_t>> Sorted(std::vector<std::pair<int64_t, int64_t>> batch) {
  std::sort(batch.begin(), batch.end());
  return batch;
}

// Ten keys, each with ten of the numbers.
std::vector<std::pair<int64_t, int64_t>> Expected() {
  std::vector<std::pair<int64_t, int64_t>> sums;
  for (int64_t key = 0; key < 10; ++key) sums.emplace_back(key, 450 + 10 * key);
  return sums;
}

// Hears a line of the log of this process.
class LogListener : public google::LogSink {
 public:
  explicit LogListener(std::string part) : part_(std::move(part)) { google::AddLogSink(this); }
  ~LogListener() override { google::RemoveLogSink(this); }
  void send(google::LogSeverity /*severity*/, const char* /*path*/, const char* /*file*/,
            int /*line*/, const google::LogMessageTime& /*time*/, const char* message,
            size_t size) override {
    const absl::MutexLock lock(&mutex_);
    if (std::string_view(message, size).find(part_) != std::string_view::npos) heard_ = true;
  }
  bool heard() {
    const absl::MutexLock lock(&mutex_);
    return heard_;
  }

 private:
  const std::string part_;
  absl::Mutex mutex_;
  bool heard_ = false;
};

TEST(UnevenWorkersTest, AWorkerOnWhichTasksFailIsLeftOut) {
  constexpr int kBatches = 20;
  LogListener excluded("gets no tasks for 60 s");
  TempDir directory;
  const Conf conf =
      Conf().Set("millrace.excludeOnFailure.application.maxFailedTasksPerExecutor", 4);
  StreamHarness harness(1s, {.master = "local-cluster[2,1,512]", .conf = conf});
  auto sums = harness.Output(harness.Input<int64_t>(Numbers(kBatches), kPartitions)
                                 .Map(BindFront(
                                     [](const std::string& file, int64_t number) {
                                       if (IsTheOne(file))
                                         throw std::runtime_error("its disk is full");
                                       return std::pair(number % 10, number);
                                     },
                                     directory.path() + "/bad"))
                                 .ReduceByKey(std::plus<>(), kPartitions));
  for (int batch = 0; batch < kBatches; ++batch) {
    const absl::Status status = harness.RunBatches(1);
    ASSERT_TRUE(status.ok()) << "batch " << batch << ": " << status;
    EXPECT_EQ(Sorted(sums.batches().back()), Expected());
  }
  EXPECT_TRUE(excluded.heard());
  const auto pids = harness.context()
                        .context()
                        .Parallelize(std::vector<int64_t>{1, 2, 3, 4}, 4)
                        .Map([](int64_t) { return static_cast<int64_t>(getpid()); })
                        .Collect();
  ASSERT_TRUE(pids.ok()) << pids.status();
  EXPECT_EQ(std::set<int64_t>(pids->begin(), pids->end()).size(), 1u);
}

// It waits in one task, until the end of the test.
TEST(UnevenWorkersTest, ABatchEndsBeforeATaskThatIsStuckOnOneWorker) {
  TempDir directory;
  const std::string fifo = directory.path() + "/fifo";
  const std::string begun = directory.path() + "/begun";
  const std::string gone_on = directory.path() + "/gone_on";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  StreamHarness harness(
      1s, {.master = "local-cluster[2,2,512]", .conf = Conf().Set("millrace.speculation", "true")});
  auto counter = harness.context().context().LongAccumulator("numbers");
  auto sums =
      harness.Output(harness.Input<int64_t>(Numbers(3), kPartitions)
                         .Map(BindFront(
                             [](const std::string& directory, const auto& counter, int64_t number) {
                               const int fd = open((directory + "/begun").c_str(),
                                                   O_CREAT | O_EXCL | O_CLOEXEC, 0600);
                               if (fd >= 0) {
                                 close(fd);
                                 close(open((directory + "/fifo").c_str(), O_RDONLY | O_CLOEXEC));
                                 std::ofstream(directory + "/gone_on") << number;
                               }
                               counter.Add(1);
                               return std::pair(number % 10, number);
                             },
                             directory.path(), counter))
                         .ReduceByKey(std::plus<>(), kPartitions));
  for (int batch = 1; batch <= 3; ++batch) {
    const absl::Status status = harness.RunBatches(1);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(Sorted(sums.batches().back()), Expected());
    EXPECT_EQ(counter.Value(), 100 * batch);
  }
  EXPECT_EQ(access(begun.c_str(), F_OK), 0);
  EXPECT_NE(access(gone_on.c_str(), F_OK), 0);
  const int writer = open(fifo.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  EXPECT_GE(writer, 0) << "the task still waits";
  close(writer);
}

}  // namespace
}  // namespace millrace
