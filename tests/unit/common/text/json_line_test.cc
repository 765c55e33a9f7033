#include "common/text/json_line.h"

#include <optional>

#include "gtest/gtest.h"

namespace millrace {
namespace {

TEST(JsonLineTest, WritesFieldsInOrder) {
  EXPECT_EQ(JsonLine().Add("a", "x").Add("b", -5).Add("c", true).Take(),
            "{\"a\":\"x\",\"b\":-5,\"c\":true}\n");
  EXPECT_EQ(JsonLine().Take(), "{}\n");
}

TEST(JsonLineTest, LeavesOutWhatIsAbsent) {
  EXPECT_EQ(JsonLine().Add("a", std::optional<int64_t>()).Add("b", std::optional("x")).Take(),
            "{\"b\":\"x\"}\n");
}

TEST(JsonLineTest, NestsObjectsAndLists) {
  JsonLine line;
  line.BeginList("l").BeginElement().Add("a", 1).End().BeginElement().End().EndList();
  line.BeginObject("o").Add("b", 2).End().BeginList("none").EndList().Add("c", 3);
  EXPECT_EQ(line.Take(), "{\"l\":[{\"a\":1},{}],\"o\":{\"b\":2},\"none\":[],\"c\":3}\n");
}

TEST(JsonLineTest, EscapesWhatJsonDoesNotAllow) {
  EXPECT_EQ(JsonLine().Add("a", std::string_view("\"\\\n\r\t\0\x1f/", 8)).Take(),
            "{\"a\":\"\\\"\\\\\\n\\r\\t\\u0000\\u001f/\"}\n");
  EXPECT_EQ(JsonLine().Add("{", "[").Add("b", "{").Take(), "{\"{\":\"[\",\"b\":\"{\"}\n");
}

TEST(JsonLineTest, KeepsUtf8AndReplacesTheRest) {
  EXPECT_EQ(JsonLine().Add("a", "ü€😀").Take(), "{\"a\":\"ü€😀\"}\n");
  // A lone byte, a cut character, an overlong one, half a surrogate pair.
  for (const char* wrong : {"\xFF", "\xE2\x82", "\xC0\x80", "\xED\xA0\x80"}) {
    const std::string text = JsonLine().Add("a", wrong).Take();
    EXPECT_NE(text.find("\xEF\xBF\xBD"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace millrace
