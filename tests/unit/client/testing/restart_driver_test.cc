// A driver that goes on from a checkpoint makes of every later batch what the driver before it
// would have made of it.
#include <fcntl.h>
#include <millrace/log_stream.h>
#include <millrace/log_writer.h>
#include <millrace/testing.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <csignal>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/dstream/stream_graph.h"
#include "client/local/streaming_core.h"
#include "common/fs/atomic_output.h"
#include "common/fs/file_util.h"
#include "common/fs/local_file_system.h"
#include "common/record/codec.h"
#include "driver/checkpoint/checkpoint_file.h"
#include "driver/checkpoint/checkpoint_store.h"
#include "executor/sink/object_file.h"
#include "executor/state/snapshot_writer.h"
#include "executor/state/state_file.h"
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

// Keys that stay as they are, so that what a state has is much more than what changes in a batch.
RDD<Pair> ManyKeys(StreamHarness& h) {
  std::vector<Pair> keys;
  for (int64_t i = 0; i < 300; ++i) keys.emplace_back("steady" + std::to_string(i), i);
  return h.context().context().Parallelize(keys);
}

// Sums; a key whose values are few and even goes.
DStream<Pair> KeysThatComeAndGo(StreamHarness& h, int partitions = 3) {
  return h.Input(Words())
      .UpdateStateByKey<int64_t>(
          [](const std::string& key, std::span<const int64_t> values, Updated sum) -> Updated {
            if (values.size() == 1 && values[0] % 2 == 0) return std::nullopt;
            return Sum(key, values, sum);
          },
          partitions, ManyKeys(h))
      .Checkpoint(1s)
      .Name("come and go");
}

auto MappedUntilTheyTimeOut(StreamHarness& h, int partitions = 3) {
  return StateSpec([](std::string key, std::optional<int64_t> value,
                      State<int64_t>& state) -> std::optional<Pair> {
           if (state.IsTimingOut()) return Pair(key + " is gone", state.Get());
           const int64_t sum = state.GetOption().value_or(0) + *value;
           if (sum % 5 == 0 && state.Exists()) {
             state.Remove();
             return Pair(key + " is removed", sum);
           }
           state.Update(sum);
           return Pair(key, sum);
         })
      .InitialState(ManyKeys(h))
      .NumPartitions(partitions)
      .Timeout(6s);
}

auto RunningSums() {
  return StateSpec([](std::string key, std::optional<int64_t> value, State<int64_t>& state) {
    state.Update(state.GetOption().value_or(0) + *value);
    return Pair(std::move(key), state.Get());
  });
}

int64_t Negated(int64_t x) { return -x; }

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
      // Saved with every batch, and so large that each time only what changed is.
      {"UpdateStateByKeyWhoseChangesAreSaved",
       [](StreamHarness& h) { return TextOf(h, KeysThatComeAndGo(h)); }},
      {"MapWithStateWhoseChangesAreSaved",
       [](StreamHarness& h) {
         auto mapped = h.Input(Words()).MapWithState(MappedUntilTheyTimeOut(h));
         mapped.Checkpoint(1s);
         return TextOf(h, mapped.Union(mapped.StateSnapshots()));
       }},
      {"WindowWhoseChangesAreSaved",
       [](StreamHarness& h) {
         return TextOf(h,
                       h.Input(Words())
                           .ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 6s, 1s, 3,
                                                 [](const Pair& pair) { return pair.second != 0; })
                           .Checkpoint(1s));
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
      {"WindowsOfSavedDataSets",
       [](StreamHarness& h) {
         auto counts = h.Input(Words()).ReduceByKey(std::plus<>()).Checkpoint(2s);
         auto largest = counts.ReduceByKeyAndWindow(
             [](int64_t a, int64_t b) { return std::max(a, b); }, 8s, 1s);
         return TextOf(h, largest.Checkpoint(3s).Union(counts.Window(4s)));
       }},
      {"StateOfSavedDataSets",
       [](StreamHarness& h) {
         return TextOf(h, h.Input(Words())
                              .MapValues([](int64_t x) { return x + 1; })
                              .Checkpoint(2s)
                              .UpdateStateByKey<int64_t>(Fn<&Sum>)
                              .Checkpoint(5s)
                              .MapValues([](int64_t x) { return 2 * x; })
                              .Checkpoint(1s)
                              .Window(2s));
       }},
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
      // Windows look back at what states were.
      {"WindowsOfState",
       [](StreamHarness& h) {
         auto sums = h.Input(Words()).MapWithState(RunningSums()).Checkpoint(2s);
         return TextOf(h, sums.Window(6s, 3s).Union(sums.MapValues(Fn<&Negated>).Window(4s, 3s)));
       }},
      {"WindowWithInverseOfState",
       [](StreamHarness& h) {
         auto sums = h.Input(Words()).MapWithState(RunningSums()).Checkpoint(3s);
         auto in_window = sums.ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 4s, 1s);
         return TextOf(h, in_window.Checkpoint(2s));
       }},
      {"WindowOfAWindowOfState",
       [](StreamHarness& h) {
         auto sums = h.Input(Words()).UpdateStateByKey<int64_t>(Fn<&Sum>).Checkpoint(4s);
         return TextOf(h, sums.Window(2s).ReduceByKeyAndWindow(
                              [](int64_t a, int64_t b) { return std::max(a, b); }, 8s, 1s));
       }},
      {"WindowOfSavedDataSetsOfState",
       [](StreamHarness& h) {
         auto sums = h.Input(Words()).MapWithState(RunningSums()).Checkpoint(5s);
         return TextOf(h, sums.MapValues(Fn<&Negated>).Checkpoint(1s).Window(4s));
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

// The batches that it passes have come due meanwhile.
TEST(RestartDriverErrorsTest, AManualClockMayStandBehindTheCheckpoint) {
  const TempDir dir;
  Conf conf;
  conf.Set("millrace.streaming.manualClock.jump", "3500ms");
  StreamHarness h(1s, {.conf = conf, .checkpoint_dir = dir.path()});
  auto out = h.Output(h.Input<int64_t>({{1}, {2}, {3}, {4}, {5}, {6}, {7}}));
  ASSERT_TRUE(h.RunBatches(2).ok());
  ASSERT_TRUE(h.RestartDriver().ok());
  ASSERT_TRUE(h.RunBatches(1).ok());
  std::vector<int64_t> seen;
  for (const auto& batch : out.batches()) seen.insert(seen.end(), batch.begin(), batch.end());
  EXPECT_THAT(seen, ::testing::ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(out.times().back(), Time(6000));
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

TEST_F(UpgradeTest, OfALongTimeAwayLaterBatchesWithoutInputAreLeftOut) {
  const auto both = [](StreamHarness& h) {
    return TextOf(h, h.Input(Words()).UpdateStateByKey<int64_t>(Fn<&Sum>));
  };
  ASSERT_TRUE(RunProgram(both, 2).ok());
  now_ = now_ + 100h;
  const absl::StatusOr<Seen> rest = RunProgram(both, 1);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(rest->size(), 501);
  EXPECT_EQ(rest->rbegin()->first, now_.ms());
  EXPECT_EQ(rest->rbegin()->second, rest->at(502'000));
}

// What windows show and which keys time out is what it would have been, and of the batches in which
// nothing happens most are left out.
TEST_F(UpgradeTest, OfALongTimeAwayWindowsEndWhereTheyWouldHaveAndKeysTimeOutOnce) {
  const TempDir files;
  const auto add = [&](const std::string& name, int64_t modified_ms) {
    const std::string path = files.path() + "/" + name;
    std::ofstream(path) << name << "\n";
    const timespec time{modified_ms / 1000, modified_ms % 1000 * 1'000'000};
    const timespec times[] = {time, time};
    ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  };
  using Output = StreamOutput<std::string>;
  std::optional<Output> window;
  std::optional<Output> inverse_window;
  std::optional<Output> gone;
  const auto program = [&](StreamHarness& h) {
    auto ones = h.context().TextFileStream(files.path()).Map([](std::string_view line) {
      return Pair(line, 1);
    });
    window = TextOf(h, ones.ReduceByKeyAndWindow(std::plus<>(), 1000s, 100s));
    inverse_window =
        TextOf(h, ones.ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 1000s, 100s, 2,
                                            [](const Pair& pair) { return pair.second != 0; }));
    gone = TextOf(h, ones.MapWithState(StateSpec([](std::string key, std::optional<int64_t> value,
                                                    State<int64_t>& state) -> std::optional<Pair> {
                                         if (state.IsTimingOut()) return Pair(key, state.Get());
                                         state.Update(state.GetOption().value_or(0) + *value);
                                         return std::nullopt;
                                       }).Timeout(700s)));
    return TextOf(h, ones);
  };
  // What each has, but for the batches in which it has nothing.
  const auto full = [](const Output& output) {
    Seen seen = Sorted(output);
    std::erase_if(seen, [](const auto& batch) { return batch.second.empty(); });
    return seen;
  };
  add("a", 500);
  ASSERT_TRUE(RunProgram(program, 2).ok());
  add("b", 2'000'500);
  now_ = now_ + 1h;
  const absl::StatusOr<Seen> rest = RunProgram(program, 1);
  ASSERT_TRUE(rest.ok()) << rest.status();
  Seen windows;
  for (int64_t time = 100; time <= 1000; time += 100) windows[time * 1000] = {"a=1"};
  for (int64_t time = 2100; time <= 3000; time += 100) windows[time * 1000] = {"b=1"};
  EXPECT_EQ(full(*window), windows);
  EXPECT_EQ(full(*inverse_window), windows);
  // Each in the first batch behind its time that is made.
  EXPECT_EQ(full(*gone), (Seen{{800'000, {"a=1"}}, {2'800'000, {"b=1"}}}));
  // 500, then some of the two windows each, that with the file, and the one that comes due now.
  EXPECT_EQ(rest->count(2'001'000), 1u);
  EXPECT_EQ(rest->rbegin()->first, now_.ms());
  EXPECT_GT(rest->size(), 515u);
  EXPECT_LT(rest->size(), 540u);
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

// Keys are idle from the first batch on in which they may be.
TEST_F(UpgradeTest, ATimeoutMayBeAdded) {
  const auto program = [](StreamHarness& h, bool times_out) {
    auto spec = StateSpec([](std::string key, std::optional<int64_t> value,
                             State<int64_t>& state) -> std::optional<Pair> {
      if (state.IsTimingOut()) return Pair(key + " is gone", state.Get());
      state.Update(*value);
      return std::nullopt;
    });
    auto in = h.Input<Pair>({{{"a", 1}, {"b", 2}}, {}, {{"a", 3}}});
    return TextOf(h,
                  in.MapWithState(times_out ? spec.Timeout(2s) : spec).Checkpoint(1s).Name("last"));
  };
  ASSERT_TRUE(RunProgram([&](StreamHarness& h) { return program(h, false); }, 2).ok());
  const absl::StatusOr<Seen> rest =
      RunProgram([&](StreamHarness& h) { return program(h, true); }, 5);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(
      *rest,
      (Seen{
          {3000, {}}, {4000, {}}, {5000, {}}, {6000, {"a is gone=3", "b is gone=2"}}, {7000, {}}}));
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

// Each batch once, though updates of state since the state was saved are made again, and with them
// what they were made of.
TEST_F(UpgradeTest, AccumulatorsWithNamesGoOnAndCountEachBatchOnce) {
  std::optional<LongAccumulator> records;
  std::optional<LongAccumulator> unnamed;
  std::optional<CollectionAccumulator<std::string>> batches;
  const auto program = [&](StreamHarness& h) {
    const Context& context = h.context().context();
    records = context.LongAccumulator("records");
    unnamed = context.LongAccumulator();
    batches = context.CollectionAccumulator<std::string>("batches");
    records->Add(1000);  // Of this run alone.
    auto counted = h.Input(Words()).Map(BindFront(
        [](const auto& named, const auto& other, const Pair& pair) {
          named.Add(1);
          other.Add(1);
          return pair;
        },
        *records, *unnamed));
    auto sums = counted.UpdateStateByKey<int64_t>(Fn<&Sum>);
    sums.ForeachRDD(
        [seen = *batches](const RDD<Pair>&, Time time) { seen.Add(std::to_string(time.ms())); });
    return TextOf(h, sums);
  };
  const auto count = [](int first, int last) {
    const Batches<Pair> words = Words();
    int64_t records_of = 0;
    for (int i = first; i <= last; ++i) {
      const auto& batch = words.list[static_cast<size_t>(i - 1)].records;
      records_of += batch ? std::ssize(*batch) : 0;
    }
    return records_of;
  };
  ASSERT_TRUE(RunProgram(program, 4).ok());
  EXPECT_EQ(records->Value(), 1000 + count(1, 4));
  ASSERT_TRUE(RunProgram(program, 3).ok());
  EXPECT_EQ(records->Value(), 1000 + count(1, 7));
  EXPECT_EQ(records->Count(), 1 + count(1, 7));
  EXPECT_EQ(unnamed->Value(), count(5, 7));
  EXPECT_THAT(batches->Value(), ::testing::UnorderedElementsAre("1000", "2000", "3000", "4000",
                                                                "5000", "6000", "7000"));
  // One that adds up something else.
  const absl::Status other = RunProgram(
                                 [&](StreamHarness& h) {
                                   batches.reset();
                                   records.reset();
                                   unnamed.reset();
                                   auto floats = h.context().context().DoubleAccumulator("records");
                                   auto sums = h.Input(Words()).UpdateStateByKey<int64_t>(Fn<&Sum>);
                                   sums.ForeachRDD([floats](const RDD<Pair>&) { floats.Add(0.5); });
                                   return TextOf(h, sums);
                                 },
                                 1)
                                 .status();
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other.message()),
              HasSubstr("accumulator 'records' adds up {f64,i64}, and was saved as {i64,i64}"));
}

// A batch that has not ended when the driver is lost counts when it is made once more.
TEST_F(UpgradeTest, WhatAnUnfinishedBatchHasAddedToAnAccumulatorGoesWithItsDriver) {
  const auto add = [](const auto& sum, int64_t x) {
    sum.Add(x);
    return x;
  };
  for (int driver = 0; driver < 2; ++driver) {
    LongAccumulator sum;
    StreamHarness h(1s, {.checkpoint_dir = dir_.path()});
    sum = h.context().context().LongAccumulator("sum");
    auto in = h.Input<int64_t>({{1}, {20}, {300}});
    h.Output(in.Map(BindFront(add, sum)));
    internal::StreamGraph& graph = *h.context().graph();
    ASSERT_TRUE(graph.Start().ok());
    if (driver == 0) {
      graph.BeginAfter(Time(0));
    } else {
      const auto from = graph.Recover();
      ASSERT_TRUE(from.ok() && from->has_value()) << from.status();
      EXPECT_EQ((*from)->completed_time, Time(1000));
      EXPECT_EQ(sum.Value(), 1);
    }
    for (int64_t time = driver == 0 ? 1000 : 2000; time <= 3000; time += 1000) {
      auto batch = graph.GenerateJobs(Time(time), {});
      ASSERT_TRUE(batch.ok()) << batch.status();
      for (internal::BatchJob& job : batch->jobs) ASSERT_TRUE(job.run().ok());
      // The second is cut short, and the third ends before it.
      graph.ClearCompleted(Time(time), /*cut_short=*/driver == 0 && time == 2000);
    }
    EXPECT_EQ(sum.Value(), 321);
    graph.WriteCheckpoint();
  }
}

// Of a process of its own, it begins at 0 and goes on at the checkpoint's time.
TEST_F(UpgradeTest, AManualClockGoesOnAtTheCheckpoint) {
  const auto program = [](StreamHarness& h) { return TextOf(h, h.Input(Words())); };
  ASSERT_TRUE(RunProgram(program, 3).ok());
  StreamHarness h(1s);
  h.context().core().RecoverFrom({"GetOrCreate", internal::Location::Current()}, dir_.path());
  const StreamOutput<std::string> output = program(h);
  ASSERT_TRUE(h.RunBatches(2).ok());
  EXPECT_EQ(output.times(), (std::vector<Time>{Time(4000), Time(5000)}));
}

// -- What is saved of a state, on the disk --------------------------------------------------------

class SavedStateTest : public UpgradeTest {
 protected:
  static constexpr int kParts = 3;

  // Before a test has a program of its own: one runs at a time.
  void SetUp() override { Whole(); }

  static StreamOutput<std::string> Program(StreamHarness& h, int partitions = kParts) {
    auto mapped = h.Input(Words()).MapWithState(MappedUntilTheyTimeOut(h, partitions));
    mapped.Checkpoint(1s).Name("mapped");
    return TextOf(h, KeysThatComeAndGo(h, partitions).Union(mapped.StateSnapshots()));
  }
  static const Seen& Whole() {
    static const Seen whole = RunWithRestarts([](StreamHarness& h) { return Program(h); }, {});
    return whole;
  }
  static Seen WholeFrom(int first, int last) {
    return Seen(Whole().find(first * 1000), Whole().upper_bound(last * 1000));
  }
  absl::StatusOr<Seen> Run(int batches, int partitions = kParts, Conf conf = Conf()) {
    return RunProgram([partitions](StreamHarness& h) { return Program(h, partitions); }, batches,
                      std::move(conf));
  }
  static Conf MayLoseState() {
    return Conf().Set("millrace.streaming.checkpoint.allowStateLoss", "true");
  }

  // The records of a file of state with all keys, as they were saved before.
  std::string AsObjectFile(const std::string& path, bool has_times) {
    const auto file = fs_.OpenForRead(path);
    internal::StateFileReader reader(**file);
    const int64_t saved_ms = reader.ReadHead()->time_ms;
    internal::StateFileReader::Frame frame;
    if (!*reader.Next(frame)) return internal::ObjectFileHead();
    internal::Decoder decoder(frame.records.view());
    internal::Encoder records;
    while (!decoder.done()) {
      EXPECT_EQ(decoder.GetFixed<uint8_t>(), internal::kKeyHasState);
      Pair pair;
      int64_t touched_ms = 0;
      Decode(decoder, pair);
      if (has_times) touched_ms = internal::TouchedAt(decoder.GetVarint(), saved_ms);
      Encode(records, pair);
      if (has_times) Encode(records, touched_ms);
    }
    return internal::ObjectFileHead() +
           internal::ObjectFrameHead(records.view(), frame.record_count) + records.ToString();
  }

  proto::Checkpoint Latest() {
    internal::CheckpointStore store(fs_, dir_.path());
    return **store.ReadLatest();
  }
  std::string DirectoryOf(const proto::SavedState& saved) {
    return dir_.path() + "/" + saved.path();
  }
  std::string BytesOf(const std::string& path) {
    const auto bytes = ReadWholeFile(fs_, path, 1 << 20);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    return *bytes;
  }
  void Overwrite(const std::string& path, const std::string& bytes) {
    ASSERT_TRUE(WriteFileAtomically(fs_, path, bytes).ok());
  }
  // All that is there, but for what is read and not changed.
  std::map<std::string, std::string> Files() {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path())) {
      if (entry.is_regular_file()) files[entry.path()] = BytesOf(entry.path());
    }
    return files;
  }

  LocalFileSystem fs_;
};

TEST_F(SavedStateTest, ACheckpointNamesAllThatAStateIsMadeOf) {
  ASSERT_TRUE(Run(5).ok());
  const proto::Checkpoint latest = Latest();
  ASSERT_EQ(latest.states_size(), 2);
  for (const proto::StateCheckpoint& state : latest.states()) {
    EXPECT_EQ(state.num_partitions(), kParts);
    ASSERT_EQ(state.saved_size(), 5) << state.id();
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(state.saved(i).time_ms(), 1000 * (i + 1));
      int64_t bytes = 0;
      for (int part = 0; part < kParts; ++part) {
        const auto file = fs_.OpenForRead(DirectoryOf(state.saved(i)) + "/" + PartFileName(part));
        ASSERT_TRUE(file.ok()) << file.status();
        bytes += static_cast<int64_t>((*file)->size_bytes());
        const auto head = internal::StateFileReader(**file).ReadHead();
        ASSERT_TRUE(head.ok()) << head.status();
        EXPECT_EQ(head->since_ms, i == 0 ? -1 : 1000 * i);
      }
      EXPECT_EQ(state.saved(i).bytes(), bytes);
    }
  }
}

// The first driver leaves seven batches' changes, the second one all of it in another number of
// parts and changes on top of that.
TEST_F(SavedStateTest, GoesOnInAnotherNumberOfPartitions) {
  ASSERT_TRUE(Run(7).ok());
  for (const int partitions : {5, 2}) {
    const int done = static_cast<int>(now_.ms() / 1000);
    const absl::StatusOr<Seen> rest = Run(5, partitions);
    ASSERT_TRUE(rest.ok()) << rest.status();
    EXPECT_EQ(*rest, WholeFrom(done + 1, done + 5));
    const proto::Checkpoint latest = Latest();
    for (const proto::StateCheckpoint& state : latest.states()) {
      EXPECT_EQ(state.num_partitions(), partitions);
    }
    EXPECT_EQ(latest.states(0).saved(0).time_ms(), (done + 1) * 1000);
    EXPECT_EQ(latest.states(0).saved_size(), 5);
  }
}

TEST_F(SavedStateTest, AGracefulStopSavesWhatChanged) {
  graceful_ = true;
  const auto program = [](StreamHarness& h) {
    auto sums = KeysThatComeAndGo(h).Checkpoint(4s);
    return TextOf(h, sums);
  };
  const Seen whole = RunWithRestarts(program, {});
  ASSERT_TRUE(RunProgram(program, 6).ok());
  const proto::StateCheckpoint state = Latest().states(0);
  ASSERT_EQ(state.saved_size(), 2);
  EXPECT_EQ(state.saved(1).time_ms(), 6000);
  EXPECT_LT(state.saved(1).bytes(), state.saved(0).bytes() / 4);
  const absl::StatusOr<Seen> rest = RunProgram(program, 3);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(*rest, Seen(whole.find(7000), whole.find(10000)));
}

TEST_F(SavedStateTest, APartThatIsMissingIsAnErrorAndNothingIsOverwritten) {
  ASSERT_TRUE(Run(4).ok());
  const proto::Checkpoint latest = Latest();
  for (const int link : {0, 2}) {
    const std::string path = DirectoryOf(latest.states(1).saved(link)) + "/part-00001";
    const std::string bytes = BytesOf(path);
    std::filesystem::remove(path);
    const auto before = Files();
    const absl::Status status = Run(1).status();
    now_ = Time(4000);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(status.message(), HasSubstr("'" + path + "' is missing"));
    EXPECT_THAT(status.message(), HasSubstr("allowStateLoss=true"));
    EXPECT_EQ(Files(), before);
    Overwrite(path, bytes);
  }
  const absl::StatusOr<Seen> rest = Run(2);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(*rest, WholeFrom(5, 6));
}

TEST_F(SavedStateTest, ADirectoryThatIsMissingMayBeLostIfTheUserSaysSo) {
  ASSERT_TRUE(Run(4).ok());
  const proto::Checkpoint latest = Latest();
  for (const proto::StateCheckpoint& state : latest.states()) {
    std::filesystem::remove_all(DirectoryOf(state.saved(1)));
  }
  const absl::Status status = Run(1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("is not all there"));
  now_ = Time(4000);
  const absl::StatusOr<Seen> anew = Run(1, kParts, MayLoseState());
  ASSERT_TRUE(anew.ok()) << anew.status();
  EXPECT_EQ(anew->size(), 1u);
}

TEST_F(SavedStateTest, ACheckpointOfAnotherReleaseIsAnErrorAndNothingIsOverwritten) {
  ASSERT_TRUE(Run(3).ok());
  std::string newest;
  int64_t newest_number = 0;
  for (const auto& [path, bytes] : Files()) {
    const size_t at = path.find("/checkpoint-");
    if (at == std::string::npos) continue;
    const int64_t number = std::stoll(path.substr(at + 12));
    if (number < newest_number) continue;
    newest_number = number;
    newest = path;
  }
  const std::string bytes = BytesOf(newest);
  std::string newer = bytes;
  newer[4] = 9;
  Overwrite(newest, newer);
  const auto before = Files();
  const absl::Status status = Run(1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(status.message(), HasSubstr("checkpoint '" + newest + "' cannot be read"));
  EXPECT_THAT(status.message(), HasSubstr("it has version 9"));
  EXPECT_EQ(Files(), before);
  Overwrite(newest, bytes);
  now_ = Time(3000);
  const absl::StatusOr<Seen> rest = Run(2);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(*rest, WholeFrom(4, 5));
}

TEST_F(SavedStateTest, ACheckpointThatContradictsItselfIsAnErrorAndNothingIsOverwritten) {
  ASSERT_TRUE(Run(3).ok());
  proto::Checkpoint ends_early = Latest();
  ends_early.set_last_time_ms(ends_early.completed_time_ms() - 1);
  proto::Checkpoint leaves_out_nothing = Latest();
  leaves_out_nothing.add_left_out()->set_after_ms(2000);
  for (const proto::Checkpoint& checkpoint : {ends_early, leaves_out_nothing}) {
    internal::CheckpointStore store(fs_, dir_.path());
    ASSERT_TRUE(store.Open().ok() && store.TakeOver().ok() && store.Write(checkpoint).ok());
    const auto before = Files();
    const absl::Status status = Run(1).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(status.message(), HasSubstr("has times that contradict each other"));
    EXPECT_EQ(Files(), before);
  }
}

TEST_F(SavedStateTest, TheCheckpointOfAnotherProgramIsAnErrorAndNothingIsOverwritten) {
  ASSERT_TRUE(Run(3).ok());
  const auto before = Files();
  const absl::Status status =
      RunProgram([](StreamHarness& h) { return Sums(h, "sums"); }, 1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("does not match this program"));
  EXPECT_THAT(status.message(), HasSubstr("\"come and go\""));
  EXPECT_THAT(status.message(), HasSubstr("\"mapped\""));
  EXPECT_EQ(Files(), before);
}

// The batch fails; the state is neither wrong nor lost.
class DamagedStateTest : public SavedStateTest, public ::testing::WithParamInterface<int> {};

TEST_P(DamagedStateTest, FailsBatchesUntilItIsThereAgain) {
  ASSERT_TRUE(Run(4).ok());
  const proto::Checkpoint latest = Latest();
  const std::string path = DirectoryOf(latest.states(0).saved(GetParam())) + "/part-00001";
  const std::string bytes = BytesOf(path);
  std::string damaged = bytes;
  damaged[damaged.size() / 2] ^= 1;
  Overwrite(path, damaged);
  const absl::Status status = Run(1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("saved state " + path));
  EXPECT_THAT(std::string(status.message()), HasSubstr("at offset"));
  Overwrite(path, bytes);
  const absl::StatusOr<Seen> rest = Run(2);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(rest->at(7000), Whole().at(7000));
}

INSTANTIATE_TEST_SUITE_P(Links, DamagedStateTest, ::testing::Values(0, 2));

// No file of this process can grow, as on a full disk.
class NoRoom {
 public:
  NoRoom() {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit none{.rlim_cur = 0, .rlim_max = before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
  }
  ~NoRoom() { setrlimit(RLIMIT_FSIZE, &before_); }
  NoRoom(const NoRoom&) = delete;
  NoRoom& operator=(const NoRoom&) = delete;

 private:
  rlimit before_;
};

TEST_F(SavedStateTest, OnAFullDiskBatchesGoOnAndWhatChangedIsSavedOnceThereIsRoom) {
  StreamHarness h(1s, {.checkpoint_dir = dir_.path()});
  const StreamOutput<std::string> output = Program(h);
  {
    const NoRoom no_room;
    ASSERT_TRUE(h.RunBatches(2).ok());
  }
  ASSERT_TRUE(h.RunBatches(2).ok());
  const auto before = Files();
  {
    const NoRoom no_room;
    ASSERT_TRUE(h.RunBatches(3).ok());
    EXPECT_EQ(Files(), before);
  }
  ASSERT_TRUE(h.RunBatches(1).ok());
  const proto::Checkpoint latest = Latest();
  for (const proto::StateCheckpoint& state : latest.states()) {
    std::vector<int64_t> times;
    for (const proto::SavedState& saved : state.saved()) times.push_back(saved.time_ms());
    EXPECT_THAT(times, ::testing::ElementsAre(3000, 4000, 8000)) << state.id();
  }
  ASSERT_TRUE(h.RestartDriver().ok());
  ASSERT_TRUE(h.RunBatches(3).ok());
  EXPECT_EQ(Sorted(output), WholeFrom(1, 11));
}

// Calls back before a directory gets its name.
class PublishingFiles : public LocalFileSystem {
 public:
  absl::Status ReplaceDir(const std::string& from, const std::string& to) override {
    if (auto before = std::exchange(before_publishing, nullptr)) before();
    return LocalFileSystem::ReplaceDir(from, to);
  }

  std::function<void()> before_publishing;
};

// Two batches end at once: the later one's state is in a checkpoint when the earlier one's gets its
// name, so no checkpoint ever has that.
TEST_F(SavedStateTest, AStateThatALaterOneHasOvertakenIsRemoved) {
  PublishingFiles files;
  internal::RuntimeOptions runtime;
  runtime.manual_clock = true;
  runtime.fs = &files;
  StreamingContext ssc(std::make_shared<internal::StreamingCore>(
      std::make_shared<internal::ContextCore>(Conf().SetMaster("local[2]"), runtime), 1000ms));
  ssc.Checkpoint(dir_.path());
  std::deque<RDD<Pair>> queue;
  ssc.QueueStream(queue).UpdateStateByKey<int64_t>(Fn<&Sum>).Checkpoint(1s).ForeachRDD(
      [](const RDD<Pair>& rdd) { return rdd.Count().status(); });
  internal::StreamGraph& graph = *ssc.graph();
  ASSERT_TRUE(graph.Start().ok());
  graph.BeginAfter(Time(0));
  const auto run = [&](int64_t time) {
    queue.push_back(ssc.context().Parallelize<Pair>({{"a", time}}));
    auto batch = graph.GenerateJobs(Time(time), {});
    ASSERT_TRUE(batch.ok()) << batch.status();
    for (internal::BatchJob& job : batch->jobs) ASSERT_TRUE(job.run().ok());
  };
  run(1000);
  files.before_publishing = [&] {
    run(2000);
    graph.ClearCompleted(Time(2000), /*cut_short=*/false);
  };
  graph.ClearCompleted(Time(1000), /*cut_short=*/false);
  EXPECT_FALSE(files.before_publishing);
  run(3000);
  graph.ClearCompleted(Time(3000), /*cut_short=*/false);
  std::set<std::string> named;
  const proto::Checkpoint latest = Latest();
  for (const proto::SavedState& saved : latest.states(0).saved()) {
    named.insert(DirectoryOf(saved));
  }
  std::set<std::string> there;
  for (const auto& entry : std::filesystem::directory_iterator(dir_.path() + "/state")) {
    there.insert(entry.path());
  }
  EXPECT_EQ(there, named);
  EXPECT_EQ(latest.states(0).time_ms(), 3000);
}

// Before changes were saved on their own, a state was a directory of object files.
TEST_F(SavedStateTest, ACheckpointOfVersion1IsGoneOnFrom) {
  ASSERT_TRUE(Run(1).ok());
  proto::Checkpoint checkpoint = Latest();
  for (proto::StateCheckpoint& state : *checkpoint.mutable_states()) {
    ASSERT_EQ(state.saved_size(), 1);
    const bool has_times = state.id() == "mapped";
    const std::string old = "state/old-" + std::to_string(has_times);
    ASSERT_TRUE(fs_.CreateDirs(dir_.path() + "/" + old).ok());
    for (int part = 0; part < kParts; ++part) {
      const std::string name = "/" + PartFileName(part);
      Overwrite(absl::StrCat(dir_.path(), "/", old, name),
                AsObjectFile(DirectoryOf(state.saved(0)) + name, has_times));
    }
    std::filesystem::remove_all(DirectoryOf(state.saved(0)));
    state.set_path(old);
    state.clear_saved();
    state.clear_num_partitions();
  }
  for (const auto& [path, bytes] : Files()) {
    if (path.find("/checkpoint-") != std::string::npos) std::filesystem::remove(path);
  }
  std::string bytes = internal::EncodeCheckpoint(checkpoint);
  bytes[4] = 1;
  bytes.resize(bytes.size() - 8);
  const uint64_t checksum = XXH3_64bits(bytes.data(), bytes.size());
  bytes.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  Overwrite(dir_.path() + "/checkpoint-7", bytes);

  // A driver that does not come to save anything, then others.
  for (const auto& [first, batches] : {std::pair(2, 0), std::pair(2, 2), std::pair(4, 3)}) {
    const absl::StatusOr<Seen> rest = Run(batches);
    ASSERT_TRUE(rest.ok()) << rest.status();
    EXPECT_EQ(*rest, WholeFrom(first, first + batches - 1));
  }
}

// The amount that is written follows the keys that change, though now and then all keys are.
TEST_F(SavedStateTest, WhatIsWrittenIsAtMostThriceWhatChanged) {
  constexpr int kKeys = 2'000;
  constexpr int kChanged = 20;
  constexpr int kRuns = 125;
  constexpr int64_t kRecordBytes = 1 + 12 + 8;
  const auto key = [](int i) { return std::to_string(100'000'000'000 + i); };
  std::vector<Pair> initial;
  for (int i = 0; i < kKeys; ++i) initial.emplace_back(key(i), i);
  std::vector<std::vector<Pair>> batches(kRuns);
  for (int batch = 0; batch < kRuns; ++batch) {
    for (int i = 0; i < kChanged; ++i) {
      batches[static_cast<size_t>(batch)].emplace_back(key((batch * kChanged * 7 + i) % kKeys), 1);
    }
  }
  StreamHarness h(1s, {.checkpoint_dir = dir_.path()});
  const auto output = h.Output(
      h.Input(Batches<Pair>(std::move(batches)))
          .UpdateStateByKey<int64_t>(Fn<&Sum>, 1, h.context().context().Parallelize(initial))
          .Checkpoint(1s)
          .Count());
  std::map<int64_t, int64_t> written;  // By batch.
  int whole = 0;
  for (int batch = 1; batch <= kRuns; ++batch) {
    ASSERT_TRUE(h.RunBatches(1).ok());
    const proto::StateCheckpoint state = Latest().states(0);
    EXPECT_EQ(state.saved().rbegin()->time_ms(), batch * 1000);
    written[batch] = state.saved().rbegin()->bytes();
    whole += state.saved_size() == 1 ? 1 : 0;
  }
  EXPECT_EQ(whole, 2);
  for (int last = 100; last <= kRuns; ++last) {
    int64_t bytes = 0;
    for (int batch = last - 99; batch <= last; ++batch) bytes += written[batch];
    ASSERT_LE(bytes, 3 * 100 * kChanged * kRecordBytes) << "up to batch " << last;
  }
}

}  // namespace
}  // namespace millrace::testing
