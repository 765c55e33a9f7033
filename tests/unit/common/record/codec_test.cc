#include "common/record/codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <string_view>

#include "common/time/time.h"
#include "proto/plan.pb.h"
#include "tests/unit/common/record/record_types.h"

namespace millrace::internal {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

TEST(CodecTest, EveryKindOfRecordComesBack) {
  VisitRecords([](const auto& value) {
    const std::string bytes = EncodeToString(value);
    EXPECT_FALSE(bytes.empty()) << "a record without bytes cannot be told from none";
    std::remove_cvref_t<decltype(value)> decoded{};
    EXPECT_TRUE(DecodeFromBytes(bytes, decoded)) << bytes;
    EXPECT_TRUE(decoded == value) << bytes;
  });
}

TEST(CodecTest, DecodingReplacesWhatWasThere) {
  VisitRecords([](const auto& value) {
    std::remove_cvref_t<decltype(value)> decoded = value;
    EXPECT_TRUE(DecodeFromBytes(EncodeToString(value), decoded));
    EXPECT_TRUE(decoded == value);
  });
}

TEST(CodecTest, NoPrefixOfAnEncodingIsTakenForTheWhole) {
  VisitRecords([](const auto& value) {
    const std::string bytes = EncodeToString(value);
    for (size_t size = 0; size < bytes.size(); ++size) {
      // A copy of exactly so many bytes: reading one too many is seen by the sanitizers.
      const std::string prefix = bytes.substr(0, size);
      std::remove_cvref_t<decltype(value)> decoded{};
      EXPECT_FALSE(DecodeFromBytes(prefix, decoded)) << bytes << " cut at " << size;
    }
  });
}

TEST(CodecTest, BytesBehindTheValueAreAnError) {
  int64_t decoded = 0;
  EXPECT_FALSE(DecodeFromBytes(EncodeToString(int64_t{1}) + "x", decoded));
}

TEST(CodecTest, WhateverTheBytesSayDecodingEnds) {
  VisitRecords([](const auto& value) {
    const std::string bytes = EncodeToString(value);
    for (size_t position = 0; position < bytes.size(); ++position) {
      for (const char byte : {'\x00', '\x01', '\x02', '\x7f', '\x80', '\xff'}) {
        std::string damaged = bytes;
        damaged[position] = byte;
        std::remove_cvref_t<decltype(value)> decoded{};
        if (DecodeFromBytes(damaged, decoded)) EncodeToString(decoded);
      }
    }
  });
}

TEST(CodecTest, TheEncodingIsTheDocumentedOne) {
  EXPECT_EQ(EncodeToString(int32_t{1}), "\x01\0\0\0"s);
  EXPECT_EQ(EncodeToString(true), "\x01");
  EXPECT_EQ(EncodeToString(Color::kBlue), "\x02");
  EXPECT_EQ(EncodeToString("ab"s), "\x02"s + "ab");
  EXPECT_EQ(EncodeToString("ab"sv), "\x02"s + "ab");
  EXPECT_EQ(EncodeToString(std::pair("k"s, char{'v'})), "\x01kv"s);
  EXPECT_EQ(EncodeToString(std::tuple(char{'a'}, char{'b'})), "ab");
  EXPECT_EQ(EncodeToString(std::array<char, 2>{'a', 'b'}), "ab");
  EXPECT_EQ(EncodeToString(std::optional<char>()), "\0"s);
  EXPECT_EQ(EncodeToString(std::optional<char>('x')), "\x01x"s);
  EXPECT_EQ(EncodeToString(std::variant<int, char>('x')), "\x01x"s);
  EXPECT_EQ(EncodeToString(std::vector<char>{'a', 'b', 'c'}), "\x03"s + "abc");
  EXPECT_EQ(EncodeToString(std::map<char, char>{{'a', 'b'}}), "\x01"s + "ab");
  EXPECT_EQ(EncodeToString(Empty()), "\0"s);
  EXPECT_EQ(EncodeToString(1.0L).size(),
            std::numeric_limits<long double>::digits == 64 ? 10u : 16u);
}

TEST(CodecTest, AViewAndAStringAreEncodedAlike) {
  const std::pair<std::string_view, std::optional<std::string_view>> views("key", "value");
  std::pair<std::string, std::optional<std::string>> owned;
  ASSERT_TRUE(DecodeFromBytes(EncodeToString(views), owned));
  EXPECT_EQ(owned.first, "key");
  EXPECT_EQ(owned.second, "value");
}

TEST(CodecTest, ADecodedViewIsOfTheDecodersBytes) {
  const std::string bytes = EncodeToString("viewed"s);
  std::string_view view;
  ASSERT_TRUE(DecodeFromBytes(bytes, view));
  EXPECT_EQ(view, "viewed");
  EXPECT_EQ(view.data(), bytes.data() + 1);
}

TEST(CodecTest, ProtobufMessagesAreRecords) {
  proto::BlockId id;
  id.set_stream_id(3);
  id.set_sequence(1'000'000);
  proto::BlockId decoded;
  ASSERT_TRUE(DecodeFromBytes(EncodeToString(id), decoded));
  EXPECT_EQ(decoded.SerializeAsString(), id.SerializeAsString());
  EXPECT_FALSE(DecodeFromBytes("\x02\xff\xff"sv, decoded));
}

TEST(CodecTest, TimeIsARecord) {
  Time decoded(0);
  ASSERT_TRUE(DecodeFromBytes(EncodeToString(Time(1234)), decoded));
  EXPECT_EQ(decoded, Time(1234));
}

TEST(CodecTest, AnyByteMakesABool) {
  bool decoded = false;
  ASSERT_TRUE(DecodeFromBytes("\x05", decoded));
  EXPECT_TRUE(decoded);
  Flag flag = Flag::kNo;
  ASSERT_TRUE(DecodeFromBytes("\x05", flag));
  EXPECT_EQ(flag, Flag::kYes);
}

TEST(CodecTest, AVariantWithoutSuchAnAlternativeFails) {
  std::variant<int, char> decoded;
  EXPECT_FALSE(DecodeFromBytes("\x02x", decoded));
}

TEST(CodecTest, ACountBeyondTheBytesTakesNoMemory) {
  std::vector<std::array<char, 4096>> decoded;
  EXPECT_FALSE(DecodeFromBytes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv, decoded));
  EXPECT_LE(decoded.capacity(), 16u);
}

TEST(CodecTest, StructsNestNoDeeperThanTheStackAllows) {
  Tree deep;
  for (int i = 0; i < 900; ++i) {
    Tree parent{i, {}};
    parent.children.push_back(std::move(deep));
    deep = std::move(parent);
  }
  Tree decoded;
  EXPECT_TRUE(DecodeFromBytes(EncodeToString(deep), decoded));
  EXPECT_EQ(decoded, deep);

  // Each level: a value of four bytes, then one child.
  std::string endless;
  for (int i = 0; i < 1'000'000; ++i) endless += "\0\0\0\0\x01"s;
  EXPECT_FALSE(DecodeFromBytes(endless, decoded));
}

TEST(CodecTest, EqualValuesHaveOneCanonicalForm) {
  const auto canonical = [](const auto& value) {
    Encoder encoder(Encoder::Form::kCanonical);
    Encode(encoder, value);
    return encoder.ToString();
  };
  EXPECT_EQ(canonical(std::pair(0.0, 1)), canonical(std::pair(-0.0, 1)));
  std::unordered_set<int> forwards;
  std::unordered_set<int> backwards(1000);  // Another number of buckets, another order.
  for (int i = 0; i < 100; ++i) forwards.insert(i);
  for (int i = 99; i >= 0; --i) backwards.insert(i);
  EXPECT_EQ(canonical(forwards), canonical(backwards));
  EXPECT_EQ(canonical(std::map<int, std::unordered_set<int>>{{1, forwards}}),
            canonical(std::map<int, std::unordered_set<int>>{{1, backwards}}));
}

TEST(CodecTest, WhatIsNoRecordIsKnown) {
  struct NoSerialize {
    int member;
  };
  EXPECT_FALSE(kIsRecord<NoSerialize>);
  EXPECT_FALSE(kIsRecord<int*>);
  EXPECT_FALSE(kIsRecord<std::unique_ptr<int>>);
  EXPECT_TRUE(kIsRecord<Shape>);
}

}  // namespace
}  // namespace millrace::internal
