// Counts the numbers from 0 that a reliable receiver stores, and may lose any process:
//   reliable_numbers PROGRESS BLOCKS
// The receiver stores blocks of ten numbers, and writes into the file PROGRESS how many blocks are
// safe; started again it goes on there. So a number is counted once, or once more if its block was
// safe when the receiver ended, and PROGRESS did not say so yet.
#include <millrace/millrace.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace {

class Numbers : public millrace::Receiver<int64_t> {
 public:
  static constexpr int64_t kOfBlock = 10;

  Numbers(std::string progress, int64_t blocks) : progress_(std::move(progress)), blocks_(blocks) {}

  void OnStart() override {
    thread_ = std::thread([this] { Run(); });
  }
  void OnStop() override { thread_.join(); }

 private:
  void Run() {
    int64_t block = 0;
    std::ifstream(progress_) >> block;
    for (; block < blocks_ && !IsStopped(); ++block) {
      std::vector<int64_t> numbers;
      for (int64_t i = 0; i < kOfBlock; ++i) numbers.push_back(block * kOfBlock + i);
      if (!Store(numbers).ok()) return;
      std::ofstream(progress_ + ".new") << block + 1;
      std::filesystem::rename(progress_ + ".new", progress_);
    }
  }

  const std::string progress_;
  const int64_t blocks_;
  std::thread thread_;
};

}  // namespace

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  if (argc != 3) return 2;
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("ReliableNumbers"),
                                 std::chrono::milliseconds(100));
  ssc.ReceiverStream<Numbers>(argv[1], int64_t{std::atoi(argv[2])})
      .Map([](int64_t number) { return std::pair(std::to_string(number), int64_t{1}); })
      .ReduceByKey(std::plus<>())
      .Print(1'000'000);
  return ssc.Run();
}
