#include <millrace/millrace.h>
#include <millrace/testing.h>

#include <algorithm>
#include <cstdio>

using namespace std::chrono_literals;

int main() {
  millrace::testing::StreamHarness harness(1s);
  auto lines = harness.Input<std::string>({{"to be or", "not to be"}, {"be"}});
  auto words = lines.FlatMap([](std::string_view line) { return millrace::Split(line, ' '); });
  auto pairs = words.Map([](std::string_view word) { return std::pair(word, int64_t{1}); });
  auto output = harness.Output(pairs.ReduceByKey(std::plus<>()));

  absl::Status status = harness.RunBatches(2);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  }
  using Counts = std::vector<std::pair<std::string, int64_t>>;
  std::vector<Counts> batches = output.batches();
  for (Counts& batch : batches) std::sort(batch.begin(), batch.end());
  const std::vector<Counts> expected = {{{"be", 2}, {"not", 1}, {"or", 1}, {"to", 2}}, {{"be", 1}}};
  if (batches != expected) {
    std::fprintf(stderr, "the counts are not those of the text\n");
    return 1;
  }
  return 0;
}
