// Counts the words that a TCP server sends, each second anew.
//
//   nc -lk 9999                                        (in one terminal; type lines)
//   scripts/run-example network_word_count localhost 9999
//
// prints for each batch its time and up to ten words with their counts:
//
//   -------------------------------------------
//   Time: 1357008430000 ms
//   -------------------------------------------
//   (hello,1)
//   (world,1)
#include <millrace/millrace.h>

#include <cstdio>
#include <cstdlib>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  const int port = argc == 3 ? std::atoi(argv[2]) : 0;
  if (port <= 0) {
    std::fprintf(stderr, "usage: network_word_count HOST PORT\n");
    return 2;
  }
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("NetworkWordCount"), 1s);

  auto lines = ssc.SocketTextStream(argv[1], port);
  auto words = lines.FlatMap([](std::string_view line) { return millrace::Split(line, ' '); });
  auto pairs = words.Map([](std::string_view word) { return std::pair(word, int64_t{1}); });
  auto counts = pairs.ReduceByKey(std::plus<>());
  counts.Print();

  return ssc.Run();
}
