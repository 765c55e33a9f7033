#include "executor/operator/state_ops.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/fake_task.h"

namespace millrace::internal {
namespace {

using std::string;
using std::string_view;
using ::testing::HasSubstr;

template <class K, class V>
using Pairs = std::vector<std::pair<K, V>>;

// A state partition and the batches that update it.
template <class Op>
class StateRun {
 public:
  explicit StateRun(string params) : params_(std::move(params)) {}

  // Runs one batch, 1000 ms after the one before; inputs are made by `add_inputs(task, node)`.
  template <class AddInputs>
  std::vector<Owned<typename Op::Out>> Batch(const AddInputs& add_inputs) {
    now_ms_ += 1000;
    FakeTask task;
    FakeNode& node = task.Node<Op>(params_);
    node.state = &state_;
    node.batch_time = now_ms_;
    add_inputs(task, node);
    const bool succeeded = task.RunRoot(node);
    error_ = task.status();
    EXPECT_EQ(succeeded, error_.ok());
    if (!succeeded) {
      if (state_ != nullptr) state_->Abort();
      return {};
    }
    state_->Commit();
    std::vector<Owned<typename Op::Out>> records;
    Decoder decoder(node.cached);
    while (!decoder.done()) Decode(decoder, records.emplace_back());
    EXPECT_EQ(static_cast<int64_t>(records.size()), node.cached_records);
    return records;
  }

  void SetParams(string params) { params_ = std::move(params); }
  void Abort() { state_->Abort(); }
  int64_t now_ms() const { return now_ms_; }
  const absl::Status& error() const { return error_; }

 private:
  string params_;
  std::unique_ptr<StatePartition> state_;
  int64_t now_ms_ = 0;
  absl::Status error_;
};

// What a shuffle would deliver.
template <class K, class V>
FakeNode& Arrived(FakeTask& task, const Pairs<Owned<K>, Owned<V>>& pairs) {
  Encoder encoder;
  for (const auto& [key, value] : pairs) {
    encoder.PutFixed(StableHash(key));
    Encode(encoder, key);
    Encode(encoder, value);
  }
  FakeNode& read = task.Node<ShuffleReadOperator<K, V>>();
  read.read_buffers = {Buffer(encoder.ToString())};
  return read;
}

template <class T>
std::vector<T> Sorted(std::vector<T> records) {
  std::sort(records.begin(), records.end());
  return records;
}

string WithTimeout(int64_t timeout_ms) { return EncodeToString(timeout_ms); }

template <class V, class S, class F>
class MapRun : public StateRun<MapWithStateOperator<string_view, V, S, F, false>> {
 public:
  explicit MapRun(F /*f*/, int64_t timeout_ms = -1)
      : StateRun<MapWithStateOperator<string_view, V, S, F, false>>(WithTimeout(timeout_ms)) {}

  auto Records(const Pairs<string, Owned<V>>& records,
               const std::optional<Pairs<string, S>>& initial = std::nullopt) {
    return this->Batch([&](FakeTask& task, FakeNode& node) {
      node.AddInput(Arrived<string_view, V>(task, records));
      if (initial.has_value()) node.AddInput(Arrived<string_view, S>(task, *initial));
    });
  }
};
template <class V, class S, class F>
MapRun<V, S, F> MakeMapRun(F f, int64_t timeout_ms = -1) {
  return MapRun<V, S, F>(f, timeout_ms);
}

using Totals = Pairs<string, int>;

std::pair<string, int> AddToTotal(const string& key, std::optional<int> value, State<int>& state) {
  const int total = state.GetOption().value_or(0) + value.value_or(0);
  state.Update(total);
  return {key, total};
}
const auto add_to_total = [](const string& key, std::optional<int> value, State<int>& state) {
  return AddToTotal(key, value, state);
};

TEST(MapWithStateTest, IsCalledOnceARecordInOrderWithinAKey) {
  auto run = MakeMapRun<int, int>(add_to_total);
  EXPECT_EQ(run.Records({{"a", 1}, {"b", 10}, {"a", 2}}), (Totals{{"a", 1}, {"b", 10}, {"a", 3}}));
  EXPECT_EQ(run.Records({{"b", 5}}), (Totals{{"b", 15}}));
  EXPECT_EQ(run.Records({}), Totals{});
  EXPECT_EQ(run.Records({{"a", 1}}), (Totals{{"a", 4}}));
}

TEST(MapWithStateTest, TheInitialStateIsThereBeforeTheFirstRecord) {
  auto run = MakeMapRun<int, int>(add_to_total);
  EXPECT_EQ(run.Records({{"a", 1}, {"c", 3}}, Totals{{"a", 100}, {"b", 200}}),
            (Totals{{"a", 101}, {"c", 3}}));
  EXPECT_EQ(run.Records({{"b", 1}}), (Totals{{"b", 201}}));
}

TEST(MapWithStateTest, AnOptionalResultIsARecordWhenThereIsOne) {
  auto run = MakeMapRun<int, int>(
      [](string_view key, std::optional<int> value, State<int>& state) -> std::optional<string> {
        state.Update(*value);
        if (*value < 0) return std::nullopt;
        return string(key);
      });
  EXPECT_EQ(run.Records({{"a", 1}, {"b", -1}, {"c", 2}}), (std::vector<string>{"a", "c"}));
}

TEST(MapWithStateTest, TheFunctionMayTakeTheTimeAndTheOwnedForms) {
  auto run = MakeMapRun<string_view, string>(
      [](Time time, string key, std::optional<string> value, State<string>& state) {
        state.Update(state.GetOption().value_or("") + *value);
        return std::tuple(time.ms(), key, state.Get());
      });
  using Out = std::vector<std::tuple<int64_t, string, string>>;
  EXPECT_EQ(run.Records({{"k", "x"}}), (Out{{1000, "k", "x"}}));
  EXPECT_EQ(run.Records({{"k", "y"}}), (Out{{2000, "k", "xy"}}));
}

TEST(MapWithStateTest, ARemovedKeyStartsAnew) {
  auto run = MakeMapRun<int, int>(
      [](const string& key, std::optional<int> value, State<int>& state) -> std::pair<string, int> {
        if (*value == 0) {
          if (state.Exists()) state.Remove();
          return {key, -1};
        }
        return AddToTotal(key, value, state);
      });
  EXPECT_EQ(run.Records({{"a", 1}, {"a", 0}, {"a", 5}}), (Totals{{"a", 1}, {"a", -1}, {"a", 5}}));
  EXPECT_EQ(run.Records({{"a", 0}}), (Totals{{"a", -1}}));
  EXPECT_EQ(run.Records({{"a", 2}}), (Totals{{"a", 2}}));
}

TEST(MapWithStateTest, AFailedBatchLeavesTheStateAsItWas) {
  auto run = MakeMapRun<int, int>(
      [](const string& key, std::optional<int> value, State<int>& state) -> std::pair<string, int> {
        if (*value < 0) throw std::runtime_error("negative");
        return AddToTotal(key, value, state);
      });
  run.Records({{"a", 1}});
  EXPECT_THROW(run.Records({{"a", 10}, {"b", 10}, {"a", -1}}), std::runtime_error);
  run.Abort();  // As the task runner does.
  EXPECT_EQ(run.Records({{"a", 2}, {"b", 2}}), (Totals{{"a", 3}, {"b", 2}}));
}

const auto tell_timeouts = [](const string& key, std::optional<int> value, State<int>& state) {
  if (state.IsTimingOut()) return std::pair(key + " timed out", state.Get());
  state.Update(*value);
  return std::pair(key, *value);
};

TEST(MapWithStateTest, AKeyTimesOutInTheFirstBatchAfterMoreThanTheTimeout) {
  auto run = MakeMapRun<int, int>(tell_timeouts, /*timeout_ms=*/2000);
  run.Records({{"a", 1}});                                   // 1000
  EXPECT_EQ(run.Records({{"b", 2}}), (Totals{{"b", 2}}));    // 2000
  EXPECT_EQ(run.Records({}), Totals{});                      // 3000: idle for 2000, no more
  EXPECT_EQ(run.Records({}), (Totals{{"a timed out", 1}}));  // 4000
  EXPECT_EQ(run.Records({}), (Totals{{"b timed out", 2}}));  // 5000
  EXPECT_EQ(run.Records({}), Totals{});                      // 6000
}

TEST(MapWithStateTest, ARecordKeepsItsKeyAliveInTheVeryBatch) {
  auto run = MakeMapRun<int, int>(tell_timeouts, /*timeout_ms=*/1000);
  run.Records({{"a", 1}});
  run.Records({});
  EXPECT_EQ(run.Records({{"a", 3}}), (Totals{{"a", 3}}));
  EXPECT_EQ(run.Records({}), Totals{});
  EXPECT_EQ(run.Records({}), (Totals{{"a timed out", 3}}));
}

TEST(MapWithStateTest, ARecordThatChangesNothingKeepsItsKeyAliveToo) {
  auto run = MakeMapRun<int, int>(
      [](const string& key, std::optional<int> value, State<int>& state) {
        if (state.IsTimingOut()) return key + " timed out";
        if (!state.Exists()) state.Update(*value);
        return key;
      },
      /*timeout_ms=*/1000);
  run.Records({{"a", 1}});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(run.Records({{"a", 1}}), (std::vector<string>{"a"}));
  run.Records({});
  EXPECT_EQ(run.Records({}), (std::vector<string>{"a timed out"}));
}

TEST(MapWithStateTest, InitialKeysAreIdleFromTheFirstBatchOn) {
  auto run = MakeMapRun<int, int>(tell_timeouts, /*timeout_ms=*/1000);
  EXPECT_EQ(run.Records({}, Totals{{"a", 7}}), Totals{});
  EXPECT_EQ(run.Records({}), Totals{});
  EXPECT_EQ(run.Records({}), (Totals{{"a timed out", 7}}));
}

TEST(MapWithStateTest, AnUpdateWhileTimingOutFailsTheTask) {
  auto run = MakeMapRun<int, int>(
      [](const string&, std::optional<int> value, State<int>& state) {
        state.Update(value.value_or(0));
        return 0;
      },
      /*timeout_ms=*/0);
  run.Records({{"a", 1}});
  EXPECT_THROW(run.Records({}), StateMisuse);
}

TEST(MapWithStateTest, ARemovedKeyDoesNotTimeOut) {
  auto run = MakeMapRun<int, int>(
      [](const string& key, std::optional<int> value, State<int>& state) {
        if (state.IsTimingOut()) return key + " timed out";
        if (*value == 0) {
          state.Remove();
        } else {
          state.Update(*value);
        }
        return key;
      },
      /*timeout_ms=*/1000);
  run.Records({{"a", 1}, {"b", 1}});
  run.Records({{"a", 0}});
  EXPECT_EQ(run.Records({}), (std::vector<string>{"b timed out"}));
  EXPECT_EQ(run.Records({}), std::vector<string>{});
}

TEST(MapWithStateTest, ManyKeysTimeOutOldestFirst) {
  auto run = MakeMapRun<int, int>(tell_timeouts, /*timeout_ms=*/500);
  Totals many;
  for (int i = 0; i < 3000; ++i) many.emplace_back(std::to_string(i), i);
  run.Records(many);
  const auto timed_out = run.Records({});
  ASSERT_EQ(timed_out.size(), 3000u);
  for (int i = 0; i < 3000; ++i) EXPECT_EQ(timed_out[static_cast<size_t>(i)].second, i);
}

TEST(MapWithStateTest, SnapshotsHoldEveryKey) {
  const auto update = [](const string&, std::optional<int> value, State<int>& state) {
    if (*value == 0) {
      state.Remove();
    } else {
      state.Update(*value);
    }
  };
  using Op =
      MapWithStateOperator<string_view, int, int, std::remove_const_t<decltype(update)>, true>;
  StateRun<Op> run(WithTimeout(-1));
  const auto batch = [&run](const Totals& records) {
    Totals snapshot;
    for (const auto& record : run.Batch([&](FakeTask&task, FakeNode&node) {
           node.AddInput(Arrived<string_view, int>(task, records));
         })) {
      snapshot.push_back(std::get<1>(record));
    }
    return Sorted(snapshot);
  };
  EXPECT_EQ(batch({{"a", 1}, {"b", 2}}), (Totals{{"a", 1}, {"b", 2}}));
  EXPECT_EQ(batch({{"a", 0}, {"c", 3}}), (Totals{{"b", 2}, {"c", 3}}));
  EXPECT_EQ(batch({}), (Totals{{"b", 2}, {"c", 3}}));
}

template <class V, class S, class F>
class UpdateRun : public StateRun<UpdateStateOperator<string_view, V, S, F>> {
 public:
  explicit UpdateRun(F /*f*/) : StateRun<UpdateStateOperator<string_view, V, S, F>>("") {}

  // No records: the batch has no data set.
  auto Records(const std::optional<Pairs<string, Owned<V>>>& records,
               const std::optional<Pairs<string, S>>& initial = std::nullopt) {
    return Sorted(this->Batch([&](FakeTask& task, FakeNode& node) {
      if (records.has_value()) node.AddInput(Arrived<string_view, V>(task, *records));
      if (initial.has_value()) node.AddInput(Arrived<string_view, S>(task, *initial));
    }));
  }
};
template <class V, class S, class F>
UpdateRun<V, S, F> MakeUpdateRun(F f) {
  return UpdateRun<V, S, F>(f);
}

const auto sum_or_drop = [](const string& /*key*/, std::span<const int> values,
                            std::optional<int> state) -> std::optional<int> {
  int total = state.value_or(0);
  for (const int value : values) {
    if (value == 0) return std::nullopt;
    total += value;
  }
  return total;
};

TEST(UpdateStateTest, TheOutputIsEveryKeyWithItsState) {
  auto run = MakeUpdateRun<int, int>(sum_or_drop);
  EXPECT_EQ(run.Records(Totals{{"a", 1}, {"b", 2}, {"a", 3}}), (Totals{{"a", 4}, {"b", 2}}));
  EXPECT_EQ(run.Records(Totals{{"c", 5}}), (Totals{{"a", 4}, {"b", 2}, {"c", 5}}));
  EXPECT_EQ(run.Records(Totals{}), (Totals{{"a", 4}, {"b", 2}, {"c", 5}}));
  EXPECT_EQ(run.Records(std::nullopt), (Totals{{"a", 4}, {"b", 2}, {"c", 5}}));
}

TEST(UpdateStateTest, NoStateDropsTheKey) {
  auto run = MakeUpdateRun<int, int>(sum_or_drop);
  run.Records(Totals{{"a", 1}, {"b", 2}});
  EXPECT_EQ(run.Records(Totals{{"a", 0}, {"new", 0}}), (Totals{{"b", 2}}));
  EXPECT_EQ(run.Records(Totals{{"a", 7}}), (Totals{{"a", 7}, {"b", 2}}));
}

TEST(UpdateStateTest, InitialKeysAreUpdatedFromTheFirstBatchOn) {
  const auto count_calls = [](const string& /*key*/, std::span<const int> values,
                              std::optional<int> state) -> std::optional<int> {
    return state.value_or(0) + 1 + 100 * static_cast<int>(values.size());
  };
  auto run = MakeUpdateRun<int, int>(count_calls);
  EXPECT_EQ(run.Records(Totals{{"a", 1}}, Totals{{"a", 10}, {"b", 20}, {"b", 30}}),
            (Totals{{"a", 111}, {"b", 31}}));
}

TEST(UpdateStateTest, TheFunctionMayTakeTheTimeAndTheOwnedForms) {
  auto run = MakeUpdateRun<string_view, string>(
      [](Time time, const string& key, std::span<const string> values,
         std::optional<string> state) -> std::optional<string> {
        string all = state.value_or(std::to_string(time.ms()) + key);
        for (const string& value : values) all += value;
        return all;
      });
  EXPECT_EQ(run.Records(Pairs<string, string>{{"k", "x"}, {"k", "y"}}),
            (Pairs<string, string>{{"k", "1000kxy"}}));
}

TEST(UpdateStateTest, ValuesMayBeBools) {
  auto run = MakeUpdateRun<bool, int>([](string_view, std::span<const bool> values,
                                         std::optional<int> state) -> std::optional<int> {
    return state.value_or(0) + static_cast<int>(std::count(values.begin(), values.end(), true));
  });
  EXPECT_EQ(run.Records(Pairs<string, bool>{{"k", true}, {"k", false}, {"k", true}}),
            (Totals{{"k", 2}}));
}

TEST(UpdateStateTest, AFailedBatchLeavesTheStateAsItWas) {
  auto run = MakeUpdateRun<int, int>([](const string&, std::span<const int> values,
                                        std::optional<int> state) -> std::optional<int> {
    int total = state.value_or(0);
    for (const int value : values) {
      if (value < 0) throw std::runtime_error("negative");
      total += value;
    }
    return total;
  });
  run.Records(Totals{{"a", 1}, {"b", 1}});
  EXPECT_THROW(run.Records(Totals{{"a", 5}, {"b", -1}, {"c", 1}}), std::runtime_error);
  run.Abort();
  EXPECT_EQ(run.Records(Totals{{"a", 1}}), (Totals{{"a", 2}, {"b", 1}}));
}

string Leaving(uint32_t count) { return EncodeToString(count); }

using Window = WindowStateOperator<string_view, int, std::plus<>, std::minus<>, KeepAll>;

class WindowStateTest : public ::testing::Test {
 protected:
  Totals Slide(const std::vector<Totals>& leaving, const std::vector<Totals>& coming) {
    run_.SetParams(Leaving(static_cast<uint32_t>(leaving.size())));
    return Sorted(run_.Batch([&](FakeTask& task, FakeNode& node) {
      for (const Totals& batch : leaving) node.AddInput(Arrived<string_view, int>(task, batch));
      for (const Totals& batch : coming) node.AddInput(Arrived<string_view, int>(task, batch));
    }));
  }
  StateRun<Window> run_{Leaving(0)};
};

TEST_F(WindowStateTest, AddsWhatComesAndTakesOutWhatLeaves) {
  EXPECT_EQ(Slide({}, {{{"a", 1}}}), (Totals{{"a", 1}}));
  EXPECT_EQ(Slide({}, {{{"a", 2}, {"b", 5}}}), (Totals{{"a", 3}, {"b", 5}}));
  EXPECT_EQ(Slide({{{"a", 1}}}, {{{"c", 7}}}), (Totals{{"a", 2}, {"b", 5}, {"c", 7}}));
  // Keys stay once they were seen.
  EXPECT_EQ(Slide({{{"a", 2}, {"b", 5}}}, {{}}), (Totals{{"a", 0}, {"b", 0}, {"c", 7}}));
}

TEST_F(WindowStateTest, ManyBatchesASlideAreCombinedFirst) {
  EXPECT_EQ(Slide({}, {{{"a", 1}}, {{"a", 2}}, {{"b", 1}}}), (Totals{{"a", 3}, {"b", 1}}));
  EXPECT_EQ(Slide({{{"a", 1}}, {{"a", 2}}}, {{{"a", 10}}, {{"a", 20}}}),
            (Totals{{"a", 30}, {"b", 1}}));
}

TEST_F(WindowStateTest, AKeyThatWasNeverInTheWindowCannotLeaveIt) {
  Slide({}, {{{"a", 1}}});
  Slide({{{"never seen", 1}}}, {{}});
  EXPECT_EQ(run_.error().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(string(run_.error().message()), HasSubstr("hash"));
}

TEST(WindowStateFilterTest, WhatTheFilterDropsIsGone) {
  const auto positive = [](const std::pair<string_view, int>& pair) { return pair.second > 0; };
  using Op = WindowStateOperator<string_view, int, std::plus<>, std::minus<>,
                                 std::remove_const_t<decltype(positive)>>;
  StateRun<Op> run(Leaving(0));
  const auto slide = [&run](const std::optional<Totals>& leaving, const Totals& coming) {
    run.SetParams(Leaving(leaving.has_value() ? 1 : 0));
    return Sorted(run.Batch([&](FakeTask& task, FakeNode& node) {
      if (leaving.has_value()) node.AddInput(Arrived<string_view, int>(task, *leaving));
      node.AddInput(Arrived<string_view, int>(task, coming));
    }));
  };
  EXPECT_EQ(slide(std::nullopt, {{"a", 1}, {"b", 2}}), (Totals{{"a", 1}, {"b", 2}}));
  EXPECT_EQ(slide(Totals{{"a", 1}}, {{"b", 1}}), (Totals{{"b", 3}}));
  EXPECT_EQ(slide(Totals{{"a", 4}}, {}), (Totals{{"b", 3}})) << "a left already";
  EXPECT_EQ(slide(Totals{{"b", 3}}, {{"a", 9}}), (Totals{{"a", 9}}));
}

TEST(WindowStateModelTest, AgreesWithRecomputedWindows) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    std::mt19937 random(seed);
    const size_t length = 1 + random() % 5;
    std::vector<Totals> batches;
    std::map<string, int> seen;
    StateRun<Window> run(Leaving(0));
    for (size_t t = 0; t < 30; ++t) {
      std::map<string, int> batch;
      for (unsigned i = random() % 50; i > 0; --i) {
        batch[std::to_string(random() % 20)] += static_cast<int>(random() % 10);
      }
      batches.emplace_back(batch.begin(), batch.end());
      const bool is_full = t >= length;
      run.SetParams(Leaving(is_full ? 1 : 0));
      const auto result = Sorted(run.Batch([&](FakeTask& task, FakeNode& node) {
        if (is_full) node.AddInput(Arrived<string_view, int>(task, batches[t - length]));
        node.AddInput(Arrived<string_view, int>(task, batches[t]));
      }));
      for (auto& [key, total] : seen) total = 0;
      for (const auto& [key, value] : batches[t]) seen[key] = 0;
      for (size_t i = is_full ? t - length + 1 : 0; i <= t; ++i) {
        for (const auto& [key, value] : batches[i]) seen[key] += value;
      }
      ASSERT_EQ(result, Totals(seen.begin(), seen.end())) << "seed " << seed << " batch " << t;
    }
  }
}

}  // namespace
}  // namespace millrace::internal
