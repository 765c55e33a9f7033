// Multiplies numbers by a flag that its functions read: flag_times [--factor=N] [--negate]
#include <gflags/gflags.h>
#include <millrace/millrace.h>

#include <cstdio>

DEFINE_int64(factor, 1, "what numbers are multiplied by");
DEFINE_bool(negate, false, "with the sign changed");

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  gflags::ParseCommandLineFlags(&argc, &argv, /*remove_flags=*/true);
  millrace::Context context(millrace::Conf().SetAppName("FlagTimes"));
  const auto sum = context.Parallelize(std::vector<int64_t>{1, 2, 3}, 3)
                       .Map([](int64_t x) { return x * FLAGS_factor * (FLAGS_negate ? -1 : 1); })
                       .Reduce(std::plus<>());
  std::printf("%s %lld\n", sum.status().ToString().c_str(),
              static_cast<long long>(sum.value_or(0)));
  return sum.ok() ? 0 : 1;
}
