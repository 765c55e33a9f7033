// Counts the words of a log, and may be killed at any time:
//   killed_counts LOG CHECKPOINT OUTPUT [INTERVAL]     (in milliseconds, 50)
//   OUTPUT/batch-TIME    the counts of each batch
//   OUTPUT/sums-TIME     of all batches so far: UpdateStateByKey
//   OUTPUT/last-TIME     for each word the batch it was in last: MapWithState
//   OUTPUT/window-TIME   of the last four batches, kept by what comes and leaves
// Prints the time of each batch when all of that is there.
#include <millrace/log_stream.h>
#include <millrace/millrace.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace {

using Count = std::pair<std::string, int64_t>;

millrace::StreamingContext Create(const std::string& log, const std::string& checkpoint,
                                  const std::string& output, std::chrono::milliseconds interval) {
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("KilledCounts"), interval);
  ssc.Checkpoint(checkpoint);
  auto ones = millrace::LogStream(ssc, log).Map(
      [](std::string_view word) { return std::pair(std::string(word), int64_t{1}); });
  auto counts = ones.ReduceByKey(std::plus<>());
  counts.SaveAsTextFiles(output + "/batch");
  auto sums = counts.UpdateStateByKey<int64_t>(
      [](const std::string&, std::span<const int64_t> values, std::optional<int64_t> sum) {
        for (const int64_t value : values) sum = sum.value_or(0) + value;
        return sum;
      });
  sums.Checkpoint(5 * interval).SaveAsTextFiles(output + "/sums");
  auto last = counts.MapWithState(
      millrace::StateSpec([](millrace::Time time, const std::string&, std::optional<int64_t>,
                             millrace::State<int64_t>& state) { state.Update(time.ms()); }));
  last.Checkpoint(8 * interval).StateSnapshots().SaveAsTextFiles(output + "/last");
  counts
      .ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 4 * interval, interval, 2,
                            [](const Count& count) { return count.second != 0; })
      .Checkpoint(6 * interval)
      .SaveAsTextFiles(output + "/window");
  counts.ForeachRDD([](const millrace::RDD<Count>&, millrace::Time time) {
    std::printf("%lld\n", static_cast<long long>(time.ms()));
    std::fflush(stdout);
  });
  return ssc;
}

}  // namespace

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  const int interval_ms = argc == 5 ? std::atoi(argv[4]) : 50;
  if (argc < 4 || argc > 5 || interval_ms <= 0) return 2;
  const std::string checkpoint = argv[2];
  auto ssc = millrace::StreamingContext::GetOrCreate(checkpoint, [&] {
    return Create(argv[1], checkpoint, argv[3], std::chrono::milliseconds(interval_ms));
  });
  if (!ssc.ok()) {
    std::fprintf(stderr, "%s\n", ssc.status().ToString().c_str());
    return 1;
  }
  return ssc->Run();
}
