#include "tests/sim/programs.h"

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>

namespace millrace::sim {
namespace {

using Sums = std::map<std::string, int64_t>;

constexpr int64_t kForgetValue = 7;  // Of values by 10: the key's state goes.

std::string LineOf(const Record& record) {
  return record.first + "=" + std::to_string(record.second);
}

Lines LinesOf(const Sums& sums) {
  Lines lines;
  for (const auto& [key, sum] : sums) lines.push_back(LineOf({key, sum}));
  return lines;
}

DStream<Record> Counted(const DStream<Record>& records, const Counter& counter) {
  return records.Map(BindFront(
      [](const Counter& count, const Record& record) {
        count.Add(1);
        return record;
      },
      counter));
}

// -- Without state --------------------------------------------------------------------------------

DStream<std::string> SumByKey(StreamingContext& ssc, const Shape& shape, const Counter& counter) {
  return Counted(shape.InputOf(0).In(ssc), counter)
      .ReduceByKey(std::plus<>(), shape.reduce_partitions)
      .Map(Fn<&LineOf>);
}

Lines ExpectedSumByKey(const Shape& shape, const std::vector<Time>& batches) {
  Sums sums;
  for (const auto& [key, value] : shape.InputOf(0).At(batches.back())) sums[key] += value;
  return LinesOf(sums);
}

// Two shuffles, one behind the other.
DStream<std::string> CountOfSums(StreamingContext& ssc, const Shape& shape,
                                 const Counter& counter) {
  return Counted(shape.InputOf(0).In(ssc), counter)
      .ReduceByKey(std::plus<>(), shape.reduce_partitions)
      .Map([](const Record& sum) {
        return Record("last digit " + std::to_string(sum.second % 3), 1);
      })
      .ReduceByKey(std::plus<>(), shape.map_partitions)
      .Map(Fn<&LineOf>);
}

Lines ExpectedCountOfSums(const Shape& shape, const std::vector<Time>& batches) {
  Sums sums;
  for (const auto& [key, value] : shape.InputOf(0).At(batches.back())) sums[key] += value;
  Sums counts;
  for (const auto& [key, sum] : sums) ++counts["last digit " + std::to_string(sum % 3)];
  return LinesOf(counts);
}

constexpr int kCopies = 40;

std::vector<Record> CopiesOf(const Record& record) {
  std::vector<Record> copies;
  for (int i = 0; i < kCopies; ++i) {
    copies.emplace_back(record.first + "#" + std::to_string(i), record.second);
  }
  return copies;
}

Record WithoutCopy(const Record& sum) {
  return {sum.first.substr(0, sum.first.find('#')), sum.second};
}

// Map outputs of many parts, which take their time.
DStream<std::string> LargeShuffle(StreamingContext& ssc, const Shape& shape,
                                  const Counter& /*counter*/) {
  return shape.InputOf(0)
      .In(ssc)
      .FlatMap(Fn<&CopiesOf>)
      .ReduceByKey(std::plus<>(), shape.reduce_partitions)
      .Map(Fn<&WithoutCopy>)
      .ReduceByKey(std::plus<>(), shape.map_partitions)
      .Map(Fn<&LineOf>);
}

Lines ExpectedLargeShuffle(const Shape& shape, const std::vector<Time>& batches) {
  Sums sums;
  for (const auto& [key, value] : shape.InputOf(0).At(batches.back())) {
    sums[key] += value * kCopies;
  }
  return LinesOf(sums);
}

DStream<std::string> Join(StreamingContext& ssc, const Shape& shape, const Counter& /*counter*/) {
  auto left = shape.InputOf(0).In(ssc).ReduceByKey(std::plus<>(), shape.reduce_partitions);
  auto right = shape.InputOf(1).In(ssc);
  return left.Join(right, shape.reduce_partitions + 1)
      .Map([](const std::pair<std::string, std::pair<int64_t, int64_t>>& both) {
        return both.first + "=" + std::to_string(both.second.first) + "," +
               std::to_string(both.second.second);
      });
}

Lines ExpectedJoin(const Shape& shape, const std::vector<Time>& batches) {
  Sums left;
  for (const auto& [key, value] : shape.InputOf(0).At(batches.back())) left[key] += value;
  Lines lines;
  for (const auto& [key, value] : shape.InputOf(1).At(batches.back())) {
    if (!left.contains(key)) continue;
    lines.push_back(key + "=" + std::to_string(left[key]) + "," + std::to_string(value));
  }
  return lines;
}

constexpr int64_t kPoisonValue = 13;  // Of values by 60.

bool IsPoison(const Record& record) { return record.second % 60 == kPoisonValue; }

Record FailAtPoison(const Record& record) {
  if (IsPoison(record)) throw std::runtime_error("poison");
  return record;
}

bool HasPoison(const Shape& shape, Time time) {
  const std::vector<Record> records = shape.InputOf(0).At(time);
  return std::any_of(records.begin(), records.end(), IsPoison);
}

// While one task fails for good, others of its job are under way.
DStream<std::string> Poison(StreamingContext& ssc, const Shape& shape, const Counter& /*counter*/) {
  return shape.InputOf(0)
      .In(ssc)
      .Map(Fn<&FailAtPoison>)
      .ReduceByKey(std::plus<>(), shape.reduce_partitions)
      .Map(Fn<&LineOf>);
}

DStream<std::string> KeptPoison(StreamingContext& ssc, const Shape& shape,
                                const Counter& /*counter*/) {
  auto records = shape.InputOf(0).In(ssc).Map(Fn<&FailAtPoison>);
  records.Persist();
  return records.ReduceByKey(std::plus<>(), shape.reduce_partitions).Map(Fn<&LineOf>);
}

// -- Windows --------------------------------------------------------------------------------------

std::span<const Time> LastWindow(const std::vector<Time>& batches) {
  const size_t length = std::min<size_t>(kWindowBatches, batches.size());
  return std::span(batches).last(length);
}

DStream<std::string> MaxOfWindow(StreamingContext& ssc, const Shape& shape,
                                 const Counter& /*counter*/) {
  return shape.InputOf(0)
      .In(ssc)
      .ReduceByKeyAndWindow([](int64_t a, int64_t b) { return std::max(a, b); },
                            kWindowBatches * shape.batch_interval, shape.batch_interval,
                            shape.reduce_partitions)
      .Map(Fn<&LineOf>);
}

Lines ExpectedMaxOfWindow(const Shape& shape, const std::vector<Time>& batches) {
  Sums largest;
  for (const Time time : LastWindow(batches)) {
    for (const auto& [key, value] : shape.InputOf(0).At(time)) {
      largest[key] = std::max(largest.contains(key) ? largest[key] : value, value);
    }
  }
  return LinesOf(largest);
}

// Its batches are kept on workers, and some are saved.
DStream<std::string> WindowOfKept(StreamingContext& ssc, const Shape& shape,
                                  const Counter& /*counter*/) {
  auto sums = shape.InputOf(0).In(ssc).ReduceByKey(std::plus<>(), shape.reduce_partitions);
  sums.Persist();
  sums.Checkpoint(shape.checkpoint_interval());
  return sums.Window(kWindowBatches * shape.batch_interval).Map(Fn<&LineOf>);
}

Lines ExpectedWindowOfKept(const Shape& shape, const std::vector<Time>& batches) {
  Lines lines;
  for (const Time time : LastWindow(batches)) {
    for (std::string& line : ExpectedSumByKey(shape, {time})) lines.push_back(std::move(line));
  }
  return lines;
}

// -- State ----------------------------------------------------------------------------------------

std::optional<int64_t> UpdateSum(const std::string& /*key*/, std::span<const int64_t> values,
                                 std::optional<int64_t> sum) {
  for (const int64_t value : values) {
    if (value % 10 == kForgetValue) return std::nullopt;
  }
  for (const int64_t value : values) sum = sum.value_or(0) + value;
  return sum;
}

DStream<std::string> UpdateState(StreamingContext& ssc, const Shape& shape,
                                 const Counter& /*counter*/) {
  return shape.InputOf(0)
      .In(ssc)
      .UpdateStateByKey<int64_t>(Fn<&UpdateSum>, shape.reduce_partitions)
      .Checkpoint(shape.checkpoint_interval())
      .Map(Fn<&LineOf>);
}

Lines ExpectedUpdateState(const Shape& shape, const std::vector<Time>& batches) {
  Sums sums;
  for (const Time time : batches) {
    std::map<std::string, std::vector<int64_t>> values;
    for (const auto& [key, value] : shape.InputOf(0).At(time)) values[key].push_back(value);
    for (const auto& [key, of_key] : values) {
      const bool forgets = std::any_of(of_key.begin(), of_key.end(),
                                       [](int64_t value) { return value % 10 == kForgetValue; });
      if (forgets) {
        sums.erase(key);
        continue;
      }
      for (const int64_t value : of_key) sums[key] += value;
    }
  }
  return LinesOf(sums);
}

template <class Stream>
auto RunningSums(const Stream& records, const Shape& shape) {
  auto spec = StateSpec([](std::string key, std::optional<int64_t> value, State<int64_t>& state) {
                state.Update(state.GetOption().value_or(0) + *value);
                return Record(std::move(key), state.Get());
              }).NumPartitions(shape.reduce_partitions);
  return records.ReduceByKey(std::plus<>(), shape.map_partitions)
      .MapWithState(spec)
      .Checkpoint(shape.checkpoint_interval());
}

// By batch.
std::vector<std::vector<Record>> ExpectedRunningSums(const Shape& shape,
                                                     const std::vector<Time>& batches) {
  Sums sums;
  std::vector<std::vector<Record>> of_batches;
  for (const Time time : batches) {
    Sums of_batch;
    for (const auto& [key, value] : shape.InputOf(0).At(time)) of_batch[key] += value;
    std::vector<Record>& records = of_batches.emplace_back();
    for (const auto& [key, sum] : of_batch) records.emplace_back(key, sums[key] += sum);
  }
  return of_batches;
}

DStream<std::string> MapState(StreamingContext& ssc, const Shape& shape, const Counter& counter) {
  return RunningSums(Counted(shape.InputOf(0).In(ssc), counter), shape).Map(Fn<&LineOf>);
}

Lines ExpectedMapState(const Shape& shape, const std::vector<Time>& batches) {
  Lines lines;
  const std::vector<std::vector<Record>> of_batches = ExpectedRunningSums(shape, batches);
  if (of_batches.empty()) return lines;
  for (const Record& record : of_batches.back()) lines.push_back(LineOf(record));
  return lines;
}

// Windows look back at what was made of a state that has moved on.
DStream<std::string> WindowOfState(StreamingContext& ssc, const Shape& shape,
                                   const Counter& /*counter*/) {
  return RunningSums(shape.InputOf(0).In(ssc), shape)
      .Map(Fn<&LineOf>)
      .Window(kWindowBatches * shape.batch_interval);
}

Lines ExpectedWindowOfState(const Shape& shape, const std::vector<Time>& batches) {
  Lines lines;
  const std::vector<std::vector<Record>> of_batches = ExpectedRunningSums(shape, batches);
  const size_t length = LastWindow(batches).size();
  for (const std::vector<Record>& of_batch : std::span(of_batches).last(length)) {
    for (const Record& record : of_batch) lines.push_back(LineOf(record));
  }
  return lines;
}

// A state that is made of another one, and of what that one was longer ago.
DStream<std::string> SlidingSumOfState(StreamingContext& ssc, const Shape& shape,
                                       const Counter& /*counter*/) {
  return RunningSums(shape.InputOf(0).In(ssc), shape)
      .ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), kWindowBatches * shape.batch_interval,
                            shape.batch_interval, shape.reduce_partitions,
                            [](const Record& sum) { return sum.second != 0; })
      .Checkpoint(2 * shape.checkpoint_interval())
      .Map(Fn<&LineOf>);
}

Lines ExpectedSlidingSumOfState(const Shape& shape, const std::vector<Time>& batches) {
  Sums sums;
  const std::vector<std::vector<Record>> of_batches = ExpectedRunningSums(shape, batches);
  const size_t length = LastWindow(batches).size();
  for (const std::vector<Record>& of_batch : std::span(of_batches).last(length)) {
    for (const auto& [key, value] : of_batch) sums[key] += value;
  }
  std::erase_if(sums, [](const auto& sum) { return sum.second == 0; });
  return LinesOf(sums);
}

DStream<std::string> SlidingSum(StreamingContext& ssc, const Shape& shape,
                                const Counter& /*counter*/) {
  return shape.InputOf(0)
      .In(ssc)
      .ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), kWindowBatches * shape.batch_interval,
                            shape.batch_interval, shape.reduce_partitions,
                            [](const Record& sum) { return sum.second != 0; })
      .Checkpoint(shape.checkpoint_interval())
      .Map(Fn<&LineOf>);
}

Lines ExpectedSlidingSum(const Shape& shape, const std::vector<Time>& batches) {
  Sums sums;
  for (const Time time : LastWindow(batches)) {
    for (const auto& [key, value] : shape.InputOf(0).At(time)) sums[key] += value;
  }
  std::erase_if(sums, [](const auto& sum) { return sum.second == 0; });
  return LinesOf(sums);
}

}  // namespace

const std::vector<Program>& Programs() {
  static const std::vector<Program>& programs = *new std::vector<Program>{
      {.name = "sum_by_key", .counts = true, .declare = SumByKey, .expected = ExpectedSumByKey},
      {.name = "count_of_sums",
       .counts = true,
       .declare = CountOfSums,
       .expected = ExpectedCountOfSums},
      {.name = "large_shuffle", .declare = LargeShuffle, .expected = ExpectedLargeShuffle},
      {.name = "join", .inputs = 2, .declare = Join, .expected = ExpectedJoin},
      {.name = "poison", .declare = Poison, .expected = ExpectedSumByKey, .fails = HasPoison},
      {.name = "kept_poison",
       .declare = KeptPoison,
       .expected = ExpectedSumByKey,
       .fails = HasPoison},
      {.name = "max_of_window", .declare = MaxOfWindow, .expected = ExpectedMaxOfWindow},
      {.name = "window_of_kept", .declare = WindowOfKept, .expected = ExpectedWindowOfKept},
      {.name = "update_state",
       .accumulates = true,
       .keeps_state = true,
       .declare = UpdateState,
       .expected = ExpectedUpdateState},
      {.name = "map_state",
       .accumulates = true,
       .keeps_state = true,
       .counts = true,
       .declare = MapState,
       .expected = ExpectedMapState},
      {.name = "sliding_sum",
       .keeps_state = true,
       .declare = SlidingSum,
       .expected = ExpectedSlidingSum},
      {.name = "window_of_state",
       .accumulates = true,
       .keeps_state = true,
       .declare = WindowOfState,
       .expected = ExpectedWindowOfState},
      {.name = "sliding_sum_of_state",
       .accumulates = true,
       .keeps_state = true,
       .declare = SlidingSumOfState,
       .expected = ExpectedSlidingSumOfState},
  };
  return programs;
}

}  // namespace millrace::sim
