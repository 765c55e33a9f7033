#include "executor/state/state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace millrace {
namespace {

using internal::StateMisuse;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(StateTest, AKeyWithoutState) {
  State<int> state(nullptr, false);
  EXPECT_FALSE(state.Exists());
  EXPECT_EQ(state.GetOption(), std::nullopt);
  EXPECT_FALSE(state.IsTimingOut());
  EXPECT_THAT([&state] { state.Get(); },
              ThrowsMessage<StateMisuse>(HasSubstr("State::Get: the key has no state")));
}

TEST(StateTest, AnUpdateIsSeenAtOnce) {
  const int current = 1;
  State<int> state(&current, false);
  EXPECT_EQ(state.Get(), 1);
  state.Update(2);
  EXPECT_EQ(state.Get(), 2);
  state.Update(3);
  EXPECT_EQ(state.next(), 3);
  EXPECT_EQ(current, 1);
}

TEST(StateTest, TheNewStateMayBeMadeOfTheOldOne) {
  State<std::string> state(nullptr, false);
  state.Update("a");
  state.Update(state.Get() + "b");
  EXPECT_EQ(state.Get(), "ab");
}

TEST(StateTest, ARemovedStateIsGone) {
  const int current = 1;
  State<int> state(&current, false);
  state.Update(2);
  state.Remove();
  EXPECT_FALSE(state.Exists());
  EXPECT_TRUE(state.is_removed());
  EXPECT_EQ(state.next(), std::nullopt);
  EXPECT_THAT([&state] { state.Update(1); }, ThrowsMessage<StateMisuse>(HasSubstr("after Remove")));
  EXPECT_THAT([&state] { state.Remove(); }, ThrowsMessage<StateMisuse>(HasSubstr("after Remove")));
}

TEST(StateTest, ATimingOutStateIsNotChanged) {
  const int current = 1;
  State<int> state(&current, true);
  EXPECT_TRUE(state.IsTimingOut());
  EXPECT_EQ(state.Get(), 1);
  EXPECT_THAT([&state] { state.Update(1); }, ThrowsMessage<StateMisuse>(HasSubstr("timing out")));
  EXPECT_THAT([&state] { state.Remove(); }, ThrowsMessage<StateMisuse>(HasSubstr("timing out")));
}

}  // namespace
}  // namespace millrace
