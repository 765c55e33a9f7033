// Every kind of record passes through tasks, the cache and shuffles, as a value and as a key, and
// has a text form.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <millrace/context.h>

#include <array>
#include <cstdint>
#include <deque>
#include <forward_list>
#include <functional>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "common/text/text_form.h"
#include "common/time/time.h"
#include "proto/plan.pb.h"

namespace millrace {
namespace {

using std::string_view;
using Lines = std::vector<std::string>;

enum class Color : uint8_t { kRed = 1, kBlue = 7 };

struct Shirt {
  int64_t size = 0;
  std::vector<Color> colors;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(size, colors);
  }
  friend bool operator==(const Shirt&, const Shirt&) = default;
  template <class Sink>
  friend void AbslStringify(Sink& sink, const Shirt& shirt) {
    sink.Append("size " + std::to_string(shirt.size));
  }
};

struct HashesItself {
  int64_t id = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(id);
  }
  friend bool operator==(const HashesItself&, const HashesItself&) = default;
  uint64_t StableHash() const { return static_cast<uint64_t>(id); }
};

class RecordTypesTest : public ::testing::Test {
 protected:
  // The text form of `values`, which differ, after they have been persisted and read back, and
  // after each of them was the key of two records.
  template <class T>
  Lines RoundTrip(std::vector<Owned<T>> values) {
    const RDD<T> records =
        context_.Parallelize(values, 2)
            .Map([](const Owned<T>& value) { return value; })
            .template MapPartitions<T>([](PartitionReader<Owned<T>>& reader, Emitter<T>& emit) {
              for (const Owned<T>& value : reader) emit(internal::ViewOf<T>(value));
            })
            .Persist(StorageLevel::kMemoryAndDisk);
    EXPECT_EQ(records.Count().value(), static_cast<int64_t>(values.size()));
    const auto counts = records.Union(records)
                            .Map([](const T& value) { return std::pair(value, 1); })
                            .ReduceByKey(std::plus<>(), 3)
                            .Collect();
    EXPECT_TRUE(counts.ok()) << counts.status();
    if (counts.ok()) {
      EXPECT_EQ(counts->size(), values.size());
      for (const auto& [value, count] : *counts) EXPECT_EQ(count, 2);
    }
    Lines texts;
    const auto collected = records.Collect();
    EXPECT_TRUE(collected.ok()) << collected.status();
    if (collected.ok()) {
      EXPECT_EQ(*collected, values);
      for (const Owned<T>& value : *collected) texts.push_back(ToText(value));
    }
    return texts;
  }

  Context context_{Conf().SetMaster("local[2]")};
};

TEST_F(RecordTypesTest, Scalars) {
  EXPECT_EQ(RoundTrip<char>({'a', 'b'}), (Lines{"a", "b"}));
  EXPECT_EQ(RoundTrip<int8_t>({-1, 2}), (Lines{"-1", "2"}));
  EXPECT_EQ(RoundTrip<uint64_t>({1, std::numeric_limits<uint64_t>::max()}),
            (Lines{"1", "18446744073709551615"}));
  EXPECT_EQ(RoundTrip<float>({0.1F, 2.0F}), (Lines{"0.1", "2.0"}));
  EXPECT_EQ(RoundTrip<double>({0.1, 2.0, 1e300}), (Lines{"0.1", "2.0", "1e+300"}));
  EXPECT_EQ(RoundTrip<Color>({Color::kRed, Color::kBlue}), (Lines{"1", "7"}));
  EXPECT_EQ(RoundTrip<Time>({Time(1), Time(2)}), (Lines{"1 ms", "2 ms"}));
}

TEST_F(RecordTypesTest, Texts) {
  const Lines texts{"a", "", "longer than any short string, so it is kept elsewhere"};
  EXPECT_EQ(RoundTrip<std::string>(texts), texts);
  EXPECT_EQ(RoundTrip<string_view>(texts), texts);
}

TEST_F(RecordTypesTest, Compounds) {
  EXPECT_EQ((RoundTrip<std::pair<string_view, int>>({{"a", 1}, {"a", 2}})),
            (Lines{"(a,1)", "(a,2)"}));
  EXPECT_EQ((RoundTrip<std::tuple<string_view, int, double>>({{"a", 1, 1.5}, {"b", 2, 2}})),
            (Lines{"(a,1,1.5)", "(b,2,2.0)"}));
  EXPECT_EQ(RoundTrip<std::tuple<>>({std::tuple<>()}), Lines{"()"});
  EXPECT_EQ((RoundTrip<std::optional<string_view>>({"a", std::nullopt})),
            (Lines{"some(a)", "none"}));
  EXPECT_EQ((RoundTrip<std::variant<std::monostate, int, string_view>>({std::monostate(), 1, "x"})),
            (Lines{"none", "1", "x"}));
  EXPECT_EQ((RoundTrip<std::array<string_view, 2>>({{{"a", "b"}}, {{"", "c"}}})),
            (Lines{"[a,b]", "[,c]"}));
}

TEST_F(RecordTypesTest, Containers) {
  EXPECT_EQ(RoundTrip<std::vector<string_view>>({{"a", "b"}, {}}), (Lines{"[a,b]", "[]"}));
  EXPECT_EQ(RoundTrip<std::vector<bool>>({{true, false}, {}}), (Lines{"[true,false]", "[]"}));
  EXPECT_EQ(RoundTrip<std::deque<int>>({{1}, {}}), (Lines{"[1]", "[]"}));
  EXPECT_EQ(RoundTrip<std::list<std::string>>({{"a"}, {}}), (Lines{"[a]", "[]"}));
  EXPECT_EQ(RoundTrip<std::forward_list<string_view>>({{"a", "b"}, {}}), (Lines{"[a,b]", "[]"}));
  EXPECT_EQ(RoundTrip<std::set<string_view>>({{"a", "b"}, {}}), (Lines{"[a,b]", "[]"}));
  EXPECT_EQ(RoundTrip<std::multiset<int>>({{1, 1}, {}}), (Lines{"[1,1]", "[]"}));
  EXPECT_EQ((RoundTrip<std::map<string_view, string_view>>({{{"k", "v"}}, {}})),
            (Lines{"{k:v}", "{}"}));
  EXPECT_EQ((RoundTrip<std::multimap<int, int>>({{{1, 2}, {1, 3}}, {}})),
            (Lines{"{1:2,1:3}", "{}"}));
  EXPECT_EQ((RoundTrip<std::unordered_map<std::string, int>>({{{"k", 1}}, {}})),
            (Lines{"{k:1}", "{}"}));
  EXPECT_EQ(RoundTrip<std::unordered_set<int>>({{3}, {}}), (Lines{"[3]", "[]"}));
}

TEST_F(RecordTypesTest, Structs) {
  EXPECT_EQ(RoundTrip<Shirt>({{1, {Color::kRed}}, {2, {}}}), (Lines{"size 1", "size 2"}));
  EXPECT_EQ((RoundTrip<std::vector<std::pair<Shirt, std::optional<string_view>>>>(
                {{{Shirt{3, {}}, "x"}}, {}})),
            (Lines{"[(size 3,some(x))]", "[]"}));
  const auto sums = context_.Parallelize({1, 2, 1})
                        .Map([](int id) { return std::pair(HashesItself{id}, 1); })
                        .ReduceByKey(std::plus<>());
  EXPECT_EQ(sums.Count().value(), 2);
}

TEST_F(RecordTypesTest, Messages) {
  proto::PlanNode node;
  node.set_operator_name("Map");
  const auto grouped = context_.Parallelize(std::vector{node, node})
                           .KeyBy([](const proto::PlanNode& n) { return n.operator_name(); })
                           .GroupByKey()
                           .MapValues([](std::vector<proto::PlanNode> nodes) {
                             nodes.front().set_label("first of " + std::to_string(nodes.size()));
                             return nodes.front();
                           })
                           .Values()
                           .Collect();
  ASSERT_TRUE(grouped.ok()) << grouped.status();
  ASSERT_EQ(grouped->size(), 1u);
  EXPECT_EQ(ToText(grouped->front()), R"(operator_name: "Map" label: "first of 2")");
}

}  // namespace
}  // namespace millrace
