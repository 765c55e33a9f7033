#include "common/concurrent/gate.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"

namespace millrace {
namespace {

TEST(GateTest, AnEmptyGateClosesAtOnce) {
  Gate gate;
  bool empty = false;
  gate.Close([&empty] { empty = true; });
  EXPECT_TRUE(empty);
  EXPECT_TRUE(gate.closed());
  EXPECT_FALSE(gate.TryEnter());
}

TEST(GateTest, TellsWhenTheLastOneHasLeft) {
  Gate gate;
  bool empty = false;
  Gate::Pass first = gate.TryEnter();
  Gate::Pass second = gate.TryEnter();
  EXPECT_TRUE(first && second);
  EXPECT_EQ(gate.inside(), 2u);
  gate.Close([&empty] { empty = true; });
  EXPECT_FALSE(gate.TryEnter());
  first.Leave();
  first.Leave();  // Already out.
  EXPECT_FALSE(empty);
  second = Gate::Pass();
  EXPECT_TRUE(empty);
}

TEST(GateTest, APassMovesWithItsOwner) {
  Gate gate;
  Gate::Pass pass = gate.TryEnter();
  const Gate::Pass moved = std::move(pass);
  EXPECT_FALSE(pass);  // NOLINT(bugprone-use-after-move): it is a pass of no gate.
  EXPECT_TRUE(moved);
  EXPECT_EQ(gate.inside(), 1u);
}

TEST(GateTest, TheCallbackMayDestroyTheGate) {
  auto gate = std::make_unique<Gate>();
  Gate::Pass pass = gate->TryEnter();
  gate->Close([&gate] { gate.reset(); });
  pass.Leave();
  EXPECT_EQ(gate, nullptr);
}

TEST(GateTest, IsEmptyExactlyOnceWhateverTheThreadsDo) {
  for (int round = 0; round < 200; ++round) {
    Gate gate;
    std::atomic<int> inside = 0;
    absl::Notification empty;
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        while (const Gate::Pass pass = gate.TryEnter()) {
          ++inside;
          std::this_thread::yield();
          --inside;
        }
      });
    }
    gate.Close([&] {
      EXPECT_EQ(inside, 0);
      empty.Notify();  // Notifying twice would end the process.
    });
    empty.WaitForNotification();
    for (std::thread& thread : threads) thread.join();
  }
}

TEST(GateDeathTest, NoticesThatItIsDestroyedWithWorkInside) {
  EXPECT_DEATH(
      {
        auto gate = std::make_unique<Gate>();
        const Gate::Pass pass = gate->TryEnter();
        gate.reset();
      },
      "destroyed with work inside");
}

}  // namespace
}  // namespace millrace
