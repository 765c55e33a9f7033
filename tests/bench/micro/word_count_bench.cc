// The word count's operators on one core, from text in memory to encoded shuffle buckets, beside
// the plain loops over the same bytes.
#include <benchmark/benchmark.h>
#include <millrace/split.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "common/record/stable_hash.h"
#include "executor/operator/keyed.h"
#include "executor/operator/lines.h"
#include "executor/operator/map.h"
#include "tests/bench/micro/memory_task.h"
#include "tests/bench/plain/word_count.h"
#include "tests/bench/text/text_generator.h"

namespace millrace::bench {
namespace {

using internal::CombineWriteOperator;
using internal::FlatMapOperator;
using internal::HashPartition;
using internal::MapOperator;
using internal::ReducePolicy;

constexpr int64_t kTextBytes = int64_t{128} << 20;
constexpr size_t kPieceBytes = size_t{1} << 20;

const std::string& Text() {
  static const std::string text = GenerateText(kTextBytes);
  return text;
}

const WordTotals& ExpectedTotals() {
  static const WordTotals totals = [] {
    StreamWordCounter counter;
    counter.Add(Text());
    counter.Finish();
    return counter.Totals();
  }();
  return totals;
}

void ReportWords(benchmark::State& state) {
  state.counters["words/s"] = benchmark::Counter(static_cast<double>(ExpectedTotals().words),
                                                 benchmark::Counter::kIsIterationInvariantRate);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(Text().size()));
}

// Blocks as a receiver cuts them: at line ends.
std::vector<Buffer> TextBlocks() {
  std::vector<Buffer> blocks;
  const std::string_view text = Text();
  const auto everything = std::make_shared<int>(0);
  for (size_t start = 0; start < text.size();) {
    const size_t end = text.find('\n', std::min(start + kPieceBytes, text.size() - 1)) + 1;
    blocks.emplace_back(text.substr(start, end - start), everything);
    start = end;
  }
  return blocks;
}

void BM_PlainOwnedKeys(benchmark::State& state) {
  const std::string_view text = Text();
  for (auto _ : state) {
    StreamWordCounter counter;
    for (size_t i = 0; i < text.size(); i += kPieceBytes) counter.Add(text.substr(i, kPieceBytes));
    counter.Finish();
    benchmark::DoNotOptimize(counter);
  }
  ReportWords(state);
}
BENCHMARK(BM_PlainOwnedKeys)->Unit(benchmark::kMillisecond);

void BM_PlainViewKeys(benchmark::State& state) {
  for (auto _ : state) {
    WordViewCounts counts;
    CountWords(Text(), counts);
    benchmark::DoNotOptimize(counts);
  }
  ReportWords(state);
}
BENCHMARK(BM_PlainViewKeys)->Unit(benchmark::kMillisecond);

// As many of the word count's operators as `stages` says, closed off by a sink that counts.
struct SplitWords {
  SplitRange operator()(std::string_view line) const { return Split(line, ' '); }
};
struct PairWithOne {
  std::pair<std::string_view, int64_t> operator()(std::string_view word) const { return {word, 1}; }
};
using WordPairs = std::pair<std::string_view, int64_t>;
using SumByWord =
    CombineWriteOperator<std::string_view, ReducePolicy<int64_t, std::plus<>>, HashPartition>;

template <class T>
class DropOperator : public internal::Operator {
 public:
  bool Compute(internal::TaskNode& node, internal::AnySink* /*out*/) const override {
    Counter counter(node);
    const bool done = node.RunInput(counter);
    benchmark::DoNotOptimize(counter.count);
    return done;
  }

 private:
  struct Counter : internal::ChunkSink<T> {
    using internal::ChunkSink<T>::ChunkSink;
    bool keeps_views() const override { return false; }
    bool Consume(T* records, size_t size) override {
      benchmark::DoNotOptimize(records);
      count += size;
      return true;
    }
    size_t count = 0;
  };
};

const internal::BlockLinesOperator kLines;
const FlatMapOperator<std::string_view, SplitWords> kSplit;
const MapOperator<std::string_view, PairWithOne> kPair;
const SumByWord kSum;
const DropOperator<std::string_view> kDropViews;
const DropOperator<WordPairs> kDropPairs;

void RunRoot(benchmark::State& state, MemoryNode& root) {
  if (!root.Run()) state.SkipWithError(root.task().status().ToString().c_str());
}

void BM_Lines(benchmark::State& state) {
  for (auto _ : state) {
    MemoryTask task;
    MemoryNode lines(task, kLines, {});
    lines.read = TextBlocks();
    MemoryNode root(task, kDropViews, {&lines});
    RunRoot(state, root);
  }
  ReportWords(state);
}
BENCHMARK(BM_Lines)->Unit(benchmark::kMillisecond);

void BM_LinesSplit(benchmark::State& state) {
  for (auto _ : state) {
    MemoryTask task;
    MemoryNode lines(task, kLines, {});
    lines.read = TextBlocks();
    MemoryNode split(task, kSplit, {&lines});
    MemoryNode root(task, kDropViews, {&split});
    RunRoot(state, root);
  }
  ReportWords(state);
}
BENCHMARK(BM_LinesSplit)->Unit(benchmark::kMillisecond);

void BM_LinesSplitMap(benchmark::State& state) {
  for (auto _ : state) {
    MemoryTask task;
    MemoryNode lines(task, kLines, {});
    lines.read = TextBlocks();
    MemoryNode split(task, kSplit, {&lines});
    MemoryNode pair(task, kPair, {&split});
    MemoryNode root(task, kDropPairs, {&pair});
    RunRoot(state, root);
  }
  ReportWords(state);
}
BENCHMARK(BM_LinesSplitMap)->Unit(benchmark::kMillisecond);

WordTotals TotalsOf(const std::vector<Buffer>& buckets) {
  WordTotals totals;
  for (const Buffer& bucket : buckets) {
    internal::Decoder decoder(bucket.view());
    while (!decoder.done()) {
      internal::HashedRecord<std::string_view, int64_t> record;
      internal::Decode(decoder, record);
      totals.Add(record.key, record.value);
    }
  }
  return totals;
}

void BM_WordCountMapSide(benchmark::State& state) {
  for (auto _ : state) {
    MemoryTask task;
    MemoryNode lines(task, kLines, {});
    lines.read = TextBlocks();
    MemoryNode split(task, kSplit, {&lines});
    MemoryNode pair(task, kPair, {&split});
    MemoryNode root(task, kSum, {&pair});
    RunRoot(state, root);
    state.PauseTiming();
    if (TotalsOf(root.written) != ExpectedTotals()) state.SkipWithError("wrong counts");
    state.ResumeTiming();
  }
  ReportWords(state);
}
BENCHMARK(BM_WordCountMapSide)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace millrace::bench
