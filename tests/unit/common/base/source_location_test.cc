#include "common/base/source_location.h"

#include <gtest/gtest.h>

#include <sstream>

namespace millrace::internal {
namespace {

Location Where(Location at = Location::Current()) { return at; }

TEST(LocationTest, IsTheCallersPlace) {
  const Location at = Where();
  EXPECT_EQ(at.line, __LINE__ - 1);
  EXPECT_EQ(std::string(at.file), __FILE__);
}

TEST(LocationTest, PrintsTheFileWithoutItsFolders) {
  EXPECT_EQ(ToString(Location{"/a/b/wordcount.cc", 12}), "wordcount.cc:12");
  EXPECT_EQ(ToString(Location{"wordcount.cc", 1}), "wordcount.cc:1");
  std::ostringstream os;
  os << Where();
  EXPECT_EQ(os.str(), "source_location_test.cc:" + std::to_string(__LINE__ - 1));
}

TEST(LocationTest, IsSaidWhereItIsKnown) {
  EXPECT_EQ(WithPlace("Map", Location{"/a/wordcount.cc", 12}), "Map at wordcount.cc:12");
  EXPECT_EQ(WithPlace("CoGroup", Location()), "CoGroup");
}

}  // namespace
}  // namespace millrace::internal
