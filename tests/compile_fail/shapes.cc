// Functions and operations that do not fit the stream.
#include <millrace/millrace.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using Lines = millrace::DStream<std::string_view>;
using Pairs = millrace::DStream<std::pair<std::string_view, int64_t>>;
using Numbers = millrace::DStream<int64_t>;
using Texts = millrace::DStream<std::string>;
using NumberPairs = millrace::DStream<std::pair<int64_t, int64_t>>;

// A stream of its own each, for the compiler says once what is wrong with a type.
void OfPairs(const Lines& lines, const Numbers& numbers, const Texts& texts, const Pairs& pairs,
             const NumberPairs& number_pairs) {
  // expect-error: records of std::pair<K, V>: map them to pairs first, as in Map
  WRONG(lines.ReduceByKey(std::plus<>()));
  RIGHT(pairs.ReduceByKey(std::plus<>()));
  // expect-error: records of std::pair<K, V>: map them to pairs first
  WRONG(numbers.Join(pairs));
  // expect-error: records of std::pair<K, V>: map them to pairs first
  WRONG(pairs.Join(texts));
  // expect-error: different types: map one side to the type of the other
  WRONG(pairs.Join(number_pairs));
  RIGHT(pairs.Join(pairs));
  // expect-error: different types: map one side to the type of the other
  WRONG(pairs.CoGroup(pairs, number_pairs));
  RIGHT(pairs.CoGroup(pairs, pairs));
}

void Shapes(const Lines& lines) {
  // expect-error: Map: the function must take the stream's record type
  WRONG(lines.Map([](int64_t x) { return x; }));
  RIGHT(lines.Map([](std::string_view line) { return line.size(); }));

  // expect-error: Filter: the function must take the stream's record type and return bool
  WRONG(lines.Filter([](int64_t x) { return x > 0; }));
  // expect-error: Filter: the function must .*return bool
  WRONG(lines.Filter([](std::string_view line) { return std::string(line); }));
  RIGHT(lines.Filter([](std::string_view line) { return !line.empty(); }));

  // expect-error: FlatMap: the function must .*return a range.*FlatMap<U>
  WRONG(lines.FlatMap([](int64_t x) { return std::vector{x}; }));
  // expect-error: FlatMap: the function must .*return a range.*FlatMap<U>
  WRONG(lines.FlatMap([](std::string_view line) { return line.size(); }));
  RIGHT(lines.FlatMap([](std::string_view line) { return millrace::Split(line, ' '); }));

  // expect-error: FlatMap<U>: the function must take .T record, millrace::Emitter<U>& emit.
  WRONG(lines.FlatMap<size_t>([](std::string_view line) { return std::vector{line.size()}; }));
  RIGHT(lines.FlatMap<size_t>(
      [](std::string_view line, millrace::Emitter<size_t>& emit) { emit(line.size()); }));

  // expect-error: MapPartitions<U>: the function must take .PartitionReader<T>& records
  WRONG(lines.MapPartitions<size_t>([](std::string_view line) { return line.size(); }));
  RIGHT(lines.MapPartitions<size_t>([](auto& records, auto& emit) {
    for (std::string_view line : records) emit(line.size());
  }));

  // expect-error: Reduce: the function must take .T, T. and return T
  WRONG(lines.Reduce([](size_t sum, std::string_view line) { return sum + line.size(); }));
  // expect-error: Reduce: the function must take .T, T. and return T
  WRONG(lines.Reduce([](std::string_view a, std::string_view b) { return a.size() + b.size(); }));
  RIGHT(lines.Reduce([](std::string_view a, std::string_view b) { return std::max(a, b); }));

  // expect-error: ForeachRDD: the function must take .RDD<T>.
  WRONG(lines.ForeachRDD([](std::string_view) {}));
  // expect-error: ForeachRDD: the function must return nothing or absl::Status
  WRONG(lines.ForeachRDD([](millrace::RDD<std::string_view> rdd) { return rdd.Count(); }));
  RIGHT(lines.ForeachRDD([](millrace::RDD<std::string_view> rdd) { return rdd.Count().status(); }));

  // expect-error: Transform: the function must take the streams' data sets
  WRONG(lines.Transform([](std::string_view line) { return line; }));
  // expect-error: Transform: the function must return an RDD<U>
  WRONG(lines.Transform([](millrace::RDD<std::string_view> rdd) { return rdd.Collect(); }));
  RIGHT(lines.Transform([](millrace::RDD<std::string_view> rdd) { return rdd.Distinct(); }));
}

void ByKey(const Pairs& pairs) {
  // expect-error: ReduceByKey: the function must take .V, V. and return V
  WRONG(pairs.ReduceByKey([](std::string_view a, std::string_view) { return a; }));
  // expect-error: ReduceByKey: the function must take .V, V. and return V
  WRONG(pairs.ReduceByKey([](int64_t a, int64_t) { return std::to_string(a); }));
  RIGHT(pairs.ReduceByKey([](int64_t a, int64_t b) { return a + b; }));

  // expect-error: MapValues: the function must take the value's type
  WRONG(pairs.MapValues([](std::string_view value) { return value; }));
  RIGHT(pairs.MapValues([](int64_t value) { return value; }));

  // expect-error: CombineByKey: .*merge_value must take .C, V. and return C
  WRONG(pairs.CombineByKey([](int64_t x) { return std::vector{x}; }, std::plus<>(), std::plus<>()));
  RIGHT(pairs.CombineByKey([](int64_t x) { return x; }, std::plus<>(), std::plus<>()));
}

void State(const Pairs& pairs) {
  // expect-error: UpdateStateByKey<S>: the function must take .*std::span<const
  // V>.*std::optional<S>
  WRONG(pairs.UpdateStateByKey<int64_t>(
      [](std::span<const int64_t> values, std::optional<int64_t> sum) {
        return std::optional<int64_t>(sum.value_or(0) + static_cast<int64_t>(values.size()));
      }));
  // expect-error: UpdateStateByKey<S>: the function must .*return std::optional<S>
  WRONG(pairs.UpdateStateByKey<int64_t>(
      [](std::string_view key, std::span<const int64_t>, std::optional<int64_t>) { return key; }));
  RIGHT(pairs.UpdateStateByKey<int64_t>(
      [](std::string_view, std::span<const int64_t>, std::optional<int64_t> sum) { return sum; }));

  // expect-error: StateSpec: the function must take .\[Time, \]key, std::optional<V>, State<S>&.
  WRONG(pairs.MapWithState(
      millrace::StateSpec([](std::string_view key, std::optional<int64_t>) { return key; })));
  // expect-error: StateSpec: .*generic.*write MapWithState<S>.f.
  WRONG(pairs.MapWithState(
      millrace::StateSpec([](auto key, auto, auto& state) { return state.Exists() ? key : key; })));
  // expect-error: MapWithState: the function must take .\[Time, \]key, std::optional<V>, State<S>&.
  WRONG(pairs.MapWithState(millrace::StateSpec(
      [](int64_t, std::optional<std::string_view>, millrace::State<int64_t>&) {})));
  RIGHT(pairs.MapWithState<int64_t>(
      [](auto key, auto, auto& state) { return state.Exists() ? key : key; }));
}
