// A stream whose batch takes for ever. Prints "working" when a task has begun.
#include <millrace/millrace.h>

#include <atomic>
#include <cstdio>
#include <limits>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("EndlessBatch"), 100ms);

  auto numbers = ssc.context().Range(0, std::numeric_limits<int64_t>::max());
  auto worked = ssc.ConstantStream(numbers).Filter([](int64_t number) {
    static std::atomic<bool> told = false;
    if (!told.exchange(true)) {
      std::puts("working");
      std::fflush(stdout);
    }
    return number < 0;
  });
  worked.Count().Print();
  return ssc.Run();
}
