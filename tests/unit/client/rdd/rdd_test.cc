#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <millrace/context.h>
#include <millrace/rdd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {
namespace {

using std::string;
using std::string_view;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// One context for all tests: data sets leave nothing behind.
Context& TheContext() {
  static Context& context = *new Context(Conf().SetMaster("local[2]"));
  return context;
}

template <class T>
std::vector<T> Sorted(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  return values;
}

template <class T>
auto Collected(const RDD<T>& rdd) {
  auto records = rdd.Collect();
  EXPECT_TRUE(records.ok()) << records.status();
  return records.ok() ? *records : std::vector<Owned<T>>();
}

class RddTest : public ::testing::Test {
 protected:
  RDD<int> Numbers(int count, int n = 3) const {
    std::vector<int> values(static_cast<size_t>(count));
    std::iota(values.begin(), values.end(), 0);
    return context_.Parallelize(values, n);
  }
  RDD<string_view> Words(const std::vector<string>& words, int n = 2) const {
    return context_.Parallelize(words, n)
        .Map([](const string& word) { return word; })
        .MapPartitions<string_view>(
            [](PartitionReader<string>& records, Emitter<string_view>& emit) {
              for (const string& word : records) emit(word);
            });
  }

  using Pairs = std::vector<std::pair<string, int>>;
  RDD<std::pair<string, int>> Scores() const {
    return context_.Parallelize(Pairs{{"a", 1}, {"b", 2}, {"a", 3}, {"c", 4}, {"b", 5}}, 3);
  }

  Context& context_ = TheContext();
};

TEST_F(RddTest, ParallelizeCutsValuesEvenly) {
  EXPECT_THAT(Collected(Numbers(7, 3).Glom()),
              ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3), ElementsAre(4, 5, 6)));
  EXPECT_EQ(Numbers(2, 5).NumPartitions(), 5);
  EXPECT_EQ(Collected(Numbers(2, 5)), (std::vector<int>{0, 1}));
}

TEST_F(RddTest, OneRecordAtATime) {
  EXPECT_EQ(Collected(Numbers(4).Map([](int x) { return x * x; })), (std::vector<int>{0, 1, 4, 9}));
  EXPECT_EQ(Collected(Numbers(6).Filter([](int x) { return x % 2 == 0; })),
            (std::vector<int>{0, 2, 4}));
  EXPECT_EQ(Collected(Numbers(4).FlatMap([](int x) { return std::vector<int>(x, x); })),
            (std::vector<int>{1, 2, 2, 3, 3, 3}));
  EXPECT_EQ(Collected(Numbers(3).FlatMap<string>([](int x, Emitter<string>& emit) {
              emit(std::to_string(x));
              emit("-");
            })),
            (std::vector<string>{"0", "-", "1", "-", "2", "-"}));
}

TEST_F(RddTest, FunctionsMayTakeTheOwnedForm) {
  const auto words =
      context_.Parallelize(std::vector<string>{"b", "a", "bb"}).Map([](const string& s) {
        return s;
      });
  EXPECT_EQ(Collected(words.Filter([](const string& s) { return s[0] == 'b'; })),
            (std::vector<string>{"b", "bb"}));
}

TEST_F(RddTest, PartitionsAsAWhole) {
  EXPECT_EQ(Collected(Numbers(6, 2).MapPartitions<int>(
                [](PartitionReader<int>& records, Emitter<int>& emit) {
                  int sum = 0;
                  for (const int& x : records) sum += x;
                  emit(sum);
                })),
            (std::vector<int>{3, 12}));
  EXPECT_EQ((Collected(Numbers(4, 2).MapPartitionsWithIndex<std::pair<int, int>>(
                [](int index, PartitionReader<int>& records, Emitter<std::pair<int, int>>& emit) {
                  for (const int& x : records) emit({index, x});
                }))),
            (std::vector<std::pair<int, int>>{{0, 0}, {0, 1}, {1, 2}, {1, 3}}));
}

TEST_F(RddTest, RepartitionFillsPartitionsEvenly) {
  const auto parts = Collected(Numbers(100, 2).Repartition(7).Glom());
  ASSERT_EQ(parts.size(), 7u);
  std::vector<int> all;
  for (const auto& part : parts) {
    EXPECT_GE(part.size(), 13u);
    EXPECT_LE(part.size(), 16u);
    all.insert(all.end(), part.begin(), part.end());
  }
  EXPECT_EQ(Sorted(all), Collected(Numbers(100)));
}

TEST_F(RddTest, RepartitionNeedsAPositiveNumber) {
  const absl::Status status = Numbers(3).Repartition(0).Count().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("Repartition at rdd_test.cc:"));
}

TEST_F(RddTest, CoalesceJoinsNeighbours) {
  EXPECT_THAT(Collected(Numbers(6, 6).Coalesce(2).Glom()),
              ElementsAre(ElementsAre(0, 1, 2), ElementsAre(3, 4, 5)));
  EXPECT_EQ(Numbers(6, 2).Coalesce(5).NumPartitions(), 2);
  EXPECT_EQ(Collected(Numbers(6, 6).Map([](int x) { return x + 1; }).Coalesce(1)),
            (std::vector<int>{1, 2, 3, 4, 5, 6}));
}

TEST_F(RddTest, UnionKeepsEveryRecord) {
  const RDD<int> both = Numbers(2, 1).Union(Numbers(3, 2));
  EXPECT_EQ(both.NumPartitions(), 3);
  EXPECT_EQ(Collected(both), (std::vector<int>{0, 1, 0, 1, 2}));
}

TEST_F(RddTest, SetOperations) {
  const auto a = context_.Parallelize({1, 2, 2, 3, 3, 3}, 2);
  const auto b = context_.Parallelize({3, 4, 2, 3}, 3);
  EXPECT_EQ(Sorted(Collected(a.Distinct())), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(a.Distinct(5).NumPartitions(), 5);
  EXPECT_EQ(Sorted(Collected(a.Intersection(b))), (std::vector<int>{2, 3}));
  EXPECT_EQ(Sorted(Collected(a.Subtract(context_.Parallelize({1, 2})))),
            (std::vector<int>{3, 3, 3}));
  EXPECT_EQ(Sorted(Collected(b.Subtract(a))), (std::vector<int>{4}));
}

TEST_F(RddTest, SetOperationsOnViews) {
  const RDD<string> words = context_.Parallelize(std::vector<string>{"x", "y", "x"});
  const auto first = words.Map([](const string& s) { return std::pair(s, s.size()); });
  EXPECT_EQ(Collected(first.Distinct()).size(), 2u);
}

TEST_F(RddTest, CartesianIsAllPairs) {
  const auto pairs =
      Collected(Numbers(3, 2).Cartesian(Words({"a", "b"}, 2).Map([](string s) { return s; })));
  EXPECT_EQ(pairs.size(), 6u);
  std::set<std::pair<int, string>> all(pairs.begin(), pairs.end());
  EXPECT_EQ(all.size(), 6u);
}

TEST_F(RddTest, SortByKeyOrdersAllPartitions) {
  std::vector<std::pair<int, int>> pairs;
  for (int i = 0; i < 1000; ++i) pairs.emplace_back((i * 7919) % 251, i);
  const auto rdd = context_.Parallelize(pairs, 4);
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto sorted = rdd.SortByKey();
  EXPECT_GT(sorted.NumPartitions(), 1);
  EXPECT_EQ(Collected(sorted), pairs);
  EXPECT_EQ(Collected(rdd.SortByKey(true, 1)), pairs);
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  EXPECT_EQ(Collected(rdd.SortByKey(/*ascending=*/false, 3)), pairs);
}

TEST_F(RddTest, SortingSpreadsRecordsOverPartitions) {
  const auto parts = Collected(Numbers(10'000, 4).SortBy([](int x) { return -x; }, true, 5).Glom());
  ASSERT_EQ(parts.size(), 5u);
  for (const auto& part : parts) {
    EXPECT_GT(part.size(), 1000u);
    EXPECT_LT(part.size(), 3500u);
  }
}

TEST_F(RddTest, SortByTakesAnyOrderedKey) {
  const auto words = context_.Parallelize(std::vector<string>{"ccc", "a", "bb", "dd"}, 2);
  EXPECT_EQ(Collected(words.SortBy([](const string& s) { return s; }, false)),
            (std::vector<string>{"dd", "ccc", "bb", "a"}));
  EXPECT_EQ(Collected(words.SortBy([](const string& s) { return std::pair(s.size(), s); })),
            (std::vector<string>{"a", "bb", "dd", "ccc"}));
  EXPECT_EQ(Collected(context_.Parallelize(std::vector<string>{}, 3).SortBy([](const string& s) {
              return s;
            })),
            std::vector<string>{});
}

TEST_F(RddTest, AFailedSampleIsTheSortedDataSetsError) {
  const auto sorted = Numbers(10)
                          .Map([](int x) -> absl::StatusOr<int> {
                            if (x == 5) return absl::OutOfRangeError("five is too much");
                            return x;
                          })
                          .SortBy([](int x) { return x; });
  const auto result = sorted.Count();
  EXPECT_EQ(result.status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(string(result.status().message()), HasSubstr("five is too much"));
}

TEST_F(RddTest, ZipWithIndexNumbersAllRecords) {
  const auto indexed =
      Collected(Numbers(10, 4).Filter([](int x) { return x != 3; }).ZipWithIndex());
  ASSERT_EQ(indexed.size(), 9u);
  for (size_t i = 0; i < indexed.size(); ++i) EXPECT_EQ(indexed[i].second, static_cast<int64_t>(i));
  EXPECT_EQ(indexed[3].first, 4);
  EXPECT_EQ(Collected(Numbers(2, 1).ZipWithIndex()),
            (std::vector<std::pair<int, int64_t>>{{0, 0}, {1, 1}}));
}

TEST_F(RddTest, SamplesAreRepeatable) {
  const RDD<int> sample = Numbers(10'000, 3).Sample(false, 0.3, 17);
  const auto taken = Collected(sample);
  EXPECT_NEAR(static_cast<double>(taken.size()), 3000, 300);
  EXPECT_EQ(Collected(sample), taken);
  EXPECT_EQ(Collected(Numbers(10'000, 3).Sample(false, 0.3, 17)), taken);
  EXPECT_NE(Collected(Numbers(10'000, 3).Sample(false, 0.3, 18)), taken);
  EXPECT_EQ(std::set<int>(taken.begin(), taken.end()).size(), taken.size());
}

TEST_F(RddTest, SamplesWithReplacementRepeatRecords) {
  const auto taken = Collected(Numbers(10'000, 3).Sample(true, 2.0, 17));
  EXPECT_NEAR(static_cast<double>(taken.size()), 20'000, 700);
  EXPECT_LT(std::set<int>(taken.begin(), taken.end()).size(), 9500u);
}

TEST_F(RddTest, AWrongFractionIsAnError) {
  EXPECT_EQ(Numbers(10).Sample(false, 1.5).Count().status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Numbers(10).Sample(true, -1).Count().status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(RddTest, FoldsByKey) {
  EXPECT_EQ(Sorted(Collected(Scores().ReduceByKey(std::plus<>()))),
            (Pairs{{"a", 4}, {"b", 7}, {"c", 4}}));
  EXPECT_EQ(Scores().ReduceByKey(std::plus<>(), 5).NumPartitions(), 5);
  EXPECT_EQ(Sorted(Collected(Scores().FoldByKey(0, std::plus<>()))),
            (Pairs{{"a", 4}, {"b", 7}, {"c", 4}}));
  EXPECT_EQ(Sorted(Collected(Scores().AggregateByKey(
                string(), [](const string& all, int x) { return all + std::to_string(x); },
                [](const string& a, const string& b) { return a + b; }, 1))),
            (std::vector<std::pair<string, string>>{{"a", "13"}, {"b", "25"}, {"c", "4"}}));
  auto groups = Collected(Scores().GroupByKey());
  for (auto& group : groups) std::sort(group.second.begin(), group.second.end());
  EXPECT_THAT(groups, UnorderedElementsAre(std::pair("a", std::vector<int>{1, 3}),
                                           std::pair("b", std::vector<int>{2, 5}),
                                           std::pair("c", std::vector<int>{4})));
  EXPECT_THAT(Collected(Scores().CombineByKey(
                  [](int x) { return std::pair(x, 1); },
                  [](std::pair<int, int> c, int x) { return std::pair(c.first + x, c.second + 1); },
                  [](std::pair<int, int> a, std::pair<int, int> b) {
                    return std::pair(a.first + b.first, a.second + b.second);
                  })),
              UnorderedElementsAre(std::pair("a", std::pair(4, 2)), std::pair("b", std::pair(7, 2)),
                                   std::pair("c", std::pair(4, 1))));
}

TEST_F(RddTest, ToPairsAndBack) {
  EXPECT_EQ(Collected(Numbers(3).KeyBy([](int x) { return std::to_string(x); })),
            (Pairs{{"0", 0}, {"1", 1}, {"2", 2}}));
  EXPECT_EQ(Collected(Scores().Keys()), (std::vector<string>{"a", "b", "a", "c", "b"}));
  EXPECT_EQ(Collected(Scores().Values()), (std::vector<int>{1, 2, 3, 4, 5}));
  EXPECT_EQ(Collected(Scores().MapValues([](int x) { return x * 10; })),
            (Pairs{{"a", 10}, {"b", 20}, {"a", 30}, {"c", 40}, {"b", 50}}));
  EXPECT_EQ(
      Collected(Scores().FlatMapValues([](int x) { return std::vector<int>(x > 4 ? 2 : 0, x); })),
      (Pairs{{"b", 5}, {"b", 5}}));
  auto groups = Collected(Numbers(5).GroupBy([](int x) { return x % 2; }));
  for (auto& group : groups) std::sort(group.second.begin(), group.second.end());
  EXPECT_THAT(groups, UnorderedElementsAre(std::pair(0, std::vector<int>{0, 2, 4}),
                                           std::pair(1, std::vector<int>{1, 3})));
}

TEST_F(RddTest, JoinsAndCoGroups) {
  const auto names =
      context_.Parallelize(std::vector<std::pair<string, string>>{{"a", "Ada"}, {"d", "Dan"}}, 2);
  EXPECT_EQ(Sorted(Collected(Scores().Join(names))),
            (std::vector<std::pair<string, std::pair<int, string>>>{{"a", {1, "Ada"}},
                                                                    {"a", {3, "Ada"}}}));
  EXPECT_EQ(Collected(Scores().LeftOuterJoin(names)).size(), 5u);
  EXPECT_EQ(Collected(Scores().RightOuterJoin(names)).size(), 3u);
  EXPECT_EQ(Collected(Scores().FullOuterJoin(names, 4)).size(), 6u);
  EXPECT_EQ(
      Sorted(Collected(Scores().CoGroup(names)))[3],
      (std::pair<string, std::pair<std::vector<int>, std::vector<string>>>{"d", {{}, {"Dan"}}}));
  const auto all = Sorted(Collected(Scores().CoGroup(names, Scores(), names, Scores())));
  EXPECT_EQ(all.size(), 4u);
  EXPECT_EQ(std::get<3>(all[0].second), (std::vector<string>{"Ada"}));
  EXPECT_EQ(Sorted(Collected(Scores().SubtractByKey(names))),
            (Pairs{{"b", 2}, {"b", 5}, {"c", 4}}));
}

struct ByFirstLetter {
  int NumPartitions() const { return 26; }
  int GetPartition(const string& key) const { return key[0] - 'a'; }
};
struct Backwards {
  int NumPartitions() const { return 26; }
  int GetPartition(const string& key) const { return 'z' - key[0]; }
};

TEST_F(RddTest, APartitionerMayStandForANumber) {
  const auto parts = Collected(Scores().PartitionBy(ByFirstLetter()).Glom());
  ASSERT_EQ(parts.size(), 26u);
  EXPECT_EQ(parts[0], (Pairs{{"a", 1}, {"a", 3}}));
  EXPECT_EQ(parts[2], (Pairs{{"c", 4}}));
  EXPECT_EQ(Scores().ReduceByKey(std::plus<>(), ByFirstLetter()).NumPartitions(), 26);
  EXPECT_EQ(Scores().PartitionBy(HashPartitioner(3)).NumPartitions(), 3);
}

// Whatever the inputs are partitioned by, equal keys must meet.
TEST_F(RddTest, JoinsOfDifferentlyPartitionedDataSets) {
  const auto expected = Sorted(Collected(Scores().Join(Scores())));
  ASSERT_EQ(expected.size(), 9u);
  const auto by_letter = Scores().PartitionBy(ByFirstLetter());
  const auto backwards = Scores().PartitionBy(Backwards());
  const auto hashed = Scores().PartitionBy(5);
  for (const auto& left : {Scores(), by_letter, backwards, hashed}) {
    for (const auto& right : {Scores(), by_letter, backwards, hashed}) {
      EXPECT_EQ(Sorted(Collected(left.Join(right))), expected);
      EXPECT_EQ(Sorted(Collected(left.Join(right, ByFirstLetter()))), expected);
      EXPECT_EQ(Sorted(Collected(left.Join(right, 2))), expected);
      EXPECT_TRUE(Collected(left.SubtractByKey(right)).empty());
    }
  }
}

TEST_F(RddTest, UnionsOfPartitionedDataSetsStayPartitioned) {
  const auto a = Scores().PartitionBy(4);
  const auto both = a.Union(Scores().PartitionBy(4));
  EXPECT_EQ(both.NumPartitions(), 4);
  EXPECT_EQ(Sorted(Collected(both.ReduceByKey(std::plus<>(), 4))),
            (Pairs{{"a", 8}, {"b", 14}, {"c", 8}}));
}

TEST_F(RddTest, TakesTheFirstRecords) {
  EXPECT_THAT(*Numbers(100, 10).Take(5), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(Numbers(100, 10).Take(1000)->size(), 100u);
  EXPECT_TRUE(Numbers(100, 10).Take(0)->empty());
  EXPECT_TRUE(Numbers(100, 10).Take(-1)->empty());
  EXPECT_EQ(*Numbers(100, 10).Filter([](int x) { return x > 95; }).First(), 96);
  EXPECT_TRUE(*Numbers(0).IsEmpty());
  EXPECT_FALSE(*Numbers(1).IsEmpty());
  EXPECT_EQ(Numbers(0).First().status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RddTest, TakesTheFirstOfAnOrder) {
  const auto rdd = context_.Parallelize({5, 3, 9, 1, 7, 9}, 3);
  EXPECT_THAT(*rdd.Top(3), ElementsAre(9, 9, 7));
  EXPECT_THAT(*rdd.TakeOrdered(3), ElementsAre(1, 3, 5));
  EXPECT_THAT(*rdd.Top(2, std::greater<>()), ElementsAre(1, 3));
  EXPECT_THAT(*rdd.TakeOrdered(2, [](int a, int b) { return a % 5 < b % 5; }), ElementsAre(5, 1));
  EXPECT_EQ(rdd.Top(100)->size(), 6u);
  EXPECT_TRUE(rdd.Top(0)->empty());
  EXPECT_EQ(*rdd.Max(), 9);
  EXPECT_EQ(*rdd.Min(), 1);
  EXPECT_EQ(Numbers(0).Max().status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RddTest, OrdersOfRecordsWithViews) {
  const auto words = Words({"pear", "fig", "apple"});
  EXPECT_THAT(*words.Top(2), ElementsAre("pear", "fig"));
  EXPECT_THAT(
      *words.TakeOrdered(1, [](const string& a, const string& b) { return a.size() < b.size(); }),
      ElementsAre("fig"));
  const auto pairs = words.Map([](string_view w) { return std::pair(w, w.size()); });
  EXPECT_EQ(*pairs.Max(), (std::pair<string, size_t>("pear", 4)));
}

TEST_F(RddTest, Folds) {
  EXPECT_EQ(*Numbers(10).Reduce(std::plus<>()), 45);
  EXPECT_EQ(Numbers(0).Reduce(std::plus<>()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(*Numbers(10, 3).Fold(0, std::plus<>()), 45);
  EXPECT_EQ(*Numbers(10, 3).Fold(1, std::plus<>()), 49)
      << "zero counts once a partition and at the end";
  EXPECT_EQ(*Numbers(3).Aggregate(
                "", [](const string& all, int x) { return all + std::to_string(x); },
                [](const string& a, const string& b) { return a + b; }),
            "012");
  EXPECT_EQ(*Numbers(10).Sum(), 45);
  EXPECT_EQ(*context_.Parallelize({0.5, 0.25}).Sum(), 0.75);
  EXPECT_EQ(*context_.Parallelize({2'000'000'000, 2'000'000'000}).Sum(), 4'000'000'000);
  EXPECT_EQ(*Numbers(10).Count(), 10);
}

TEST_F(RddTest, CountsOfValuesAndKeys) {
  const auto by_value = context_.Parallelize({3, 1, 3, 2, 3}, 2).CountByValue();
  EXPECT_EQ(*by_value, (std::map<int, int64_t>{{1, 1}, {2, 1}, {3, 3}}));
  EXPECT_EQ(*Scores().CountByKey(), (std::map<string, int64_t>{{"a", 2}, {"b", 2}, {"c", 1}}));
  EXPECT_EQ(*Scores().CollectAsMap(), (std::map<string, int>{{"a", 3}, {"b", 5}, {"c", 4}}));
  EXPECT_EQ(Words({"x", "y", "x"}).CountByValue()->at("x"), 2);
}

TEST_F(RddTest, LookupFindsTheValuesOfAKey) {
  EXPECT_EQ(Sorted(*Scores().Lookup("a")), (std::vector<int>{1, 3}));
  EXPECT_TRUE(Scores().Lookup("z")->empty());
  EXPECT_EQ(Sorted(*Scores().PartitionBy(7).Lookup("b")), (std::vector<int>{2, 5}));
  EXPECT_EQ(Sorted(*Scores().PartitionBy(ByFirstLetter()).Lookup("b")), (std::vector<int>{2, 5}));
}

std::atomic<int> effect_sum{0};

TEST_F(RddTest, Effects) {
  effect_sum = 0;
  EXPECT_TRUE(Numbers(10).Foreach([](int x) { effect_sum += x; }).ok());
  EXPECT_EQ(effect_sum, 45);
  EXPECT_TRUE(Numbers(10)
                  .ForeachPartition([](PartitionReader<int>& records) {
                    for (const int& x : records) effect_sum += x;
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(effect_sum, 90);
}

TEST_F(RddTest, ErrorsNameTheOperatorAndItsPlace) {
  const auto result = Numbers(3)
                          .Map([](int x) -> absl::StatusOr<int> {
                            return absl::InvalidArgumentError("odd record " + std::to_string(x));
                          })
                          .Collect();
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(string(result.status().message()), HasSubstr("Map at rdd_test.cc:"));
  EXPECT_THAT(string(result.status().message()), HasSubstr("odd record"));
}

TEST_F(RddTest, ExceptionsFailTheJobAndNothingElse) {
  const auto status = Numbers(3).Foreach([](int) { throw std::runtime_error("thrown"); });
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(string(status.message()), HasSubstr("thrown"));
  EXPECT_EQ(*Numbers(3).Count(), 3);
}

std::atomic<int> computations{0};

// What tasks returned is brought together in the program, by the user's functions.
TEST_F(RddTest, ExceptionsInTheProgramAreErrorsToo) {
  const auto numbers = context_.Parallelize({1, 2}, 2);  // One a partition: tasks merge nothing.
  const auto merge = [](int, int) -> int { throw std::runtime_error("no merge"); };
  const auto less = [](int, int) -> bool { throw std::runtime_error("no order"); };
  EXPECT_THAT(numbers.Reduce(merge).status().ToString(),
              AllOf(HasSubstr("Reduce at rdd_test.cc"), HasSubstr("no merge")));
  EXPECT_THAT(numbers.Aggregate(0, std::plus<>(), merge).status().ToString(),
              HasSubstr("no merge"));
  EXPECT_THAT(numbers.TakeOrdered(2, less).status().ToString(), HasSubstr("no order"));
  EXPECT_THAT(numbers.Top(2, less).status().ToString(), HasSubstr("no order"));
}

TEST_F(RddTest, APersistedDataSetIsComputedOnce) {
  computations = 0;
  const auto rdd = Numbers(10)
                       .Map([](int x) {
                         ++computations;
                         return x;
                       })
                       .Cache();
  EXPECT_EQ(*rdd.Count(), 10);
  EXPECT_EQ(*rdd.Count(), 10);
  EXPECT_EQ(Collected(rdd), Collected(Numbers(10)));
  EXPECT_EQ(computations, 10);
  rdd.Unpersist();
  EXPECT_EQ(*rdd.Count(), 10);
  EXPECT_EQ(computations, 20);
}

TEST_F(RddTest, AnEmptyHandleHasNoDataSet) {
  const RDD<int> empty;
  EXPECT_FALSE(empty);
  EXPECT_EQ(empty.Count().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(empty.Collect().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(empty.Take(0).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(empty.Take(3).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(empty.CountByValue().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(empty.SaveAsTextFile("nowhere").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(empty.Map([](int x) { return x; }));
  EXPECT_FALSE(empty.Union(Numbers(3)));
  EXPECT_FALSE(empty.Distinct());
  EXPECT_FALSE(empty.Repartition(3));
  EXPECT_FALSE(empty.Coalesce(3));
  EXPECT_FALSE(empty.SortBy([](int x) { return x; }));
  EXPECT_FALSE(empty.ZipWithIndex());
  EXPECT_FALSE(empty.Cartesian(Numbers(3)));
  EXPECT_FALSE(empty.Sample(false, 0.5));
  EXPECT_FALSE(empty.Cache());
  const RDD<std::pair<string, int>> no_pairs;
  EXPECT_FALSE(no_pairs.ReduceByKey(std::plus<>()));
  EXPECT_FALSE(no_pairs.Join(Scores()));
  EXPECT_FALSE(Scores().Join(no_pairs));
  EXPECT_FALSE(no_pairs.PartitionBy(3));
  EXPECT_FALSE(no_pairs.SortByKey());
  EXPECT_EQ(no_pairs.Lookup("a").status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace millrace
