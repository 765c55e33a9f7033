// Functions of streams run on workers, where the program's variables are not: what a lambda
// captures cannot travel.
#include <millrace/millrace.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

using Pairs = millrace::DStream<std::pair<std::string, int64_t>>;

void RecordByRecord(const millrace::DStream<std::string_view>& lines, size_t n) {
  // expect-error: Millrace: this function carries data .*captures.*millrace::BindFront
  WRONG(lines.Map([n](std::string_view line) { return line.size() + n; }));
  RIGHT(lines.Map(
      millrace::BindFront([](size_t n, std::string_view line) { return line.size() + n; }, n)));

  // expect-error: millrace::BindFront
  WRONG(lines.Filter([&](std::string_view line) { return line.size() > n; }));
  RIGHT(lines.Filter(
      millrace::BindFront([](size_t n, std::string_view line) { return line.size() > n; }, n)));

  // expect-error: millrace::BindFront
  WRONG(lines.FlatMap([=](std::string_view line) { return std::vector(n, line); }));
  RIGHT(lines.FlatMap(millrace::BindFront(
      [](size_t n, std::string_view line) { return std::vector(n, line); }, n)));

  // expect-error: millrace::BindFront
  WRONG(lines.FlatMap<size_t>(
      [n](std::string_view line, millrace::Emitter<size_t>& emit) { emit(line.size() + n); }));
  RIGHT(lines.FlatMap<size_t>(
      [](std::string_view line, millrace::Emitter<size_t>& emit) { emit(line.size()); }));

  // expect-error: millrace::BindFront
  WRONG(lines.MapPartitions<size_t>(
      [n](millrace::PartitionReader<std::string_view>& records, millrace::Emitter<size_t>& emit) {
        for (const std::string_view& line : records) emit(line.size() + n);
      }));
  RIGHT(lines.MapPartitions<size_t>(
      [](millrace::PartitionReader<std::string_view>& records, millrace::Emitter<size_t>& emit) {
        for (const std::string_view& line : records) emit(line.size());
      }));

  // expect-error: millrace::BindFront
  WRONG(lines.Reduce([n](std::string_view a, std::string_view b) { return a.size() > n ? a : b; }));
  RIGHT(lines.Reduce([](std::string_view a, std::string_view b) { return std::max(a, b); }));

  // expect-error: millrace::BindFront
  WRONG(lines.ReduceByWindow(
      [n](std::string_view a, std::string_view b) { return a.size() > n ? a : b; }, 2s, 1s));
  RIGHT(lines.ReduceByWindow([](std::string_view a, std::string_view b) { return std::max(a, b); },
                             2s, 1s));
}

void ByKey(const Pairs& pairs, int64_t n) {
  // expect-error: millrace::BindFront
  WRONG(pairs.MapValues([n](int64_t value) { return value + n; }));
  RIGHT(
      pairs.MapValues(millrace::BindFront([](int64_t n, int64_t value) { return value + n; }, n)));

  // expect-error: millrace::BindFront
  WRONG(pairs.FlatMapValues([n](int64_t value) { return std::vector<int64_t>{value, n}; }));
  RIGHT(pairs.FlatMapValues([](int64_t value) { return std::vector<int64_t>{value, value}; }));

  // expect-error: millrace::BindFront
  WRONG(pairs.ReduceByKey([n](int64_t a, int64_t b) { return a + b + n; }));
  RIGHT(pairs.ReduceByKey(std::plus<>()));

  // expect-error: millrace::BindFront
  WRONG(pairs.CombineByKey([n](int64_t value) { return value + n; }, std::plus<>(), std::plus<>()));
  // expect-error: millrace::BindFront
  WRONG(pairs.CombineByKey([](int64_t value) { return value; },
                           [n](int64_t sum, int64_t value) { return sum + value + n; },
                           std::plus<>()));
  // expect-error: millrace::BindFront
  WRONG(pairs.CombineByKey([](int64_t value) { return value; }, std::plus<>(),
                           [n](int64_t a, int64_t b) { return a + b + n; }));
  RIGHT(pairs.CombineByKey([](int64_t value) { return value; }, std::plus<>(), std::plus<>()));

  // expect-error: millrace::BindFront
  WRONG(pairs.ReduceByKeyAndWindow([n](int64_t a, int64_t b) { return a + b + n; }, 2s, 1s));
  // expect-error: millrace::BindFront
  WRONG(pairs.ReduceByKeyAndWindow(
      std::plus<>(), [n](int64_t a, int64_t b) { return a - b - n; }, 2s, 1s));
  // expect-error: millrace::BindFront
  WRONG(pairs.ReduceByKeyAndWindow(
      std::plus<>(), std::minus<>(), 2s, 1s,
      [n](const std::pair<std::string, int64_t>& count) { return count.second > n; }));
  RIGHT(pairs.ReduceByKeyAndWindow(
      std::plus<>(), std::minus<>(), 2s, 1s,
      [](const std::pair<std::string, int64_t>& count) { return count.second > 0; }));
}

void State(const Pairs& pairs, int64_t n) {
  // expect-error: millrace::BindFront
  WRONG(pairs.UpdateStateByKey<int64_t>(
      [n](const std::string&, std::span<const int64_t> values, std::optional<int64_t> sum) {
        return std::optional<int64_t>(sum.value_or(n) + static_cast<int64_t>(values.size()));
      }));
  RIGHT(pairs.UpdateStateByKey<int64_t>(
      [](const std::string&, std::span<const int64_t> values, std::optional<int64_t> sum) {
        return std::optional<int64_t>(sum.value_or(0) + static_cast<int64_t>(values.size()));
      }));

  // expect-error: millrace::BindFront
  WRONG(pairs.MapWithState(millrace::StateSpec(
      [n](const std::string& key, std::optional<int64_t> value, millrace::State<int64_t>& sum) {
        sum.Update(sum.GetOption().value_or(n) + value.value_or(0));
        return key;
      })));
  RIGHT(pairs.MapWithState(millrace::StateSpec(
      [](const std::string& key, std::optional<int64_t> value, millrace::State<int64_t>& sum) {
        sum.Update(sum.GetOption().value_or(0) + value.value_or(0));
        return key;
      })));
}

// What runs on the driver may capture.
void OnTheDriver(const millrace::DStream<std::string_view>& lines, int64_t& total) {
  lines.ForeachRDD([&](millrace::RDD<std::string_view> data_set) -> absl::Status {
    const auto count = data_set.Count();
    if (count.ok()) total += *count;
    return count.status();
  });
  const std::string name = "n";
  lines.Transform([=](millrace::RDD<std::string_view> data_set) {
    return name.empty() ? data_set : data_set.Distinct();
  });
}
