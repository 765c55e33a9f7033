#include "client/rdd/broadcast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <millrace/context.h>

#include <atomic>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {
namespace {

using std::string;
using ::testing::HasSubstr;

Context& TheContext() {
  static Context& context = *new Context(Conf().SetMaster("local[2]"));
  return context;
}

TEST(BroadcastTest, IsThereInTheProgram) {
  const auto broadcast = TheContext().Broadcast(std::vector<int>{1, 2, 3});
  EXPECT_EQ(broadcast.Value(), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(TheContext().Broadcast("literal").Value(), string("literal"));
}

TEST(BroadcastTest, IsThereInEveryTask) {
  const auto names = TheContext().Broadcast(std::map<int, string>{{1, "one"}, {2, "two"}});
  const auto result = TheContext()
                          .Parallelize({1, 2, 1, 2}, 4)
                          .Map(BindFront([](const Broadcast<std::map<int, string>>& names,
                                            int x) { return names.Value().at(x); },
                                         names))
                          .Collect();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(*result, (std::vector<string>{"one", "two", "one", "two"}));
}

TEST(BroadcastTest, IsThereBehindAndBeforeAShuffle) {
  const auto factor = TheContext().Broadcast(10);
  const auto scaled_sum = BindFront(
      [](const Broadcast<int>& factor, int a, int b) { return factor.Value() * (a + b); }, factor);
  const auto result = TheContext()
                          .Parallelize(std::vector<std::pair<int, int>>{{1, 1}, {1, 2}}, 1)
                          .ReduceByKey(scaled_sum)
                          .Collect();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->at(0).second, 30);
}

TEST(BroadcastTest, IsThereInActions) {
  const auto offset = TheContext().Broadcast(100);
  EXPECT_EQ(*TheContext().Parallelize({1}, 1).Aggregate(
                0,
                BindFront([](const Broadcast<int>& offset, int sum,
                             int x) { return sum + x + offset.Value(); },
                          offset),
                std::plus<>()),
            101);
}

TEST(BroadcastTest, LivesAsLongAsWhatReadsIt) {
  const auto rdd = [] {
    const auto value = TheContext().Broadcast(string("still here"));
    return TheContext().Parallelize({1}, 1).Map(
        BindFront([](const Broadcast<string>& value, int) { return value.Value(); }, value));
  }();
  for (int i = 0; i < 2; ++i) {
    const auto result = rdd.Collect();
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(*result, (std::vector<string>{"still here"}));
  }
}

std::atomic<int> decoded{0};

struct CountsDecoding {
  int value = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value);
    if constexpr (std::is_same_v<Archive, internal::DecodeArchive>) ++decoded;
  }
};

TEST(BroadcastTest, IsDecodedOnceInAProcess) {
  decoded = 0;
  const auto value = TheContext().Broadcast(CountsDecoding{7});
  const auto rdd = TheContext()
                       .Range(0, 1000, 1, 8)
                       .Map(BindFront([](const Broadcast<CountsDecoding>& value,
                                         int64_t) { return value.Value().value; },
                                      value));
  EXPECT_EQ(*rdd.Sum(), 7000);
  EXPECT_EQ(*rdd.Sum(), 7000);
  EXPECT_EQ(decoded, 1);
}

TEST(BroadcastTest, AnEmptyHandleFailsItsTask) {
  const auto status =
      TheContext()
          .Parallelize({1}, 1)
          .Map(BindFront([](const Broadcast<int>& b, int) { return b.Value(); }, Broadcast<int>()))
          .Count()
          .status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(string(status.message()), HasSubstr("roadcast"));
}

}  // namespace
}  // namespace millrace
