// A stream whose batch takes for ever, on a worker or on the driver. Prints "working" when it has
// begun: endless_batch worker|driver
#include <millrace/millrace.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <limits>
#include <string_view>

using namespace std::chrono_literals;

namespace {

void TellOnce() {
  static std::atomic<bool> told = false;
  if (told.exchange(true)) return;
  std::puts("working");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  if (argc != 2) return 2;
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("EndlessBatch"), 100ms);

  auto numbers = ssc.context().Range(0, std::numeric_limits<int64_t>::max());
  auto stream = ssc.ConstantStream(numbers);
  if (argv[1] == std::string_view("worker")) {
    auto worked = stream.Filter([](int64_t number) {
      TellOnce();
      return number < 0;
    });
    worked.Count().Print();
  } else {
    stream.ForeachRDD([](const millrace::RDD<int64_t>&) {
      TellOnce();
      while (true) pause();
    });
  }
  return ssc.Run();
}
