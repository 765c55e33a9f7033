#include "common/record/stable_hash.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/unit/common/record/record_types.h"

namespace millrace::internal {

uint64_t CaseInsensitive::StableHash() const { return StableHashBytes(Lower()); }

namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

TEST(StableHashTest, AStringAndItsViewAreOneKey) {
  for (size_t size = 0; size < 300; ++size) {
    const std::string text(size, static_cast<char>('a' + size % 26));
    EXPECT_EQ(StableHash(text), StableHash(std::string_view(text)));
    EXPECT_EQ(StableHash(std::pair(text, 1)), StableHash(std::pair(std::string_view(text), 1)));
  }
}

TEST(StableHashTest, EqualKeysHaveEqualHashes) {
  EXPECT_EQ(StableHash(0.0), StableHash(-0.0));
  EXPECT_EQ(StableHash(0.0f), StableHash(-0.0f));
  EXPECT_EQ(StableHash(std::pair(0.0, "k"s)), StableHash(std::pair(-0.0, "k"s)));
  EXPECT_EQ(StableHash(Point{1, 0.0}), StableHash(Point{1, -0.0}));
  EXPECT_EQ(StableHash(std::optional(0.0)), StableHash(std::optional(-0.0)));
  std::unordered_set<std::string> few{"a", "b", "c"};
  std::unordered_set<std::string> roomy(997);
  for (const char* element : {"c", "a", "b"}) roomy.insert(element);
  EXPECT_EQ(StableHash(few), StableHash(roomy));
}

TEST(StableHashTest, AStructMayHashItself) {
  EXPECT_EQ(StableHash(CaseInsensitive{"Key"}), StableHash(CaseInsensitive{"kEY"}));
  EXPECT_EQ(StableHash(std::pair(CaseInsensitive{"Key"}, 1)),
            StableHash(std::pair(CaseInsensitive{"kEY"}, 1)));
  EXPECT_NE(StableHash(CaseInsensitive{"Key"}), StableHash(CaseInsensitive{"Kex"}));
}

// Comes back to the hash of its own type while that is computed.
struct Nested {
  std::vector<Nested> children;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(children);
  }
  bool operator==(const Nested&) const = default;
  uint64_t StableHash() const { return millrace::StableHash(children) + 1; }
};

TEST(StableHashTest, AStructsHashMayCallItselfAgain) {
  const std::vector<Nested> leaf(1);
  const std::vector<Nested> tree{Nested{leaf}, Nested{{Nested{leaf}}}};
  const uint64_t hash = StableHash(tree);
  EXPECT_EQ(StableHash(tree), hash);
  EXPECT_NE(StableHash(leaf), hash);
}

template <class K>
void ExpectKeysHashAlike(const std::vector<K>& keys) {
  // As the first part of larger records.
  struct Record {
    K key;
    int64_t value;
  };
  std::vector<Record> records;
  for (const K& key : keys) records.push_back({key, 1});
  std::vector<uint64_t> hashes(keys.size());
  StableHashKeys(&records[0].key, sizeof(Record), records.size(), hashes.data());
  for (size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(hashes[i], StableHash(keys[i])) << i;
}

TEST(StableHashTest, ManyKeysAtOnceHashAsOneByOne) {
  ExpectKeysHashAlike<std::string>({"", "a", "longer than any short string may be"});
  ExpectKeysHashAlike<std::string_view>({"", "a", "ab", "abcdefgh", "abcdefghi", "sixteen bytes ok",
                                         "longer than any short string may be"});
  ExpectKeysHashAlike<char>({'a', 'b'});
  ExpectKeysHashAlike<int16_t>({1, -1});
  ExpectKeysHashAlike<int32_t>({1, -1, 1 << 30});
  ExpectKeysHashAlike<int64_t>({1, -1, int64_t{1} << 60});
  ExpectKeysHashAlike<Color>({Color::kRed, Color::kBlue});
  ExpectKeysHashAlike<double>({0.0, -0.0, 2.5});
  ExpectKeysHashAlike<std::pair<int, std::string>>({{1, "a"}, {2, "b"}});
}

TEST(StableHashTest, SpreadsKeysOverBothHalvesOfItsBits) {
  // Partitions are chosen by the upper half, table slots by the lower one.
  constexpr int kKeys = 100'000;
  constexpr int kCells = 64;
  std::vector<int> upper(kCells), lower(kCells);
  for (int64_t key = 0; key < kKeys; ++key) {
    for (const uint64_t hash : {StableHash(key), StableHash(std::to_string(key))}) {
      ++upper[((hash >> 32) * kCells) >> 32];
      ++lower[hash % kCells];
    }
  }
  for (const std::vector<int>& cells : {upper, lower}) {
    constexpr double kFairShare = 2.0 * kKeys / kCells;
    for (const int count : cells) EXPECT_NEAR(count, kFairShare, kFairShare * 0.1);
  }
}

}  // namespace
}  // namespace millrace::internal
