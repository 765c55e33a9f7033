// Adds up a million numbers by their last two digits, twice, in as many partitions as there are
// task slots: numbers_by_key
// Prints "KEY SUM" for each, and at last the number of processes that took part.
#include <millrace/millrace.h>
#include <unistd.h>

#include <cstdio>
#include <set>

namespace {

using Sum = std::pair<int64_t, int64_t>;

absl::Status Run(millrace::Context& context) {
  const int slots = context.default_parallelism();
  for (int round = 0; round < 2; ++round) {
    auto sums = context.Range(0, 1'000'000, 1, slots)
                    .Map([](int64_t number) { return Sum(number % 100, number); })
                    .ReduceByKey(std::plus<>(), slots)
                    .Collect();
    if (!sums.ok()) return sums.status();
    for (const auto& [key, sum] : *sums) {
      std::printf("%lld %lld\n", static_cast<long long>(key), static_cast<long long>(sum));
    }
  }
  auto pids = context.Range(0, slots, 1, slots)
                  .Map([](int64_t) { return static_cast<int64_t>(getpid()); })
                  .Collect();
  if (!pids.ok()) return pids.status();
  std::printf("processes: %zu\n", std::set<int64_t>(pids->begin(), pids->end()).size());
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  millrace::Context context(millrace::Conf().SetAppName("NumbersByKey"));
  const absl::Status status = Run(context);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
