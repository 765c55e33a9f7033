#include "common/config/keys.h"

#include <gtest/gtest.h>

#include <set>

#include "common/config/conf_value.h"

namespace millrace {
namespace {

TEST(KeysTest, EveryKeyIsNamedDocumentedAndUnique) {
  std::set<std::string_view> names;
  for (const ConfKeyInfo* key : AllConfKeys()) {
    EXPECT_TRUE(key->name.starts_with("millrace.")) << key->name;
    EXPECT_FALSE(key->doc.empty()) << key->name;
    EXPECT_FALSE(key->doc.ends_with('.')) << key->name;
    EXPECT_TRUE(names.insert(key->name).second) << key->name;
    EXPECT_EQ(FindConfKey(key->name), key);
    EXPECT_EQ(FindRetiredKey(key->name), nullptr) << key->name;
  }
  EXPECT_GT(names.size(), 100u);
}

TEST(KeysTest, EveryDefaultIsAnAllowedValue) {
  for (const ConfKeyInfo* key : AllConfKeys()) {
    if (key->default_text.empty()) continue;
    EXPECT_TRUE(CheckConfValue(*key, key->default_text).ok())
        << CheckConfValue(*key, key->default_text);
  }
}

TEST(KeysTest, UnitsAreThoseOfTheirType) {
  for (const ConfKeyInfo* key : AllConfKeys()) {
    if (key->type == ConfType::kDuration) {
      EXPECT_TRUE(ParseDuration("1", key->unit).has_value()) << key->name;
    } else if (key->type == ConfType::kBytes) {
      EXPECT_TRUE(ParseBytes("1", key->unit).has_value()) << key->name;
    } else {
      EXPECT_EQ(key->unit, "") << key->name;
    }
  }
}

TEST(KeysTest, AreFoundByNameAndOlderName) {
  EXPECT_EQ(FindConfKey("millrace.streaming.blockInterval"), &keys::kBlockInterval);
  EXPECT_EQ(FindConfKey("millrace.streaming.minRememberDuration"), &keys::kFileMinRememberDuration);
  EXPECT_EQ(FindConfKey("millrace.streaming.blockinterval"), nullptr);
  EXPECT_EQ(FindConfKey(""), nullptr);
}

TEST(NearestConfKeyTest, FindsWhatWasMeant) {
  EXPECT_EQ(&NearestConfKey("millrace.streaming.blockIntervall"), &keys::kBlockInterval);
  EXPECT_EQ(&NearestConfKey("millrace.streaming.blockinterval"), &keys::kBlockInterval);
  EXPECT_EQ(&NearestConfKey("millrace.blockInterval"), &keys::kBlockInterval);
  EXPECT_EQ(&NearestConfKey("millrace.task.maxFailure"), &keys::kTaskMaxFailures);
  EXPECT_EQ(&NearestConfKey("millrace.streaming.backpressure.enable"), &keys::kBackpressureEnabled);
  EXPECT_EQ(&NearestConfKey("millrace.streaming.receiver.restartDelay"),
            &keys::kReceiverRestartDelay);
}

// The whole of it would take minutes.
TEST(NearestConfKeyTest, ANameOfAnyLengthIsComparedInNoTime) {
  std::string name = "millrace.streaming.blockIntervall";
  name.resize(size_t{4} << 20, 'x');
  EXPECT_TRUE(NearestConfKey(name).name.starts_with("millrace."));
}

}  // namespace
}  // namespace millrace
