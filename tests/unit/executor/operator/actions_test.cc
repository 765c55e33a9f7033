#include "executor/operator/actions.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/fake_task.h"

namespace millrace::internal {
namespace {

using std::string;
using std::string_view;

template <class T>
std::vector<T> DecodeAll(const string& bytes) {
  std::vector<T> records;
  Decoder decoder(bytes);
  while (!decoder.done()) Decode(decoder, records.emplace_back());
  EXPECT_FALSE(decoder.failed());
  return records;
}

class CollectTest : public ::testing::Test {
 protected:
  std::vector<string> Collect(Chunks<string_view> chunks, uint64_t limit) {
    FakeNode& node = task_.Node<CollectOperator<string_view>>(
        EncodeToString(limit), {&task_.Feed<string_view>(std::move(chunks))});
    EXPECT_TRUE(task_.RunRoot(node));
    return DecodeAll<string>(task_.TakeResult());
  }
  FakeTask task_;
};

TEST_F(CollectTest, ReturnsAllRecords) {
  EXPECT_EQ(Collect({{"a", "b"}, {"c"}}, UINT64_MAX), (std::vector<string>{"a", "b", "c"}));
  EXPECT_EQ(Collect({}, UINT64_MAX), std::vector<string>{});
}

TEST_F(CollectTest, ReturnsTheFirstRecordsUpToTheLimit) {
  const Chunks<string_view> chunks{{"a", "b"}, {"c", "d"}};
  EXPECT_EQ(Collect(chunks, 0), std::vector<string>{});
  EXPECT_EQ(Collect(chunks, 1), (std::vector<string>{"a"}));
  EXPECT_EQ(Collect(chunks, 2), (std::vector<string>{"a", "b"}));
  EXPECT_EQ(Collect(chunks, 3), (std::vector<string>{"a", "b", "c"}));
  EXPECT_EQ(Collect(chunks, 4), (std::vector<string>{"a", "b", "c", "d"}));
  EXPECT_EQ(Collect(chunks, 5), (std::vector<string>{"a", "b", "c", "d"}));
}

TEST_F(CollectTest, AFailureOfItsInputIsItsOwn) {
  struct Failing : Operator {
    bool Compute(TaskNode& node, AnySink* /*out*/) const override {
      return node.task().Fail(absl::UnknownError("no input"));
    }
  };
  FakeNode& node =
      task_.Node<CollectOperator<int>>(EncodeToString(uint64_t{5}), {&task_.Node<Failing>()});
  EXPECT_FALSE(task_.RunRoot(node));
  EXPECT_EQ(task_.status().code(), absl::StatusCode::kUnknown);
}

TEST_F(CollectTest, AFailureBehindTheLimitDoesNotHappen) {
  // The second chunk must not be asked for once the limit is reached.
  EXPECT_EQ(Collect({{"a"}, {"b"}}, 1), (std::vector<string>{"a"}));
  EXPECT_FALSE(task_.failed());
}

TEST(CountActionTest, ReturnsTheNumberOfRecords) {
  FakeTask task;
  FakeNode& node =
      task.Node<CountOperator<string_view>>("", {&task.Feed<string_view>({{"a", "b"}, {}, {"c"}})});
  ASSERT_TRUE(task.RunRoot(node));
  EXPECT_EQ(DecodeAll<int64_t>(task.TakeResult()), (std::vector<int64_t>{3}));
}

template <class T, class A, class F>
string Aggregate(FakeTask& task, Chunks<T> chunks, A zero, bool only_if_any, F f) {
  FakeNode& node = task.Node<AggregateOperator<T, A, F>>(
      EncodeFunctions(f) + EncodeToString(zero) + EncodeToString(only_if_any),
      {&task.Feed<T>(std::move(chunks))});
  EXPECT_TRUE(task.RunRoot(node));
  return task.TakeResult();
}

TEST(AggregateTest, FoldsFromZero) {
  FakeTask task;
  const auto append = [](string all, string_view word) { return all + string(word); };
  EXPECT_EQ(DecodeAll<string>(
                Aggregate<string_view>(task, {{"a", "b"}, {"c"}}, string(">"), false, append)),
            (std::vector<string>{">abc"}));
  EXPECT_EQ(DecodeAll<string>(Aggregate<string_view>(task, {}, string(">"), false, append)),
            (std::vector<string>{">"}));
  EXPECT_EQ(Aggregate<string_view>(task, {}, string(">"), true, append), "");
}

TEST(AggregateTest, ResultsThatViewTheirArgumentsAreOwned) {
  FakeTask task;
  const auto longest = [](string_view a, string_view b) { return a.size() > b.size() ? a : b; };
  EXPECT_EQ(DecodeAll<string>(
                Aggregate<string_view>(task, {{"a", "ccc"}, {"bb"}}, string(), false, longest)),
            (std::vector<string>{"ccc"}));
}

TEST(ReduceActionTest, StartsWithTheFirstRecord) {
  FakeTask task;
  const auto reduce = [&task](Chunks<int> chunks) {
    FakeNode& node =
        task.Node<ReduceOperator<int, std::minus<>>>("", {&task.Feed<int>(std::move(chunks))});
    EXPECT_TRUE(task.RunRoot(node));
    return DecodeAll<int>(task.TakeResult());
  };
  EXPECT_EQ(reduce({{10, 1}, {2}}), (std::vector<int>{7}));
  EXPECT_EQ(reduce({{}, {4}}), (std::vector<int>{4}));
  EXPECT_EQ(reduce({}), std::vector<int>{});
}

TEST(ForeachTest, SeesEveryRecord) {
  static std::vector<string> seen;
  const auto see = [](const string& record) { seen.push_back(record); };
  FakeTask task;
  FakeNode& node = task.Node<ForeachOperator<string_view, decltype(see)>>(
      "", {&task.Feed<string_view>({{"a"}, {"b"}})});
  EXPECT_TRUE(task.RunRoot(node));
  EXPECT_EQ(seen, (std::vector<string>{"a", "b"}));
}

TEST(ForeachTest, AnErrorEndsIt) {
  static int calls = 0;
  const auto refuse = [](int record) {
    ++calls;
    return record == 2 ? absl::InternalError("refused") : absl::OkStatus();
  };
  FakeTask task;
  FakeNode& node =
      task.Node<ForeachOperator<int, decltype(refuse)>>("", {&task.Feed<int>({{1, 2, 3}})});
  EXPECT_FALSE(task.RunRoot(node));
  EXPECT_EQ(task.status().message(), "an operator: refused");
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace millrace::internal
