#include "driver/daemon/allocation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct DemandNumbers {
  int cores_max = 0;
  int cores_per_worker = 0;
  int64_t memory_mb = 512;
};

proto::Demand Demand(const DemandNumbers& numbers) {
  proto::Demand demand;
  demand.set_cores_max(numbers.cores_max);
  demand.set_cores_per_worker(numbers.cores_per_worker);
  demand.set_memory_mb_per_worker(numbers.memory_mb);
  return demand;
}

NodeFacts Node(const std::string& id, int cores, int64_t memory_mb = 4096) {
  return {.executor_id = id,
          .cores = cores,
          .cores_free = cores,
          .memory_mb = memory_mb,
          .memory_mb_free = memory_mb};
}

// "application@node:cores" of each placement.
std::vector<std::string> Texts(const Allocation& allocation) {
  std::vector<std::string> texts;
  for (const Placement& placement : allocation.placements) {
    texts.push_back(std::to_string(placement.application) + "@" + std::to_string(placement.node) +
                    ":" + std::to_string(placement.cores));
  }
  return texts;
}

std::vector<std::string> Place(const ApplicationFacts& application,
                               const std::vector<NodeFacts>& nodes, bool is_spread = true) {
  return Texts(Allocate({application}, nodes, is_spread));
}

std::vector<int> Possible(const proto::Demand& demand, std::vector<NodeFacts> nodes,
                          bool is_spread) {
  return PossibleWorkers({.demand = demand}, nodes, is_spread);
}

TEST(PossibleWorkersTest, WithoutASizeAllCoresInOneWorkerANode) {
  EXPECT_THAT(Possible(Demand({}), {Node("a", 2), Node("b", 4)}, true), ElementsAre(4, 2));
  EXPECT_THAT(Possible(Demand({.cores_max = 3}), {Node("a", 4), Node("b", 4)}, true),
              ElementsAre(2, 1));
  EXPECT_THAT(Possible(Demand({.cores_max = 5}), {Node("a", 4), Node("b", 4)}, false),
              ElementsAre(4, 1));
  EXPECT_THAT(Possible(Demand({.memory_mb = 9000}), {Node("a", 4)}, true), IsEmpty());
}

TEST(PossibleWorkersTest, OfASizeAsManyAsThereIsRoomFor) {
  EXPECT_THAT(
      Possible(Demand({.cores_max = 5, .cores_per_worker = 2}), {Node("a", 9), Node("b", 1)}, true),
      ElementsAre(2, 2));
  EXPECT_THAT(
      Possible(Demand({.cores_per_worker = 1, .memory_mb = 1000}), {Node("a", 9, 2500)}, true),
      ElementsAre(1, 1));
}

TEST(PossibleWorkersTest, BesideThoseThatItHas) {
  std::vector<NodeFacts> nodes = {Node("a", 4), Node("b", 4)};
  const ApplicationFacts application{
      .demand = Demand({.cores_max = 5}), .cores_held = 2, .workers_held = {{"a", 1}}};
  EXPECT_THAT(PossibleWorkers(application, nodes, true), ElementsAre(3));
  EXPECT_EQ(nodes[0].cores_free, 4);
  EXPECT_EQ(nodes[1].cores_free, 1) << "what it would take is not there for others";
}

TEST(AllocateTest, WorkersAreSpread) {
  EXPECT_THAT(
      Place({.demand = Demand({}), .wanted_cores = {2, 2, 1}}, {Node("a", 4), Node("b", 4)}),
      ElementsAre("0@0:2", "0@1:2", "0@0:1"));
}

TEST(AllocateTest, WorkersArePacked) {
  EXPECT_THAT(
      Place({.demand = Demand({}), .wanted_cores = {2, 2}}, {Node("a", 5), Node("b", 4)}, false),
      ElementsAre("0@1:2", "0@1:2"));
}

TEST(AllocateTest, WhatItHoldsCounts) {
  ApplicationFacts application{
      .demand = Demand({.cores_max = 4}), .wanted_cores = {1, 1}, .cores_held = 3};
  application.workers_held = {{"a", 1}};
  EXPECT_THAT(Place(application, {Node("a", 4), Node("b", 4)}), ElementsAre("0@1:1"));
  application.cores_held = 4;
  const Allocation full = Allocate({application}, {Node("b", 4)}, true);
  EXPECT_THAT(full.placements, IsEmpty());
  EXPECT_THAT(full.waiting, ElementsAre(HasSubstr("holds 4 of the 4 cores")));
  application.wanted_cores = {};
  EXPECT_THAT(Allocate({application}, {Node("b", 4)}, true).waiting, ElementsAre(""));
}

TEST(AllocateTest, MemoryBoundsWorkers) {
  EXPECT_THAT(Place({.demand = Demand({.memory_mb = 1000}), .wanted_cores = {1, 1, 1}},
                    {Node("a", 9, 2500)}),
              ElementsAre("0@0:1", "0@0:1"));
}

TEST(AllocateTest, TheFirstApplicationComesFirst) {
  const ApplicationFacts wants_two{.demand = Demand({}), .wanted_cores = {2}};
  const Allocation allocation =
      Allocate({wants_two, wants_two, {.demand = Demand({}), .wanted_cores = {1}}},
               {Node("a", 2), Node("b", 1)}, true);
  EXPECT_THAT(Texts(allocation), ElementsAre("0@0:2", "2@1:1"));
  EXPECT_THAT(allocation.waiting,
              ElementsAre("", "no executor has 2 cores and 512 MiB free now", ""));
}

TEST(WhyNeverTest, SaysWhatIsTooMuch) {
  EXPECT_THAT(WhyNever(Demand({}), {}), HasSubstr("no executor is registered"));
  const std::vector<NodeFacts> nodes = {Node("a", 2, 8000), Node("b", 4, 1024)};
  EXPECT_EQ(WhyNever(Demand({.cores_per_worker = 8}), nodes),
            "no executor has 8 cores: the largest has 4");
  EXPECT_EQ(WhyNever(Demand({.memory_mb = 9000}), nodes),
            "no executor has 9000 MiB of memory: the largest has 8000 MiB");
  EXPECT_EQ(WhyNever(Demand({.cores_per_worker = 4, .memory_mb = 2000}), nodes),
            "no executor has both 4 cores and 2000 MiB of memory");
  EXPECT_THAT(WhyNever(Demand({.cores_max = 1, .cores_per_worker = 2}), nodes),
              HasSubstr("more than the 1 cores"));
  EXPECT_EQ(WhyNever(Demand({.cores_per_worker = 4}), nodes), "");
}

}  // namespace
}  // namespace millrace
