#include "client/rdd/accumulator_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "client/rdd/accumulator.h"

namespace millrace::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

int64_t AddUp(int64_t a, int64_t b) {
  if (b < 0) throw std::out_of_range("negative");
  return a + b;
}

class AccumulatorBookTest : public ::testing::Test {
 protected:
  template <class A = int64_t>
  std::shared_ptr<SharedAccumulator> Add(int64_t id, const std::string& name) {
    auto accumulator = std::make_shared<SharedAccumulator>();
    accumulator->name = name;
    accumulator->parts = std::make_unique<TypedParts<A>>(
        A{}, +[](A a, A b) { return static_cast<A>(AddUp(a, b)); }, !name.empty());
    book_.Add(id, accumulator);
    return accumulator;
  }
  static void Update(SharedAccumulator& accumulator, int64_t value, int64_t batch_ms) {
    const absl::MutexLock lock(&accumulator.mutex);
    EXPECT_TRUE(accumulator.parts->Take(EncodeToString(value), batch_ms));
  }
  static int64_t ValueOf(SharedAccumulator& accumulator) {
    const absl::MutexLock lock(&accumulator.mutex);
    return static_cast<const TypedParts<int64_t>&>(*accumulator.parts).Value();
  }
  std::map<std::string, int64_t> Saved() const {
    std::map<std::string, int64_t> values;
    for (const AccumulatorBook::Saved& saved : book_.Save()) {
      EXPECT_EQ(saved.schema, "i64");
      EXPECT_TRUE(DecodeFromBytes(saved.value, values[saved.name]));
    }
    return values;
  }
  static AccumulatorBook::Saved Number(const std::string& name, int64_t value) {
    return {name, "i64", EncodeToString(value)};
  }

  AccumulatorBook book_;
};

using Values = std::map<std::string, int64_t>;

TEST_F(AccumulatorBookTest, SavesWhatBatchesThatHaveEndedHaveAdded) {
  const auto sum = Add(1, "sum");
  const auto unnamed = Add(2, "");
  for (const auto& accumulator : {sum, unnamed}) {
    Update(*accumulator, 1, -1);
    Update(*accumulator, 20, 1000);
    Update(*accumulator, 300, 2000);
  }
  EXPECT_THAT(Saved(), IsEmpty());
  book_.EndBatches(1000);
  EXPECT_EQ(Saved(), (Values{{"sum", 20}}));
  EXPECT_EQ(ValueOf(*sum), 321);
  Update(*sum, 7, 1000);  // Made once more.
  book_.EndBatches(2000);
  EXPECT_EQ(Saved(), (Values{{"sum", 320}}));
  EXPECT_EQ(ValueOf(*sum), 321);
  EXPECT_EQ(ValueOf(*unnamed), 321);
}

TEST_F(AccumulatorBookTest, GoesOnWithWhatWasSavedWheneverItIsMade) {
  const auto early = Add(1, "early");
  Update(*early, 1, -1);
  Update(*early, 2, 500);
  ASSERT_TRUE(book_.Restore({Number("early", 10), Number("late", 20)}, 1000, false).ok());
  EXPECT_EQ(ValueOf(*early), 11);
  EXPECT_EQ(Saved(), (Values{{"early", 10}, {"late", 20}}));
  const auto late = Add(2, "late");
  EXPECT_EQ(ValueOf(*late), 20);
  for (const auto& accumulator : {early, late}) {
    Update(*accumulator, 100, 1000);  // Has ended.
    Update(*accumulator, 200, 2000);
  }
  EXPECT_EQ(ValueOf(*early), 211);
  EXPECT_EQ(ValueOf(*late), 220);
  book_.EndBatches(2000);
  EXPECT_EQ(Saved(), (Values{{"early", 210}, {"late", 220}}));
}

TEST_F(AccumulatorBookTest, OfOneNameEachHasItsOwn) {
  const auto first = Add(1, "sum");
  const auto second = Add(2, "sum");
  Update(*first, 1, 1000);
  Update(*second, 2, 1000);
  book_.EndBatches(1000);
  EXPECT_EQ(Saved(), (Values{{"sum", 1}, {"sum#2", 2}}));
  book_.Remove(1);
  EXPECT_EQ(Saved(), (Values{{"sum#2", 2}}));
  Add(3, "sum");
  ASSERT_TRUE(book_.Restore({Number("sum", 10), Number("sum#2", 20)}, 1000, false).ok());
  EXPECT_EQ(ValueOf(*second), 20);
}

TEST_F(AccumulatorBookTest, AnotherTypeIsAnErrorAndNothingChanges) {
  const auto sum = Add(1, "sum");
  const auto number = Add<uint8_t>(2, "number");
  Update(*sum, 5, 1000);
  const auto saved = {Number("sum", 10), Number("number", 3)};
  const absl::Status status = book_.Restore(saved, 1000, false);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("accumulator 'number' adds up u8, and was saved as i64"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("allowStateLoss=true"));
  EXPECT_EQ(ValueOf(*sum), 5);
  EXPECT_TRUE(book_.Restore(saved, 1000, true).ok());
  EXPECT_EQ(ValueOf(*sum), 10);
  EXPECT_EQ(Saved(), (Values{{"sum", 10}}));
}

TEST_F(AccumulatorBookTest, AFunctionThatThrowsLosesTheUpdateAndNothingElse) {
  const auto sum = Add(1, "sum");
  const auto other = Add(2, "other");
  Update(*sum, 5, 1000);
  {
    const absl::MutexLock lock(&sum->mutex);
    EXPECT_THROW(sum->parts->Take(EncodeToString(int64_t{-1}), 2000), std::out_of_range);
  }
  Update(*other, 7, 2000);
  book_.EndBatches(2000);
  EXPECT_EQ(Saved(), (Values{{"other", 7}, {"sum", 5}}));
  EXPECT_EQ(ValueOf(*sum), 5);
}

}  // namespace
}  // namespace millrace::internal
