// Functions that throw: on a worker in a batch job and in a stream, and on the driver. Prints what
// the actions return; the stream ends the program.
//   throwing_functions worker|driver
#include <millrace/millrace.h>

#include <cstdio>
#include <stdexcept>
#include <string_view>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  if (argc != 2) return 2;
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("ThrowingFunctions"), 100ms);

  auto numbers = ssc.context().Range(0, 100);
  auto bad = numbers.Map([](int64_t number) {
    if (number == 42) throw std::out_of_range("42 is no good number");
    return number;
  });
  std::printf("%s\n", bad.Count().status().ToString().c_str());
  std::printf("%s\n",
              numbers.Filter([](int64_t) -> bool { throw 7; }).Count().status().ToString().c_str());
  // The context is as good as before.
  std::printf("%lld\n", static_cast<long long>(numbers.Count().value_or(-1)));
  std::fflush(stdout);

  auto stream = ssc.ConstantStream(numbers);
  if (argv[1] == std::string_view("worker")) {
    auto pairs = stream.Map([](int64_t number) { return std::pair(number % 10, number); });
    pairs
        .MapValues([](int64_t number) {
          if (number == 42) throw std::runtime_error("no value for 42");
          return number;
        })
        .ReduceByKey(std::plus<>())
        .Print();
  } else {
    stream.ForeachRDD(
        [](const millrace::RDD<int64_t>&) { throw std::runtime_error("the sink is gone"); });
  }
  return ssc.Run();
}
