// The table of ./scripts/bench: each row a job measured against its bar, most of them as a ratio to
// the plain loop of the same job in the same run. Exit code 1: a bar was missed.
//   bench_main [--only=NAME[,NAME...]] [--runs=N] [--text_mb=N] [--latency_s=N]
#include <gflags/gflags.h>
#include <millrace/millrace.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/bench/plain/message_stream.h"
#include "tests/bench/plain/text_server.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/text/text_generator.h"

DEFINE_string(only, "", "measure these alone, by name, separated by commas");
DEFINE_int32(runs, 5, "timed runs of each contender");
DEFINE_int32(text_mb, static_cast<int>(millrace::bench::kFullTextBytes >> 20),
             "size of the text in MiB");
DEFINE_int32(latency_s, 60, "how long records are sent for the latency row, in seconds");
DEFINE_bool(serve_stream, false, "internal: be the other end of bare gRPC streams");
DEFINE_string(serve_text, "", "internal: be the text server that programs count from");

namespace millrace::bench {
namespace {

Bar AtLeast(double bound, std::string unit = "x") {
  return {Bar::Kind::kAtLeast, bound, std::move(unit)};
}
Bar AtMost(double bound, std::string unit) { return {Bar::Kind::kAtMost, bound, std::move(unit)}; }

std::vector<Measurement> AllMeasurements() {
  return {
      {"file_word_count",
       {{"word count of a text file, local[1], speed vs the plain loop", AtLeast(1.4)},
        {"the same, local[2]", AtLeast(2.6)}},
       FileWordCount},
      {"grep",
       {{"lines of a text file that contain a word, local[1], vs memmem", AtLeast(0.9)}},
       FileGrep},
      {"network_word_count",
       {{"word count from loopback TCP, local[2], vs the plain program", AtLeast(0.9)}},
       NetworkWordCount},
      {"receiver_log",
       {{"the same with the receiver's write-ahead log, vs without", AtLeast(0.6)}},
       LoggedWordCount},
      {"running_count",
       {{"MapWithState, 1M keys, 1M updates a batch, local[2], vs the loop", AtLeast(0.8)},
        {"1,000 updates a batch, of the time of the batch above", AtMost(2, "%")}},
       RunningCount},
      {"inverse_window",
       {{"ReduceByKeyAndWindow, inverse, 10 batches, time vs no window", AtMost(2.5, "x")}},
       InverseWindow},
      {"window_length",
       {{"ReduceByKeyAndWindow, max, a slide of 100 batches vs one of 10", AtMost(1.3, "x")}},
       WindowLength},
      {"top_words",
       {{"top 10 words of a window of 30 batches, time vs the word count", AtMost(2, "x")}},
       TopWords},
      {"updated_state",
       {{"UpdateStateByKey, 1M keys, 1M updates, local[1], vs the loop", AtLeast(0.7)}},
       UpdatedState},
      {"saved_state",
       {{"1M keys, 10,000 changed a batch: bytes saved vs those keys' bytes", AtMost(3, "x")}},
       SavedState},
      {"checkpoint",
       {{"metadata checkpoints, 100 ms batches: cost of a batch, median", AtMost(2, "ms")}},
       CheckpointCost},
      {"stream_join",
       {{"join of two streams of 1M pairs, local[2], vs two threads", AtLeast(0.5)}},
       StreamJoin},
      {"pair_sort",
       {{"sort of 10M pairs, local[2], vs std::sort on two threads", AtLeast(0.5)}},
       PairSort},
      {"campaign_count",
       {{"Yahoo benchmark's job, local[1], events/s vs the loop", AtLeast(0.7)}},
       CampaignCount},
      {"empty_batch", {{"an empty two-stage batch, local[2]", AtMost(100, "us")}}, EmptyBatch},
      {"latency",
       {{"1,000 records/s, 1 ms batches, keyed: sent to seen, median", AtMost(1.2, "ms")},
        {"the same, 99 of 100 records", AtMost(2.2, "ms")},
        {"the same, median of the last tenth vs the first", AtMost(1.5, "x")}},
       RecordLatency},
      {"memory", {{"resident memory of the quickstart job", AtMost(48, "MiB")}}, ResidentMemory},
      {"cluster_empty_batch",
       {{"an empty two-stage batch, two worker processes, median", AtMost(500, "us")},
        {"the same, 99 of 100", AtMost(2, "ms")}},
       ClusterEmptyBatch},
      {"cluster_word_count",
       {{"word count from loopback TCP, two workers of a slot each, vs local[2]", AtLeast(0.7)},
        {"the same, blocks with a second copy", AtLeast(0.45)}},
       ClusterWordCount},
      {"worker_shuffle",
       {{"bytes/s of a shuffle between two workers vs bare gRPC streams", AtLeast(0.7)}},
       WorkerShuffle},
      {"worker_kill",
       {{"a receiving worker is killed, 100 ms batches: longest gap", AtMost(1, "s")}},
       WorkerKill},
      {"state_kill",
       {{"a worker with half of 1M keys is killed: longest gap", AtMost(3, "s")}},
       StateKill},
      {"driver_kill",
       {{"a supervised driver is killed, 100 ms batches: restart to output", AtMost(2, "s")}},
       DriverKill},
      {"submit", {{"submit to first batch, cluster mode", AtMost(2, "s")}}, SubmitTime},
      {"driver_launches",
       {{"task launches and completions a second, one driver core", AtLeast(200'000, "/s")}},
       DriverLaunches},
      {"idle_daemons",
       {{"processor time of an idle daemon", AtMost(1, "%")},
        {"resident memory of an idle daemon", AtMost(32, "MiB")}},
       IdleDaemons},
      {"compile", {{"compile and link network_word_count", AtMost(8, "s")}}, CompileTime},
  };
}

std::vector<Measurement> Select(std::vector<Measurement> all, const std::string& only) {
  if (only.empty()) return all;
  std::vector<Measurement> selected;
  for (const absl::string_view name : absl::StrSplit(only, ',')) {
    const auto found =
        std::find_if(all.begin(), all.end(), [name](const auto& one) { return one.name == name; });
    if (found != all.end()) {
      selected.push_back(*found);
      continue;
    }
    std::vector<std::string> names;
    for (const Measurement& one : all) names.push_back(one.name);
    std::fprintf(stderr, "bench_main: no measurement '%s'; there are %s\n",
                 std::string(name).c_str(), absl::StrJoin(names, ", ").c_str());
    std::exit(2);
  }
  return selected;
}

int Run() {
  BenchOptions options;
  options.runs = FLAGS_runs;
  options.text_bytes = int64_t{FLAGS_text_mb} << 20;
  options.latency_seconds = FLAGS_latency_s;
  const absl::StatusOr<bool> met = PrintTable(Select(AllMeasurements(), FLAGS_only), options);
  return met.ok() && *met ? 0 : 1;
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  gflags::SetUsageMessage("measures Millrace against plain loops");
  gflags::ParseCommandLineFlags(&argc, &argv, /*remove_flags=*/true);
  if (!FLAGS_serve_text.empty()) return millrace::bench::ServeText(FLAGS_serve_text);
  if (FLAGS_serve_stream) return millrace::bench::ServeStream();
  return millrace::bench::Run();
}
