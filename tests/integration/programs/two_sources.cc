// Counts the words of two TCP servers, by their first 16 bytes:
//   two_sources HOST PORT PORT [INTERVAL]     (milliseconds, 200)
#include <millrace/millrace.h>

#include <chrono>
#include <cstdlib>

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  if (argc < 4 || argc > 5) return 2;
  const int interval_ms = argc == 5 ? std::atoi(argv[4]) : 200;
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("TwoSources"),
                                 std::chrono::milliseconds(interval_ms));
  const std::vector<millrace::DStream<std::string_view>> sources = {
      ssc.SocketTextStream(argv[1], std::atoi(argv[2])),
      ssc.SocketTextStream(argv[1], std::atoi(argv[3]))};
  ssc.Union(sources)
      .FlatMap([](std::string_view line) { return millrace::Split(line, ' '); })
      .Map([](std::string_view word) { return std::pair(word.substr(0, 16), int64_t{1}); })
      .ReduceByKey(std::plus<>())
      .Print(1'000'000);
  return ssc.Run();
}
