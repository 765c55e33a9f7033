#include "common/record/record_traits.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/common/record/record_types.h"

namespace millrace::internal {
namespace {

struct Opaque {
  int member = 0;
};

struct Uncomparable {
  int member = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(member);
  }
};

TEST(IsRecordTest, LooksIntoEveryPart) {
  EXPECT_TRUE((kIsRecord<std::pair<std::string_view, std::vector<Shape>>>));
  EXPECT_TRUE((kIsRecord<std::variant<std::monostate, std::map<std::string, Point>>>));
  EXPECT_TRUE((kIsRecord<std::map<std::string, int>::value_type>));
  EXPECT_TRUE(kIsRecord<Tree>);
  EXPECT_FALSE((kIsRecord<std::pair<int, Opaque>>));
  EXPECT_FALSE((kIsRecord<std::tuple<int, std::vector<Opaque>>>));
  EXPECT_FALSE((kIsRecord<std::variant<int, Opaque>>));
  EXPECT_FALSE((kIsRecord<std::optional<Opaque>>));
  EXPECT_FALSE((kIsRecord<std::array<Opaque, 2>>));
  EXPECT_FALSE((kIsRecord<std::map<int, Opaque>>));
  EXPECT_FALSE((kIsRecord<std::vector<const char*>>));
  EXPECT_FALSE((kIsRecord<std::pair<int, std::shared_ptr<int>>>));
}

TEST(IsComparableTest, LooksIntoEveryPart) {
  EXPECT_TRUE((IsComparable<std::pair<std::string_view, std::vector<Point>>>()));
  EXPECT_TRUE((IsComparable<std::variant<std::monostate, std::map<int, double>>>()));
  EXPECT_FALSE(IsComparable<Uncomparable>());
  EXPECT_FALSE((IsComparable<std::pair<int, Uncomparable>>()));
  EXPECT_FALSE((IsComparable<std::tuple<std::vector<Uncomparable>>>()));
  EXPECT_FALSE((IsComparable<std::optional<Uncomparable>>()));
  EXPECT_FALSE((IsComparable<std::map<int, Uncomparable>>()));
}

}  // namespace
}  // namespace millrace::internal
