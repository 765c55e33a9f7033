#include "common/record/schema.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "common/record/owned.h"
#include "gtest/gtest.h"
#include "proto/plan.pb.h"

namespace millrace::internal {
namespace {

enum class Color : uint8_t { kRed };

struct Point {
  int32_t x = 0;
  double y = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(x, y);
  }
};

struct Tree {
  std::string name;
  std::vector<Tree> children;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(name);
    archive(children);
  }
};

struct Nothing {
  template <class Archive>
  void serialize(Archive& /*archive*/) {}
};

TEST(SchemaTest, NamesWhatIsEncoded) {
  EXPECT_EQ(SchemaOf<int64_t>(), "i64");
  EXPECT_EQ(SchemaOf<uint8_t>(), "u8");
  EXPECT_EQ(SchemaOf<float>(), "f32");
  EXPECT_EQ(SchemaOf<bool>(), "bool");
  EXPECT_EQ(SchemaOf<Color>(), "u8");
  EXPECT_EQ((SchemaOf<std::pair<std::string, int64_t>>()), "(str,i64)");
  EXPECT_EQ((SchemaOf<std::tuple<int32_t, std::string, bool>>()), "(i32,str,bool)");
  EXPECT_EQ((SchemaOf<std::variant<int32_t, std::monostate>>()), "<i32|()>");
  EXPECT_EQ((SchemaOf<std::array<int16_t, 3>>()), "i16*3");
  EXPECT_EQ((SchemaOf<std::optional<std::vector<std::string>>>()), "?[str]");
  EXPECT_EQ((SchemaOf<std::set<int32_t>>()), "[i32]");
  EXPECT_EQ((SchemaOf<std::map<std::string, double>>()), "[str:f64]");
  EXPECT_EQ(SchemaOf<proto::BlockId>(), "message:millrace.proto.BlockId");
}

TEST(SchemaTest, StructsAreToldByTheirMembers) {
  EXPECT_EQ(SchemaOf<Point>(), "{i32,f64}");
  EXPECT_EQ((SchemaOf<std::pair<Point, std::vector<Point>>>()), "({i32,f64},[{i32,f64}])");
  EXPECT_EQ(SchemaOf<Nothing>(), "{}");
}

TEST(SchemaTest, AStructWithinItselfEnds) { EXPECT_EQ(SchemaOf<Tree>(), "{str,[^]}"); }

TEST(SchemaTest, ViewsReadWhatTheirOwnersWrote) {
  using View = std::pair<std::string_view, std::optional<std::string_view>>;
  EXPECT_EQ(SchemaOf<View>(), SchemaOf<Owned<View>>());
}

}  // namespace
}  // namespace millrace::internal
