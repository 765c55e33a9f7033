// Counts the words of the last 30 seconds, every 2 seconds. What leaves the window is subtracted
// and what comes is added, so a long window costs as much as a short one.
//
//   nc -lk 9999
//   scripts/run-example windowed_network_word_count localhost 9999 /tmp/windowed-word-count
//
// prints every 2 seconds up to ten words with their counts.
#include <millrace/millrace.h>

#include <cstdio>
#include <cstdlib>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  const int port = argc == 4 ? std::atoi(argv[2]) : 0;
  if (port <= 0) {
    std::fprintf(stderr, "usage: windowed_network_word_count HOST PORT CHECKPOINT_DIRECTORY\n");
    return 2;
  }
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("WindowedNetworkWordCount"), 1s);
  ssc.Checkpoint(argv[3]);

  auto lines = ssc.SocketTextStream(argv[1], port);
  auto words = lines.FlatMap([](std::string_view line) { return millrace::Split(line, ' '); });
  auto pairs = words.Map([](std::string_view word) { return std::pair(word, int64_t{1}); });
  // Without the filter a word that was seen once would stay for ever, with a count of 0.
  auto counts = pairs.ReduceByKeyAndWindow(
      std::plus<>(), std::minus<>(), 30s, 2s,
      [](const std::pair<std::string_view, int64_t>& count) { return count.second > 0; });
  counts.Print();

  return ssc.Run();
}
