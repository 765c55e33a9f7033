// Functions of data sets run on workers too, those of actions as well.
#include <millrace/millrace.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using Numbers = millrace::RDD<int64_t>;
using Pairs = millrace::RDD<std::pair<std::string, int64_t>>;

void Transformations(const Numbers& numbers, const Pairs& pairs, int64_t n) {
  // expect-error: millrace::BindFront
  WRONG(numbers.Map([n](int64_t x) { return x + n; }));
  RIGHT(numbers.Map(millrace::BindFront([](int64_t n, int64_t x) { return x + n; }, n)));

  // expect-error: millrace::BindFront
  WRONG(numbers.KeyBy([n](int64_t x) { return x % n; }));
  RIGHT(numbers.KeyBy(millrace::BindFront([](int64_t n, int64_t x) { return x % n; }, n)));

  // expect-error: millrace::BindFront
  WRONG(numbers.GroupBy([n](int64_t x) { return x % n; }));
  RIGHT(numbers.GroupBy([](int64_t x) { return x % 2; }));

  // expect-error: millrace::BindFront
  WRONG(numbers.SortBy([n](int64_t x) { return x % n; }));
  RIGHT(numbers.SortBy([](int64_t x) { return x % 2; }));

  // expect-error: millrace::BindFront
  WRONG(pairs.AggregateByKey(
      int64_t{0}, [n](int64_t sum, int64_t x) { return sum + x + n; }, std::plus<>()));
  RIGHT(pairs.AggregateByKey(int64_t{0}, std::plus<>(), std::plus<>()));

  // expect-error: millrace::BindFront
  WRONG(pairs.FoldByKey(0, [n](int64_t sum, int64_t x) { return sum + x + n; }));
  RIGHT(pairs.FoldByKey(0, std::plus<>()));
}

void Actions(const Numbers& numbers, int64_t n) {
  // expect-error: millrace::BindFront
  WRONG((void)numbers.Foreach([&n](int64_t x) { n += x; }));
  RIGHT((void)numbers.Foreach([](int64_t) {}));

  // expect-error: millrace::BindFront
  WRONG((void)numbers.ForeachPartition([&n](millrace::PartitionReader<int64_t>& records) {
    for (const int64_t& x : records) n += x;
  }));
  RIGHT((void)numbers.ForeachPartition([](millrace::PartitionReader<int64_t>& records) {
    for (const int64_t& x : records) static_cast<void>(x);
  }));

  // expect-error: millrace::BindFront
  WRONG((void)numbers.Reduce([n](int64_t a, int64_t b) { return a + b + n; }));
  RIGHT((void)numbers.Reduce(std::plus<>()));

  // expect-error: millrace::BindFront
  WRONG((void)numbers.Fold(0, [n](int64_t a, int64_t b) { return a + b + n; }));
  RIGHT((void)numbers.Fold(0, std::plus<>()));

  // expect-error: millrace::BindFront
  WRONG((void)numbers.Aggregate(
      int64_t{0}, [n](int64_t sum, int64_t x) { return sum + x + n; }, std::plus<>()));
  // expect-error: millrace::BindFront
  WRONG((void)numbers.Aggregate(int64_t{0}, std::plus<>(),
                                [n](int64_t a, int64_t b) { return a + b + n; }));
  RIGHT((void)numbers.Aggregate(int64_t{0}, std::plus<>(), std::plus<>()));

  // expect-error: millrace::BindFront
  WRONG((void)numbers.Top(3, [n](int64_t a, int64_t b) { return a % n < b % n; }));
  RIGHT((void)numbers.Top(3, std::greater<>()));

  // expect-error: millrace::BindFront
  WRONG((void)numbers.TakeOrdered(3, [n](int64_t a, int64_t b) { return a % n < b % n; }));
  RIGHT((void)numbers.TakeOrdered(3));
}

void Accumulators(const millrace::Context& context, int64_t n) {
  // expect-error: Accumulator: the merge function .*without captures
  WRONG(context.Accumulator("max", int64_t{0}, [n](int64_t a, int64_t b) { return a + b + n; }));
  RIGHT(context.Accumulator("max", int64_t{0}, [](int64_t a, int64_t b) { return a + b; }));
}

struct ByRemainder {
  explicit ByRemainder(int n) : n(n) {}
  int NumPartitions() const { return n; }
  int GetPartition(const std::string& key) const { return static_cast<int>(key.size()) % n; }
  int n;
};
struct ByTwo {
  int NumPartitions() const { return 2; }
  int GetPartition(const std::string& key) const { return static_cast<int>(key.size()) % 2; }
};

void Partitioners(const Pairs& pairs) {
  // expect-error: Millrace: this function carries data .*serialize
  WRONG(pairs.ReduceByKey(std::plus<>(), ByRemainder(3)));
  RIGHT(pairs.ReduceByKey(std::plus<>(), ByTwo()));
}
