// Records out of bytes that a peer has sent.
#include "common/record/codec.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/record/stable_hash.h"
#include "common/text/text_form.h"
#include "glog/logging.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/unit/common/record/record_types.h"

namespace millrace::internal {

uint64_t CaseInsensitive::StableHash() const { return StableHashBytes(Lower()); }

namespace {

template <class T>
std::string Canonical(const T& value) {
  Encoder encoder(Encoder::Form::kCanonical);
  Encode(encoder, value);
  return encoder.ToString();
}

// What was decoded can be used, and is the same after one more way through the encoding.
template <class T>
bool DecodeOne(std::string_view bytes) {
  T value{};
  if (!DecodeFromBytes(bytes, value)) return false;
  const Owned<T> owned = ToOwned<T>(T(value));
  const std::string encoded = EncodeToString(owned);
  T again{};
  CHECK(DecodeFromBytes(encoded, again));
  CHECK(Canonical(again) == Canonical(value));
  CHECK_EQ(StableHash(again), StableHash(value));
  if constexpr (HasTextForm<T>()) ToText(again);
  return true;
}

struct Kind {
  bool (*decode)(std::string_view bytes);
  std::string seed;
};

const std::vector<Kind>& Kinds() {
  static const std::vector<Kind>& kinds = *[] {
    auto* const all = new std::vector<Kind>;
    VisitRecords([all](const auto& value) {
      all->push_back({&DecodeOne<std::decay_t<decltype(value)>>, EncodeToString(value)});
    });
    const auto add = [all](const auto& value) {
      all->push_back({&DecodeOne<std::decay_t<decltype(value)>>, EncodeToString(value)});
    };
    // As they come through shuffles and out of states.
    add(std::pair(std::string_view("word"), int64_t{1}));
    add(std::pair(std::string_view("word"), std::vector<std::string_view>{"a", "b"}));
    add(std::pair(int64_t{1}, std::pair(std::optional<std::string_view>("left"), 2.5)));
    add(std::tuple(std::string_view("t"),
                   std::vector<std::pair<double, std::string_view>>{{1, "x"}}));
    add(CaseInsensitive{"MiXeD"});
    add(std::vector<Tree>{{1, {{2, {{3, {}}}}}}, {4, {}}});
    return all;
  }();
  return kinds;
}

// The first byte chooses the type.
bool Run(std::string_view bytes) {
  FuzzBytes input(bytes);
  return Kinds()[input.TakeByte() % Kinds().size()].decode(input.Rest());
}

FuzzSeeds Seeds() {
  FuzzSeeds seeds;
  for (size_t i = 0; i < Kinds().size(); ++i) {
    // Scalars and their like are all one to a fuzzer.
    if (Kinds()[i].seed.size() < 3 || Kinds()[i].seed.size() > 500) continue;
    seeds.emplace_back("kind-" + std::to_string(i),
                       FuzzWriter().PutByte(static_cast<uint8_t>(i)).Put(Kinds()[i].seed).Take());
  }
  return seeds;
}

const FuzzTarget target("codec", Run, Seeds);

}  // namespace
}  // namespace millrace::internal
