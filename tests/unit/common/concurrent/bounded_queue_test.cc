#include "common/concurrent/bounded_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace millrace {
namespace {

using namespace std::chrono_literals;

TEST(BoundedQueueTest, IsFirstInFirstOut) {
  BoundedQueue<std::unique_ptr<int>> queue(3);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue.Push(std::make_unique<int>(i), 0ns).ok());
  EXPECT_EQ(queue.size(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(**queue.Pop(0ns), i);
}

TEST(BoundedQueueTest, WaitsAtBothEndsUpToTheTimeout) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  EXPECT_EQ(queue.Pop(1ms).status().code(), absl::StatusCode::kDeadlineExceeded);
  ASSERT_TRUE(queue.Push(std::make_unique<int>(1), 0ns).ok());
  auto refused = std::make_unique<int>(2);
  EXPECT_EQ(queue.Push(std::move(refused), 1ms).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_NE(refused, nullptr);  // NOLINT(bugprone-use-after-move): not moved from.
}

TEST(BoundedQueueTest, AFullQueueSlowsItsProducerDown) {
  BoundedQueue<int> queue(2);
  std::thread producer([&queue] {
    for (int i = 0; i < 5000; ++i) ASSERT_TRUE(queue.Push(int{i}, 1min).ok());
  });
  for (int i = 0; i < 5000; ++i) {
    EXPECT_LE(queue.size(), 2u);
    ASSERT_EQ(*queue.Pop(1min), i);
  }
  producer.join();
}

TEST(BoundedQueueTest, AClosedQueueIsEmptiedAndThenCancelled) {
  BoundedQueue<int> queue(2);
  ASSERT_TRUE(queue.Push(1, 0ns).ok());
  queue.Close();
  EXPECT_EQ(queue.Push(2, 1min).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(*queue.Pop(1min), 1);
  EXPECT_EQ(queue.Pop(1min).status().code(), absl::StatusCode::kCancelled);
}

TEST(BoundedQueueTest, ClosingWakesWhoeverWaits) {
  BoundedQueue<int> empty(1);
  std::thread consumer(
      [&empty] { EXPECT_EQ(empty.Pop(1min).status().code(), absl::StatusCode::kCancelled); });
  empty.Close();
  consumer.join();

  BoundedQueue<int> full(1);
  ASSERT_TRUE(full.Push(1, 0ns).ok());
  std::thread producer(
      [&full] { EXPECT_EQ(full.Push(2, 1min).code(), absl::StatusCode::kCancelled); });
  full.Close();
  producer.join();
}

}  // namespace
}  // namespace millrace
