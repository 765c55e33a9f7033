// The five most frequent words of the last 10 seconds, every second.
//
//   nc -lk 9999
//   scripts/run-example top_k_words localhost 9999
//
// prints lines such as
//
//   1357008430000 ms: the 12, a 9, of 7, and 7, to 4
#include <millrace/millrace.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  const int port = argc == 3 ? std::atoi(argv[2]) : 0;
  if (port <= 0) {
    std::fprintf(stderr, "usage: top_k_words HOST PORT\n");
    return 2;
  }
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("TopKWords"), 1s);

  using Count = std::pair<std::string, int64_t>;
  auto lines = ssc.SocketTextStream(argv[1], port);
  auto words = lines.FlatMap(
      [](std::string_view line) { return millrace::Split(line, ' ', millrace::SkipEmpty()); });
  auto pairs = words.Map([](std::string_view word) { return Count(word, 1); });
  auto counts = pairs.ReduceByKeyAndWindow(std::plus<>(), 10s, 1s);
  // Each partition keeps its five best; the best of these are the best of all.
  auto best = counts.MapPartitions<Count>(
      [](millrace::PartitionReader<Count>& records, millrace::Emitter<Count>& emit) {
        std::vector<Count> all;
        for (const Count& count : records) all.push_back(count);
        const auto end = all.begin() + std::min<std::ptrdiff_t>(5, std::ssize(all));
        std::partial_sort(all.begin(), end, all.end(),
                          [](const Count& a, const Count& b) { return a.second > b.second; });
        std::for_each(all.begin(), end, [&emit](const Count& count) { emit(count); });
      });
  best.ForeachRDD([](const millrace::RDD<Count>& rdd, millrace::Time time) -> absl::Status {
    auto all = rdd.Collect();
    if (!all.ok()) return all.status();
    std::sort(all->begin(), all->end(),
              [](const Count& a, const Count& b) { return a.second > b.second; });
    if (all->size() > 5) all->resize(5);
    std::string line = millrace::ToText(time) + ":";
    for (const auto& [word, count] : *all) {
      line += (line.ends_with(':') ? " " : ", ") + word + " " + std::to_string(count);
    }
    std::puts(line.c_str());
    std::fflush(stdout);
    return absl::OkStatus();
  });

  return ssc.Run();
}
