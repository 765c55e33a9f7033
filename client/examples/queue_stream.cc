// A stream of data sets that the program itself makes: a way to try things out.
//
//   scripts/run-example queue_stream
//
// puts the numbers 1 to 1000 into a queue once a second, 5 times, and prints how many of them have
// which last digit: (0,100), (1,100), ...
#include <millrace/millrace.h>

#include <cstdio>
#include <numeric>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  if (argc != 1) {
    std::fprintf(stderr, "usage: queue_stream\n");
    return 2;
  }
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("QueueStream"), 1s);

  std::deque<millrace::RDD<int64_t>> queue;
  auto digits =
      ssc.QueueStream(queue).Map([](int64_t number) { return std::pair(number % 10, int64_t{1}); });
  digits.ReduceByKey(std::plus<>()).Print();

  if (absl::Status status = ssc.Start(); !status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  }
  for (int i = 0; i < 5; ++i) {
    {
      const std::lock_guard lock(ssc.QueueMutex());
      queue.push_back(ssc.context().Range(1, 1001));
    }
    const auto stopped = ssc.AwaitTerminationOrTimeout(1s);
    if (!stopped.ok() || *stopped) break;
  }
  ssc.Stop({.graceful = true});
  return 0;
}
