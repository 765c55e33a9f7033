// Caches a million numbers on disk and adds them up: cached_numbers
#include <millrace/millrace.h>

#include <cstdio>

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  millrace::Context context(millrace::Conf().SetAppName("CachedNumbers"));
  auto numbers = context.Range(0, 1'000'000)
                     .Map([](int64_t number) { return number * number; })
                     .Persist(millrace::StorageLevel::kDiskOnly);
  for (int i = 0; i < 2; ++i) {
    auto sum = numbers.Reduce(std::plus<>());
    if (!sum.ok()) {
      std::fprintf(stderr, "%s\n", sum.status().ToString().c_str());
      return 1;
    }
    std::printf("%lld\n", static_cast<long long>(*sum));
  }
  return 0;
}
