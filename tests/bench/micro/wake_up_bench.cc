// What it costs to hand work to another thread: the event loop, the thread pool, and the two
// together as a task of local mode uses them.
#include <benchmark/benchmark.h>

#include <chrono>
#include <functional>

#include "common/concurrent/event_loop.h"
#include "common/concurrent/parker.h"
#include "common/concurrent/thread_pool.h"
#include "common/time/system_clock.h"

namespace millrace::bench {
namespace {

using std::chrono::microseconds;

// Long enough for every other thread to be asleep.
constexpr int64_t kIdleNanos = 200'000;

void LetOthersSleep() {
  Parker never_unparked;
  never_unparked.ParkUntil(MonotonicNanos() + kIdleNanos);
}

void BM_LoopPostsToItself(benchmark::State& state) {
  EventLoop loop({});
  Parker done;
  int64_t left = 0;
  std::function<void()> again = [&] {
    if (--left == 0) return done.Unpark();
    loop.Post([&again] { again(); });
  };
  for (auto _ : state) {
    left = 1000;
    loop.Post([&again] { again(); });
    done.Park();
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(BM_LoopPostsToItself);

void BM_PostsFromAnotherThread(benchmark::State& state) {
  EventLoop loop({});
  Parker done;
  for (auto _ : state) {
    for (int i = 0; i < 999; ++i) loop.Post([] {});
    loop.Post([&done] { done.Unpark(); });
    done.Park();
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(BM_PostsFromAnotherThread)->UseRealTime();

// From a post to a sleeping loop until the closure runs.
void BM_PostToASleepingLoop(benchmark::State& state) {
  EventLoop loop({.name = "loop", .spin_max = microseconds(state.range(0))});
  Parker done;
  int64_t ran_ns = 0;
  for (auto _ : state) {
    LetOthersSleep();
    const int64_t posted_ns = MonotonicNanos();
    loop.Post([&] {
      ran_ns = MonotonicNanos();
      done.Unpark();
    });
    done.Park();
    state.SetIterationTime(static_cast<double>(ran_ns - posted_ns) * 1e-9);
  }
}
BENCHMARK(BM_PostToASleepingLoop)->ArgName("spin_us")->Arg(0)->UseManualTime()->Iterations(2000);

// There and back between two loops that do nothing else.
void BM_LoopToLoopAndBack(benchmark::State& state) {
  const microseconds spin_max(state.range(0));
  EventLoop there({.name = "there", .spin_max = spin_max});
  EventLoop here({.name = "here", .spin_max = spin_max});
  Parker done;
  constexpr int kRounds = 100;
  int left = 0;
  std::function<void()> round = [&] {
    if (left-- == 0) return done.Unpark();
    there.Post([&] { here.Post([&round] { round(); }); });
  };
  for (auto _ : state) {
    left = kRounds;
    here.Post([&round] { round(); });
    done.Park();
  }
  state.SetItemsProcessed(state.iterations() * kRounds);
}
BENCHMARK(BM_LoopToLoopAndBack)->ArgName("spin_us")->Arg(0)->Arg(50)->UseRealTime();

// A task of local mode: from the loop to a sleeping task thread and back.
void BM_LoopToPoolAndBack(benchmark::State& state) {
  const microseconds spin_max(state.range(0));
  EventLoop loop({.name = "loop", .spin_max = spin_max});
  ThreadPool pool({.name = "pool", .threads = 2, .spin_max = spin_max});
  Parker done;
  int64_t back_ns = 0;
  for (auto _ : state) {
    LetOthersSleep();
    int64_t start_ns = 0;
    loop.Post([&] {
      start_ns = MonotonicNanos();
      const absl::Status submitted = pool.TrySubmit([&] {
        loop.Post([&] {
          back_ns = MonotonicNanos();
          done.Unpark();
        });
      });
      if (!submitted.ok()) done.Unpark();
    });
    done.Park();
    state.SetIterationTime(static_cast<double>(back_ns - start_ns) * 1e-9);
  }
}
BENCHMARK(BM_LoopToPoolAndBack)
    ->ArgName("spin_us")
    ->Arg(0)
    ->Arg(50)
    ->UseManualTime()
    ->Iterations(2000);

}  // namespace
}  // namespace millrace::bench
