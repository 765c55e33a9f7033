#include "driver/lineage/rdd_node.h"

#include <utility>

#include "gtest/gtest.h"

namespace millrace::internal {
namespace {

RddRef ChildOf(RddRef parent) {
  auto child = std::make_shared<RddNode>();
  child->dependencies.emplace_back().parent = std::move(parent);
  return child;
}

TEST(RddNodeTest, ALineageOfAnyLengthIsDestroyedWithoutRecursion) {
  RddRef node = std::make_shared<RddNode>();
  const std::weak_ptr<RddNode> first = node;
  for (int i = 0; i < 1'000'000; ++i) node = ChildOf(std::move(node));
  node.reset();
  EXPECT_TRUE(first.expired());
}

TEST(RddNodeTest, SharedParentsLive) {
  const RddRef parent = std::make_shared<RddNode>();
  RddRef a = ChildOf(parent);
  RddRef b = ChildOf(parent);
  a.reset();
  EXPECT_EQ(parent.use_count(), 2);
  b.reset();
  EXPECT_EQ(parent.use_count(), 1);
}

// A lease may be what holds another lineage.
TEST(RddNodeTest, WhatALeaseHoldsGoesWithIt) {
  RddRef other = ChildOf(std::make_shared<RddNode>());
  const std::weak_ptr<RddNode> watched = other;
  RddRef node = ChildOf(std::make_shared<RddNode>());
  node->cache_lease = std::move(other);
  node.reset();
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace millrace::internal
