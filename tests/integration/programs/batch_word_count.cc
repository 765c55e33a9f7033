// Counts the words of a text file and saves the counts: batch_word_count INPUT OUTPUT_DIRECTORY
#include <millrace/millrace.h>

#include <cstdio>

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  if (argc != 3) return 2;
  millrace::Context context(millrace::Conf().SetAppName("BatchWordCount"));
  auto words = context.TextFile(argv[1]).FlatMap(
      [](std::string_view line) { return millrace::Split(line, ' '); });
  auto pairs = words.Map([](std::string_view word) { return std::pair(word, int64_t{1}); });
  const absl::Status saved = pairs.ReduceByKey(std::plus<>()).SaveAsTextFile(argv[2]);
  std::fprintf(stderr, "%s\n", saved.ToString().c_str());
  return saved.ok() ? 0 : 1;
}
