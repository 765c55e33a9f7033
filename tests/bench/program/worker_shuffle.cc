// A shuffle between two worker processes.
#include <millrace/millrace.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "absl/strings/str_format.h"
#include "tests/bench/plain/message_stream.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/program/stopwatch.h"
#include "tests/bench/report/contest.h"

namespace millrace::bench {
namespace {

constexpr int64_t kRecordBytes = 1024;
constexpr int64_t kCrossingBytes = int64_t{256} << 20;  // From each worker to the other.

using KeyAndBytes = std::pair<int64_t, std::string_view>;

// As many bytes for each of the two keys, marked with the process that sends them.
void EmitRecords(int64_t /*side*/, Emitter<KeyAndBytes>& emit) {
  std::string bytes(kRecordBytes, 'x');
  const pid_t self = ::getpid();
  std::memcpy(bytes.data(), &self, sizeof(self));
  for (int64_t sent = 0; sent < kCrossingBytes; sent += kRecordBytes) {
    for (const int64_t key : {0, 1}) emit(KeyAndBytes(key, bytes));
  }
}

// The size of a record that has come from another process, else 0.
int64_t CrossedBytes(const KeyAndBytes& record) {
  static const pid_t self = ::getpid();  // A system call.
  pid_t sender = 0;
  std::memcpy(&sender, record.second.data(), sizeof(sender));
  return sender == self ? 0 : static_cast<int64_t>(record.second.size());
}

// Key k in partition k.
struct ByKey {
  int NumPartitions() const { return 2; }
  int GetPartition(int64_t key) const { return static_cast<int>(key); }
  template <class Archive>
  void serialize(Archive& /*archive*/) {}
};

}  // namespace

// Of four parts of what is shuffled two cross: from each worker to the other.
absl::StatusOr<std::vector<Figure>> WorkerShuffle(const BenchOptions& options) {
  Context context(Conf().SetAppName("WorkerShuffle").SetMaster("local-cluster[2,1,4096]"));
  const RDD<int64_t> sides = context.Parallelize(std::vector<int64_t>{0, 1}, 2);
  absl::StatusOr<StreamPeer> peer = StreamPeer::Start();
  if (!peer.ok()) return peer.status();
  const auto shuffle = [&]() -> absl::StatusOr<double> {
    const Stopwatch watch;
    const auto crossed = sides.FlatMap<KeyAndBytes>(Fn<&EmitRecords>)
                             .PartitionBy(ByKey())
                             .Map(Fn<&CrossedBytes>)
                             .Sum();
    const double seconds = watch.Seconds();
    if (!crossed.ok()) return crossed.status();
    if (*crossed != 2 * kCrossingBytes) return absl::InternalError("not all of it has crossed");
    return seconds;
  };
  const auto medians = MedianSeconds(
      {{"gRPC", [&] { return peer->Exchange(kCrossingBytes); }}, {"shuffle", shuffle}},
      options.runs);
  if (!medians.ok()) return medians.status();
  const double mib = static_cast<double>(2 * kCrossingBytes) / (1 << 20);
  return std::vector<Figure>{{medians->at(0) / medians->at(1),
                              absl::StrFormat("bare gRPC %.0f MiB/s, both ways, shuffle %.0f",
                                              mib / medians->at(0), mib / medians->at(1))}};
}

}  // namespace millrace::bench
