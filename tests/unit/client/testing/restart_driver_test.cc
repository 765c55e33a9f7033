// A driver that goes on from a checkpoint makes of every later batch what the driver before it
// would have made of it.
#include <millrace/log_stream.h>
#include <millrace/log_writer.h>
#include <millrace/testing.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "client/local/streaming_core.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_dir.h"

namespace millrace::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

using Pair = std::pair<std::string, int64_t>;
using Updated = std::optional<int64_t>;
// What a program's output had at each time.
using Seen = std::map<int64_t, std::vector<std::string>>;
using Program = std::function<StreamOutput<std::string>(StreamHarness&)>;

constexpr int kBatches = 27;

// Keys come and go; some batches have nothing, some no data set.
Batches<Pair> Words() {
  std::vector<std::vector<Pair>> batches(kBatches);
  for (int i = 0; i < kBatches; ++i) {
    if (i % 5 == 3) continue;
    for (int j = 0; j <= i % 4; ++j) {
      batches[static_cast<size_t>(i)].emplace_back("key" + std::to_string((i * 3 + j) % 7), i + j);
    }
  }
  Batches<Pair> words(std::move(batches));
  words.list[6] = std::nullopt;
  return words;
}

Updated Sum(const std::string& /*key*/, std::span<const int64_t> values, Updated sum) {
  for (const int64_t value : values) sum = sum.value_or(0) + value;
  return sum;
}

std::string Text(const Pair& pair) { return pair.first + "=" + std::to_string(pair.second); }

template <class Stream>
StreamOutput<std::string> TextOf(StreamHarness& h, const Stream& stream) {
  return h.Output(stream.Map(Fn<&Text>));
}

Seen Sorted(const StreamOutput<std::string>& output) {
  Seen seen;
  for (size_t i = 0; i < output.times().size(); ++i) {
    std::vector<std::string> records = output.batches()[i];
    std::sort(records.begin(), records.end());
    seen[output.times()[i].ms()] = std::move(records);
  }
  return seen;
}

// Runs the program, with a new driver behind each of the batches `restarts`.
Seen RunWithRestarts(const Program& program, const std::vector<int>& restarts) {
  const TempDir dir;
  StreamHarness h(1s, {.checkpoint_dir = dir.path()});
  const StreamOutput<std::string> output = program(h);
  int done = 0;
  for (const int restart : restarts) {
    const absl::Status ran = h.RunBatches(restart - done);
    EXPECT_TRUE(ran.ok()) << ran;
    const absl::Status restarted = h.RestartDriver();
    EXPECT_TRUE(restarted.ok()) << restarted;
    done = restart;
  }
  const absl::Status ran = h.RunBatches(kBatches - done);
  EXPECT_TRUE(ran.ok()) << ran;
  return Sorted(output);
}

struct NamedProgram {
  std::string name;
  Program program;
};

class RestartDriverTest : public ::testing::TestWithParam<NamedProgram> {};

// Before the first state is saved, right when it is, and behind it; twice in a row, and many times.
TEST_P(RestartDriverTest, LaterBatchesAreWhatTheyWouldHaveBeen) {
  const Seen expected = RunWithRestarts(GetParam().program, {});
  EXPECT_EQ(expected.rbegin()->first, kBatches * 1000);
  for (const std::vector<int>& restarts :
       std::vector<std::vector<int>>{{4}, {10}, {13, 13}, {1, 11, 20, 21, 26}}) {
    EXPECT_EQ(RunWithRestarts(GetParam().program, restarts), expected)
        << ::testing::PrintToString(restarts);
  }
}

std::vector<NamedProgram> Programs() {
  return {
      {"Stateless",
       [](StreamHarness& h) { return TextOf(h, h.Input(Words()).ReduceByKey(std::plus<>())); }},
      {"UpdateStateByKey",
       [](StreamHarness& h) {
         return TextOf(h, h.Input(Words()).UpdateStateByKey<int64_t>(Fn<&Sum>));
       }},
      {"UpdateStateByKeyFromInitialState",
       [](StreamHarness& h) {
         auto initial = h.context().context().Parallelize<Pair>({{"key1", 100}, {"other", 7}});
         return TextOf(h, h.Input(Words()).UpdateStateByKey<int64_t>(Fn<&Sum>, 3, initial));
       }},
      {"UpdateStateByKeySavedOften",
       [](StreamHarness& h) {
         return TextOf(
             h, h.Input(Words()).UpdateStateByKey<int64_t>(Fn<&Sum>).Checkpoint(2s).Name("sums"));
       }},
      {"MapWithStateAndItsTimeouts",
       [](StreamHarness& h) {
         auto initial = h.context().context().Parallelize<Pair>({{"key1", 100}, {"other", 7}});
         auto spec = StateSpec([](std::string key, std::optional<int64_t> value,
                                  State<int64_t>& state) -> std::optional<Pair> {
                       if (state.IsTimingOut()) return Pair(key + " is gone", state.Get());
                       state.Update(state.GetOption().value_or(0) + *value);
                       return Pair(key, state.Get());
                     })
                         .InitialState(initial)
                         .Timeout(3s);
         auto mapped = h.Input(Words()).MapWithState(spec);
         return TextOf(h, mapped.Union(mapped.StateSnapshots()));
       }},
      {"ReduceByKeyAndWindowWithInverse",
       [](StreamHarness& h) {
         return TextOf(
             h, h.Input(Words()).ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 4s, 1s));
       }},
      {"ReduceByKeyAndWindowWithInverseAndFilterAndGaps",
       [](StreamHarness& h) {
         return TextOf(h, h.Input(Words()).ReduceByKeyAndWindow(
                              std::plus<>(), std::minus<>(), 6s, 3s, 3,
                              [](const Pair& pair) { return pair.second != 0; }));
       }},
      {"ReduceByKeyAndWindow",
       [](StreamHarness& h) {
         return TextOf(h, h.Input(Words()).ReduceByKeyAndWindow(
                              [](int64_t a, int64_t b) { return std::max(a, b); }, 8s, 1s));
       }},
      {"WindowOfWindow",
       [](StreamHarness& h) { return TextOf(h, h.Input(Words()).Window(2s).Window(6s, 3s)); }},
      {"StateOfState",
       [](StreamHarness& h) {
         auto sums = h.Input(Words()).UpdateStateByKey<int64_t>(Fn<&Sum>).Checkpoint(6s);
         auto largest = sums.MapWithState(
             StateSpec([](std::string key, std::optional<int64_t> value, State<int64_t>& state) {
               state.Update(std::max(*value, state.GetOption().value_or(0)) + 1);
               return Pair(std::move(key), state.Get());
             }));
         return TextOf(h, largest.Checkpoint(4s));
       }},
      {"BroadcastsAndStaticDataSets",
       [](StreamHarness& h) {
         const Context& context = h.context().context();
         auto factor = context.Broadcast(int64_t{3});
         auto known = context.Parallelize<Pair>({{"key1", 1}, {"key2", 2}, {"key5", 5}}).Cache();
         Batches<Pair> words = Words();
         words.list[6] = Batch<Pair>();  // Transform wants a data set.
         auto tripled =
             h.Input(std::move(words))
                 .MapValues(BindFront(
                     [](const auto& by, int64_t value) { return by.Value() * value; }, factor));
         return TextOf(h, tripled.Transform([known](const RDD<Pair>& records) {
           return records.Join(known).MapValues(
               [](const std::pair<int64_t, int64_t>& both) { return both.first + both.second; });
         }));
       }},
  };
}

INSTANTIATE_TEST_SUITE_P(Programs, RestartDriverTest, ::testing::ValuesIn(Programs()),
                         [](const auto& info) { return info.param.name; });

TEST(RestartDriverErrorsTest, NeedsACheckpointDirectoryAndARun) {
  StreamHarness without(1s);
  without.Output(without.Input<int64_t>({{1}}));
  EXPECT_EQ(without.RestartDriver().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(without.RunBatches(1).ok());
  const absl::Status status = without.RestartDriver();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("checkpoint directory"));
}

TEST(RestartDriverErrorsTest, AccumulatorsGoOn) {
  const TempDir dir;
  StreamHarness h(1s, {.checkpoint_dir = dir.path()});
  auto sum = h.context().context().LongAccumulator("sum");
  h.Output(h.Input<int64_t>({{1, 2}, {3}, {4}})
               .Map(BindFront(
                   [](const auto& total, int64_t x) {
                     total.Add(x);
                     return x;
                   },
                   sum)));
  ASSERT_TRUE(h.RunBatches(2).ok());
  ASSERT_TRUE(h.RestartDriver().ok());
  ASSERT_TRUE(h.RunBatches(1).ok());
  EXPECT_EQ(sum.Value(), 10);
}

TEST(RestartDriverErrorsTest, ListenersHearOfTheBatchesOfBothDrivers) {
  class Listener : public StreamingListener {
   public:
    void OnBatchCompleted(const BatchInfo& info) override { times.push_back(info.batch_time); }
    std::vector<Time> times;
  };
  auto listener = std::make_shared<Listener>();
  const TempDir dir;
  {
    StreamHarness h(1s, {.checkpoint_dir = dir.path()});
    h.context().AddStreamingListener(listener);
    h.Output(h.Input<int64_t>({{1}}));
    ASSERT_TRUE(h.RunBatches(1).ok());
    ASSERT_TRUE(h.RestartDriver().ok());
    ASSERT_TRUE(h.RunBatches(2).ok());
    h.context().Stop();
  }
  EXPECT_THAT(listener->times, ::testing::IsSupersetOf({Time(2000), Time(3000)}));
}

// -- Another program in the place of the first ---------------------------------------------------

class UpgradeTest : public ::testing::Test {
 protected:
  // Runs `batches` batches of a program, in a process of its own as it were, behind what an earlier
  // one has left.
  absl::StatusOr<Seen> RunProgram(const Program& program, int batches, Conf conf = Conf()) {
    StreamHarness h(1s, {.conf = std::move(conf)});
    internal::StreamingCore& core = h.context().core();
    core.RecoverFrom({"GetOrCreate", internal::Location::Current()}, dir_.path());
    const StreamOutput<std::string> output = program(h);
    core.context()->runtime()->AdvanceClock(now_ - Time(0));
    absl::Status status = core.Start(internal::Location::Current(), /*catch_signals=*/false);
    for (int i = 0; i < batches && status.ok(); ++i) {
      now_ = now_ + 1s;
      status = core.RunBatch(now_, 1min);
    }
    if (!status.ok()) return status;
    h.context().Stop({.graceful = graceful_});
    return Sorted(output);
  }

  static StreamOutput<std::string> Sums(StreamHarness& h, const std::string& name = "") {
    auto sums = h.Input(Words()).UpdateStateByKey<int64_t>(Fn<&Sum>).Checkpoint(1s);
    if (!name.empty()) sums.Name(name);
    return TextOf(h, sums);
  }

  const TempDir dir_;
  Time now_{0};
  bool graceful_ = false;
};

TEST_F(UpgradeTest, TheSameProgramGoesOn) {
  const auto both = [](StreamHarness& h) { return Sums(h); };
  const Seen whole = RunWithRestarts(both, {});
  ASSERT_TRUE(RunProgram(both, 4).ok());
  const absl::StatusOr<Seen> rest = RunProgram(both, 3);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(*rest, Seen(whole.find(5000), whole.find(8000)));
}

TEST_F(UpgradeTest, BatchesThatCameDueMeanwhileRun) {
  const auto both = [](StreamHarness& h) { return Sums(h); };
  const Seen whole = RunWithRestarts(both, {});
  ASSERT_TRUE(RunProgram(both, 2).ok());
  now_ = now_ + 4s;
  const absl::StatusOr<Seen> rest = RunProgram(both, 1);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(*rest, Seen(whole.find(3000), whole.find(8000)));
}

TEST_F(UpgradeTest, OfALongTimeAwayTheOldestBatchesAreLeftOut) {
  const auto both = [](StreamHarness& h) {
    return TextOf(h, h.Input(Words()).UpdateStateByKey<int64_t>(Fn<&Sum>));
  };
  ASSERT_TRUE(RunProgram(both, 2).ok());
  now_ = now_ + 100h;
  const absl::StatusOr<Seen> rest = RunProgram(both, 1);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(rest->size(), 1001);
  EXPECT_EQ(rest->rbegin()->first, now_.ms());
  EXPECT_EQ(rest->rbegin()->second, rest->begin()->second);
}

// A queue cannot be read again, so all that is left of it is what was saved.
TEST_F(UpgradeTest, AGracefulStopSavesStateAsItIs) {
  std::deque<RDD<Pair>> queue;
  bool is_first = true;
  const auto sums = [&](StreamHarness& h) {
    for (int64_t i = 1; i <= 2 && is_first; ++i) {
      queue.push_back(h.context().context().Parallelize<Pair>({{"a", i}, {"b", 10 * i}}));
    }
    is_first = false;
    auto in = h.context().QueueStream(queue);
    auto updated = in.UpdateStateByKey<int64_t>(Fn<&Sum>);
    auto mapped = in.MapWithState(
        StateSpec([](const std::string&, std::optional<int64_t> value, State<int64_t>& state) {
          state.Update(state.GetOption().value_or(1000) + *value);
        }));
    auto window = in.ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 3s, 1s);
    return TextOf(h, updated.Union(mapped.StateSnapshots()).Union(window));
  };
  graceful_ = true;
  ASSERT_TRUE(RunProgram(sums, 2).ok());
  const absl::StatusOr<Seen> rest = RunProgram(sums, 2);
  ASSERT_TRUE(rest.ok()) << rest.status();
  // A window must not hold what can never leave it.
  const std::vector<std::string> saved{"a=1003", "a=3", "b=1030", "b=30"};
  EXPECT_EQ(*rest, (Seen{{3000, saved}, {4000, saved}}));
}

TEST_F(UpgradeTest, ANamedStateIsFoundWhereverItStands) {
  ASSERT_TRUE(RunProgram([](StreamHarness& h) { return Sums(h, "sums"); }, 2).ok());
  const absl::StatusOr<Seen> rest = RunProgram(
      [](StreamHarness& h) {
        auto filtered = h.Input(Words()).Filter([](const Pair& pair) { return pair.second < 0; });
        auto renamed = filtered.UpdateStateByKey<int64_t>(Fn<&Sum>).Name("sums");
        return TextOf(h, renamed.Filter([](const Pair& pair) { return pair.second >= 0; }));
      },
      1);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(*rest, (Seen{{3000, {"key0=0", "key3=1", "key4=2"}}}));
}

TEST_F(UpgradeTest, ANewStateBeginsWithNothing) {
  ASSERT_TRUE(RunProgram([](StreamHarness& h) { return Sums(h, "sums"); }, 2).ok());
  const absl::StatusOr<Seen> rest = RunProgram(
      [](StreamHarness& h) {
        Sums(h, "sums");
        return Sums(h, "more sums");
      },
      1);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(*rest, (Seen{{3000, {"key0=3", "key1=4", "key6=2"}}}));
}

TEST_F(UpgradeTest, AStateThatNobodyCarriesOnIsAnErrorAndStays) {
  ASSERT_TRUE(RunProgram([](StreamHarness& h) { return Sums(h); }, 2).ok());
  const auto other = [](StreamHarness& h) { return TextOf(h, h.Input(Words())); };
  const absl::Status status = RunProgram(other, 1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("UpdateStateByKey at restart_driver_test.cc"));
  EXPECT_THAT(status.message(), HasSubstr(".Name(\"UpdateStateByKey:"));
  EXPECT_THAT(status.message(), HasSubstr("millrace.streaming.checkpoint.allowStateLoss=true"));
  // The first program still finds all of it.
  const auto first = [](StreamHarness& h) { return Sums(h); };
  const Seen whole = RunWithRestarts(first, {});
  const absl::StatusOr<Seen> found = RunProgram(first, 1);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->rbegin()->second, whole.at(found->rbegin()->first));
  // And with the flag the other one runs.
  Conf conf;
  conf.Set("millrace.streaming.checkpoint.allowStateLoss", "true");
  const absl::StatusOr<Seen> rest = RunProgram(other, 1, conf);
  EXPECT_TRUE(rest.ok()) << rest.status();
}

TEST_F(UpgradeTest, AStateOfAnotherTypeIsAnError) {
  ASSERT_TRUE(RunProgram([](StreamHarness& h) { return Sums(h, "sums"); }, 2).ok());
  const absl::Status status =
      RunProgram(
          [](StreamHarness& h) {
            auto last = h.Input(Words())
                            .UpdateStateByKey<double>([](const std::string&,
                                                         std::span<const int64_t> values,
                                                         std::optional<double> state) {
                              return values.empty() ? state : std::optional<double>(values[0]);
                            })
                            .Name("sums");
            return TextOf(h, last.MapValues([](double x) { return static_cast<int64_t>(x); }));
          },
          1)
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("\"sums\""));
  EXPECT_THAT(status.message(), HasSubstr("(str,f64), and was saved as (str,i64)"));
}

TEST_F(UpgradeTest, AnotherBatchIntervalIsAnError) {
  ASSERT_TRUE(RunProgram([](StreamHarness& h) { return Sums(h); }, 1).ok());
  StreamHarness h(500ms);
  h.context().core().RecoverFrom({"GetOrCreate", internal::Location::Current()}, dir_.path());
  Sums(h);
  const absl::Status status = h.RunBatches(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("batches of 1000 ms"));
}

}  // namespace
}  // namespace millrace::testing
