// Saves the records that a reliable receiver stores, and may be killed with all its workers at any
// time:
//   logged_records CHECKPOINT OUTPUT SAFE
//   OUTPUT/batch-TIME   the records of each batch
// The receiver stores blocks of ten records, each another one whoever stores it, and writes into
// the file SAFE/START.PID, a line for each, which records are safe. Prints the time of each batch
// when its output is there.
#include <millrace/millrace.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace {

class Records : public millrace::Receiver<std::string> {
 public:
  static constexpr int kOfBlock = 10;

  explicit Records(std::string safe) : safe_(std::move(safe)) {}

  void OnStart() override {
    thread_ = std::thread([this] { Run(); });
  }
  void OnStop() override { thread_.join(); }

 private:
  void Run() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    const std::string name = std::to_string(now) + "." + std::to_string(getpid());
    std::ofstream safe(safe_ + "/" + name);
    for (int block = 0; !IsStopped(); ++block) {
      std::vector<std::string> records;
      for (int i = 0; i < kOfBlock; ++i) {
        records.push_back(name + "-" + std::to_string(block * kOfBlock + i));
      }
      if (!Store(records).ok()) return;
      for (const std::string& record : records) safe << record << "\n";
      safe.flush();
    }
  }

  const std::string safe_;
  std::thread thread_;
};

millrace::StreamingContext Create(const std::string& checkpoint, const std::string& output,
                                  const std::string& safe) {
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("LoggedRecords"),
                                 std::chrono::milliseconds(100));
  ssc.Checkpoint(checkpoint);
  auto records = ssc.ReceiverStream<Records>(safe);
  records.SaveAsTextFiles(output + "/batch");
  records.ForeachRDD([](const auto&, millrace::Time time) {
    std::printf("%lld\n", static_cast<long long>(time.ms()));
    std::fflush(stdout);
  });
  return ssc;
}

}  // namespace

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  if (argc != 4) return 2;
  auto ssc = millrace::StreamingContext::GetOrCreate(
      argv[1], [&] { return Create(argv[1], argv[2], argv[3]); });
  if (!ssc.ok()) {
    std::fprintf(stderr, "%s\n", ssc.status().ToString().c_str());
    return 1;
  }
  return ssc->Run();
}
