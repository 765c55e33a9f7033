#include "common/config/properties.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/fs/file_util.h"
#include "tests/support/memory_file_system.h"

namespace millrace {
namespace {

TEST(ParsePropertiesTest, TakesBothFormsCommentsAndBlankLines) {
  const absl::StatusOr<Conf> conf = ParseProperties(
      "# defaults\n"
      "\n"
      "millrace.master            local[4]\r\n"
      "  millrace.app.name = word count  \n"
      "my.url=jdbc:x?a=b\n"
      "my.tab\tvalue # not a comment\n"
      "my.tab\tlast",
      "f.conf");
  ASSERT_TRUE(conf.ok()) << conf.status();
  EXPECT_EQ(*conf, Conf()
                       .Set("millrace.master", "local[4]")
                       .Set("millrace.app.name", "word count")
                       .Set("my.url", "jdbc:x?a=b")
                       .Set("my.tab", "last"));
}

TEST(ParsePropertiesTest, AnEmptyFileSetsNothing) { EXPECT_EQ(*ParseProperties("", "f"), Conf()); }

TEST(ParsePropertiesTest, NamesFileAndLineOfAMistake) {
  EXPECT_EQ(ParseProperties("a 1\n\nkey-alone\n", "conf/defaults.conf").status(),
            absl::InvalidArgumentError("conf/defaults.conf:3: 'key-alone' is no setting; write "
                                       "'key value' or 'key = value'"));
  EXPECT_FALSE(ParseProperties("= value", "f").ok());
  EXPECT_FALSE(ParseProperties("key =", "f").ok());
}

TEST(ReadPropertiesFileTest, ReadsOneAndNamesItInErrors) {
  MemoryFileSystem fs;
  ASSERT_TRUE(WriteFileAtomically(fs, "/good.conf", "a 1\n").ok());
  EXPECT_EQ(*ReadPropertiesFile(fs, "/good.conf"), Conf().Set("a", "1"));
  ASSERT_TRUE(WriteFileAtomically(fs, "/bad.conf", "a 1\nb\n").ok());
  EXPECT_THAT(std::string(ReadPropertiesFile(fs, "/bad.conf").status().message()),
              ::testing::StartsWith("/bad.conf:2: 'b' is no setting"));
  EXPECT_EQ(ReadPropertiesFile(fs, "/none.conf").status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(WriteFileAtomically(fs, "/huge.conf", std::string((1 << 20) + 1, '\n')).ok());
  EXPECT_EQ(ReadPropertiesFile(fs, "/huge.conf").status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(SetFromAssignmentTest, TakesWhatStandsBehindTheFirstEqualsSign) {
  Conf conf;
  EXPECT_TRUE(SetFromAssignment("a=b=c", conf).ok());
  EXPECT_TRUE(SetFromAssignment("empty=", conf).ok());
  EXPECT_EQ(conf, Conf().Set("a", "b=c").Set("empty", ""));
  EXPECT_EQ(SetFromAssignment("novalue", conf),
            absl::InvalidArgumentError("'novalue' is no setting; write KEY=VALUE"));
  EXPECT_FALSE(SetFromAssignment("=x", conf).ok());
}

}  // namespace
}  // namespace millrace
