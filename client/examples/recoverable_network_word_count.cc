// Counts words in batches of a second and appends the counts to a file. Started again after a
// crash, it goes on from its checkpoint directory: with the batches that had not ended, which have
// lost what they had received, and those that came due since.
//
//   nc -lk 9999
//   scripts/run-example recoverable_network_word_count localhost 9999 /tmp/recoverable
//   /tmp/counts.txt
//
// appends a line a batch to the file, as
//
//   Counts at time 1357008430000 ms: [(hello,1),(world,1)]
//
// leaving out words on a list, and prints how many were left out so far.
#include <millrace/millrace.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

using namespace std::chrono_literals;

namespace {

millrace::StreamingContext Create(const std::string& host, int port, const std::string& checkpoint,
                                  const std::string& output) {
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("RecoverableNetworkWordCount"), 1s);
  ssc.Checkpoint(checkpoint);

  auto lines = ssc.SocketTextStream(host, port);
  auto words = lines.FlatMap([](std::string_view line) { return millrace::Split(line, ' '); });
  auto pairs = words.Map([](std::string_view word) { return std::pair(word, int64_t{1}); });
  auto counts = pairs.ReduceByKey(std::plus<>()).Name("counts");
  using Count = std::pair<std::string_view, int64_t>;
  counts.ForeachRDD([output, dropped = int64_t{0}](const millrace::RDD<Count>& rdd,
                                                   millrace::Time time) mutable -> absl::Status {
    auto all = rdd.Collect();
    if (!all.ok()) return all.status();
    std::erase_if(*all, [&dropped](const std::pair<std::string, int64_t>& count) {
      const bool drop = count.first == "a" || count.first == "b" || count.first == "c";
      if (drop) dropped += count.second;
      return drop;
    });
    std::ofstream file(output, std::ios::app);
    file << "Counts at time " << time.ms() << " ms: " << millrace::ToText(*all) << std::endl;
    if (!file) return absl::UnavailableError("cannot write to " + output);
    std::printf("Dropped %lld word(s) so far\n", static_cast<long long>(dropped));
    std::fflush(stdout);
    return absl::OkStatus();
  });
  return ssc;
}

}  // namespace

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  const int port = argc == 5 ? std::atoi(argv[2]) : 0;
  if (port <= 0) {
    std::fprintf(stderr,
                 "usage: recoverable_network_word_count HOST PORT CHECKPOINT_DIRECTORY OUTPUT\n");
    return 2;
  }
  const std::string host = argv[1];
  const std::string checkpoint = argv[3];
  const std::string output = argv[4];
  auto ssc = millrace::StreamingContext::GetOrCreate(
      checkpoint, [&] { return Create(host, port, checkpoint, output); });
  if (!ssc.ok()) {
    std::fprintf(stderr, "%s\n", ssc.status().ToString().c_str());
    return 1;
  }
  return ssc->Run();
}
