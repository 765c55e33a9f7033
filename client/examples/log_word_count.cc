// Counts the words of a partitioned log, and says which records each batch has.
//
//   scripts/run-example log_word_count write /tmp/words < some.txt    (any time, any number of
//   times) scripts/run-example log_word_count count /tmp/words
//
// prints up to ten words of each batch with their counts, and the batch's offsets. A log keeps its
// records: a second `count` reads them all again.
#include <millrace/log_stream.h>
#include <millrace/log_writer.h>
#include <millrace/millrace.h>

#include <cstdio>
#include <iostream>

using namespace std::chrono_literals;

namespace {

absl::Status Write(const std::string& directory) {
  auto writer = millrace::LogWriter::Open(directory, /*partition=*/0);
  if (!writer.ok()) return writer.status();
  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);) lines.push_back(line);
  return writer->AppendAll(lines).status();
}

absl::Status PrintOffsets(const millrace::RDD<std::string_view>& rdd) {
  const auto ranges = millrace::HasOffsetRanges(rdd);
  if (!ranges.ok()) return ranges.status();
  for (const auto& range : *ranges) std::puts(ToString(range).c_str());
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  const std::string mode = argc == 3 ? argv[1] : "";
  if (mode != "write" && mode != "count") {
    std::fprintf(stderr, "usage: log_word_count write|count DIRECTORY\n");
    return 2;
  }
  if (mode == "write") {
    const absl::Status status = Write(argv[2]);
    if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return status.ok() ? 0 : 1;
  }
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("LogWordCount"), 1s);

  auto lines = millrace::LogStream(ssc, argv[2]);
  auto words = lines.FlatMap([](std::string_view line) { return millrace::Split(line, ' '); });
  auto pairs = words.Map([](std::string_view word) { return std::pair(word, int64_t{1}); });
  pairs.ReduceByKey(std::plus<>()).Print();
  lines.ForeachRDD(PrintOffsets);

  return ssc.Run();
}
