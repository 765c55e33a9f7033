#include <millrace/millrace.h>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("NetworkWordCount"), 1s);

  auto lines = ssc.SocketTextStream(argv[1], std::stoi(argv[2]));
  auto words = lines.FlatMap([](std::string_view line) { return millrace::Split(line, ' '); });
  auto pairs = words.Map([](std::string_view word) { return std::pair(word, int64_t{1}); });
  auto counts = pairs.ReduceByKey(std::plus<>());
  counts.Print();

  return ssc.Run();  // Start(), AwaitTermination(), and an exit code; errors go to stderr
}
