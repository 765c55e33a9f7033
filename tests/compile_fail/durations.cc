// Durations are whole milliseconds, with their unit.
#include <millrace/millrace.h>
#include <millrace/testing.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <ratio>
#include <string>
#include <utility>

using namespace std::chrono_literals;

// Too fine; of a type each, for the compiler says once what is wrong with one.
template <int n>
using Fine = std::chrono::duration<int64_t, std::ratio<1, 1000 + n>>;

using Pairs = millrace::DStream<std::pair<std::string, int64_t>>;

void Windows(const Pairs& pairs) {
  // expect-error: durations are whole milliseconds.*duration_cast<std::chrono::milliseconds>
  WRONG(pairs.Window(1500us));
  // expect-error: durations are whole milliseconds.*write 1500ms for 1.5s
  WRONG(pairs.Window(3s, 1.5s));
  // expect-error: a duration needs a unit: write 10s
  WRONG(pairs.Window(3000, 1000));
  RIGHT(pairs.Window(3s, 1500ms));
  // expect-error: durations are whole milliseconds
  WRONG(pairs.CountByWindow(2s, Fine<1>(100)));
  RIGHT(pairs.CountByWindow(2s, 100ms));
  // expect-error: durations are whole milliseconds
  WRONG(pairs.ReduceByKeyAndWindow(std::plus<>(), 2s, Fine<2>(100)));
  // expect-error: a duration needs a unit
  WRONG(pairs.ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 2u, 1u));
  RIGHT(pairs.ReduceByKeyAndWindow(std::plus<>(), std::minus<>(), 2h, 1min));
  // expect-error: durations are whole milliseconds
  WRONG(pairs.Checkpoint(Fine<3>(10000)));
  RIGHT(pairs.Checkpoint(10s));
}

void Timeout() {
  const auto spec = millrace::StateSpec(
      [](const std::string&, std::optional<int64_t>, millrace::State<int64_t>&) {});
  // expect-error: durations are whole milliseconds
  WRONG(spec.Timeout(Fine<4>(1)));
  RIGHT(spec.Timeout(1min));
}

void Contexts() {
  // expect-error: durations are whole milliseconds
  WRONG(millrace::StreamingContext(millrace::Conf(), Fine<5>(500)));
  // expect-error: a duration needs a unit
  WRONG(millrace::StreamingContext(millrace::Conf(), 1L));
  RIGHT(millrace::StreamingContext(millrace::Conf(), 500ms));
  // expect-error: durations are whole milliseconds
  WRONG(millrace::testing::StreamHarness(Fine<6>(100)));
  RIGHT(millrace::testing::StreamHarness(100ms));
}

void Life(millrace::StreamingContext& ssc) {
  // expect-error: durations are whole milliseconds
  WRONG(ssc.Remember(Fine<7>(1)));
  RIGHT(ssc.Remember(1min));
  // expect-error: durations are whole milliseconds
  WRONG((void)ssc.AwaitTerminationOrTimeout(Fine<8>(1)));
  RIGHT((void)ssc.AwaitTerminationOrTimeout(1s));
}
