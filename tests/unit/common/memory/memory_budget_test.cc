#include "common/memory/memory_budget.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>
#include <vector>

namespace millrace {
namespace {

TEST(MemoryBudgetTest, GivesUpToItsLimitAndNoMore) {
  MemoryBudget budget(100);
  EXPECT_TRUE(budget.TryReserve(60));
  EXPECT_FALSE(budget.TryReserve(41));
  EXPECT_EQ(budget.used_bytes(), 60u);
  EXPECT_TRUE(budget.TryReserve(40));
  EXPECT_EQ(budget.free_bytes(), 0u);
  budget.Release(100);
  EXPECT_EQ(budget.used_bytes(), 0u);
  EXPECT_EQ(budget.high_water_bytes(), 100u);
}

TEST(MemoryBudgetTest, HugeRequestsDoNotWrapAround) {
  MemoryBudget budget(100);
  ASSERT_TRUE(budget.TryReserve(1));
  EXPECT_FALSE(budget.TryReserve(std::numeric_limits<size_t>::max()));
  EXPECT_EQ(budget.used_bytes(), 1u);
  budget.Release(1);
}

TEST(MemoryBudgetTest, NeverExceedsItsLimitUnderContention) {
  MemoryBudget budget(10);
  std::atomic<int> granted = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&budget, &granted] {
      for (int i = 0; i < 1000; ++i) {
        if (!budget.TryReserve(4)) continue;
        ++granted;
        EXPECT_LE(budget.used_bytes(), 10u);
        budget.Release(4);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(granted, 0);
  EXPECT_EQ(budget.used_bytes(), 0u);
  EXPECT_LE(budget.high_water_bytes(), 10u);
}

TEST(MemoryBudgetDeathTest, NoticesWhatIsReleasedTwice) {
  MemoryBudget budget(10);
  EXPECT_DEATH(budget.Release(1), "more memory released than reserved");
}

TEST(ReservationTest, GrowsShrinksAndGivesBackWhenItGoes) {
  MemoryBudget budget(100);
  {
    Reservation reservation(budget);
    EXPECT_TRUE(reservation.TryGrow(50));
    EXPECT_FALSE(reservation.TryGrow(51));
    EXPECT_EQ(reservation.bytes(), 50u);
    EXPECT_TRUE(reservation.TryResize(20));
    EXPECT_EQ(budget.used_bytes(), 20u);
  }
  EXPECT_EQ(budget.used_bytes(), 0u);
}

TEST(ReservationTest, MovesWithItsOwner) {
  MemoryBudget budget(100);
  Reservation first(budget);
  ASSERT_TRUE(first.TryGrow(30));
  Reservation second = std::move(first);
  EXPECT_EQ(second.bytes(), 30u);
  {
    Reservation third(budget);
    ASSERT_TRUE(third.TryGrow(5));
    second = std::move(third);  // `third` takes the 30 and gives them back.
  }
  EXPECT_EQ(budget.used_bytes(), 5u);
  second.Reset();
  EXPECT_EQ(budget.used_bytes(), 0u);
}

}  // namespace
}  // namespace millrace
