// Counts the words of text files that come into a directory.
//
//   mkdir -p /tmp/incoming
//   scripts/run-example file_word_count /tmp/incoming
//   cp some.txt /tmp/.some.txt && mv /tmp/.some.txt /tmp/incoming/some.txt     (elsewhere)
//
// prints up to ten words of each batch of files with their counts. Files must appear complete:
// write them elsewhere and move them in.
#include <millrace/millrace.h>

#include <cstdio>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: file_word_count DIRECTORY\n");
    return 2;
  }
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("FileWordCount"), 2s);

  auto lines = ssc.TextFileStream(argv[1]);
  auto words = lines.FlatMap([](std::string_view line) { return millrace::Split(line, ' '); });
  auto pairs = words.Map([](std::string_view word) { return std::pair(word, int64_t{1}); });
  pairs.ReduceByKey(std::plus<>()).Print();

  return ssc.Run();
}
