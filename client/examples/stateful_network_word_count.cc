// Counts words since the start: each word's count is kept from batch to batch.
//
//   nc -lk 9999
//   scripts/run-example stateful_network_word_count localhost 9999 /tmp/stateful-word-count
//
// prints, each second, the words of that second with their counts so far; "hello" and "world" begin
// with 1.
#include <millrace/millrace.h>

#include <cstdio>
#include <cstdlib>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  const int port = argc == 4 ? std::atoi(argv[2]) : 0;
  if (port <= 0) {
    std::fprintf(stderr, "usage: stateful_network_word_count HOST PORT CHECKPOINT_DIRECTORY\n");
    return 2;
  }
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("StatefulNetworkWordCount"), 1s);
  ssc.Checkpoint(argv[3]);

  const std::vector<std::pair<std::string, int64_t>> known{{"hello", 1}, {"world", 1}};
  auto initial = ssc.context().Parallelize(known);

  auto lines = ssc.SocketTextStream(argv[1], port);
  auto words = lines.FlatMap([](std::string_view line) { return millrace::Split(line, ' '); });
  auto pairs = words.Map([](std::string_view word) { return std::pair(word, int64_t{1}); });
  auto counts =
      pairs.MapWithState(millrace::StateSpec([](std::string_view word, std::optional<int64_t> one,
                                                millrace::State<int64_t>& count) {
                           const int64_t sum = count.GetOption().value_or(0) + one.value_or(0);
                           count.Update(sum);
                           return std::pair(std::string(word), sum);
                         }).InitialState(initial));
  counts.Print();

  return ssc.Run();
}
