// Groups 200,000 texts of 100 bytes by 1,000 keys, all of which cross a shuffle: grouped_texts
// Prints "begins", and at last "GROUPS TEXTS BYTES".
#include <millrace/millrace.h>

#include <cstdio>

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  millrace::Context context(millrace::Conf().SetAppName("GroupedTexts"));
  std::printf("begins\n");
  std::fflush(stdout);
  auto groups = context.Range(0, 200'000, 1, 16)
                    .Map([](int64_t number) {
                      return std::pair(number % 1'000, std::string(100, 'a' + char(number % 26)));
                    })
                    .GroupByKey(4)
                    .Map([](const auto& group) {
                      int64_t bytes = 0;
                      for (const std::string& text : group.second) bytes += std::ssize(text);
                      return std::pair(int64_t(group.second.size()), bytes);
                    })
                    .Collect();
  if (!groups.ok()) {
    std::fprintf(stderr, "%s\n", groups.status().ToString().c_str());
    return 1;
  }
  int64_t texts = 0;
  int64_t bytes = 0;
  for (const auto& [group_texts, group_bytes] : *groups) {
    texts += group_texts;
    bytes += group_bytes;
  }
  std::printf("%zu %lld %lld\n", groups->size(), static_cast<long long>(texts),
              static_cast<long long>(bytes));
  return 0;
}
