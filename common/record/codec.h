// The one encoding of records: in received blocks, shuffles, cached partitions, results, state.
//
//   arithmetic, enum   its bytes, little-endian          bool  one byte
//   string, view       varint length, bytes              pair, tuple, array  the parts in order
//   optional           byte 0, or 1 and the value        variant  varint index, the value
//   container          varint count, the elements        message  varint length, its wire form
//   struct             what its `serialize` names, in order
//   empty struct, std::monostate, empty tuple or array    byte 0: no record is without bytes
//
// Structs may nest 1000 deep.
// A block of records is their encodings one after the other.
#ifndef MILLRACE_COMMON_RECORD_CODEC_H_
#define MILLRACE_COMMON_RECORD_CODEC_H_

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "common/record/encoder.h"
#include "common/record/owned.h"
#include "common/record/record_traits.h"

namespace millrace::internal {

template <class T>
void Encode(Encoder& encoder, const T& value);
template <class T>
void Decode(Decoder& decoder, T& value);

struct EncodeArchive {
  Encoder& encoder;
  template <class... Ts>
  void operator()(const Ts&... values) {
    (Encode(encoder, values), ...);
  }
};

struct DecodeArchive {
  Decoder& decoder;
  template <class... Ts>
  void operator()(Ts&... values) {
    (Decode(decoder, values), ...);
  }
};

// One of those that are equal as keys.
template <class T>
T CanonicalFloat(T value) {
  return std::isnan(value) ? std::numeric_limits<T>::quiet_NaN() : value + T{0};
}

template <class T>
void EncodeScalar(Encoder& encoder, const T& value) {
  if constexpr (std::is_floating_point_v<T>) {
    if (encoder.is_canonical()) {
      const T canonical = CanonicalFloat(value);
      encoder.PutBytes({reinterpret_cast<const char*>(&canonical), kScalarBytes<T>});
      return;
    }
  }
  // Its bytes, not the value: an enum from outside may hold a number that none of its names has.
  encoder.PutBytes({reinterpret_cast<const char*>(&value), kScalarBytes<T>});
}

template <class T>
void EncodeSorted(Encoder& encoder, const T& container) {
  std::vector<std::string> elements;
  for (const typename T::value_type& element : container) {
    Encoder one(Encoder::Form::kCanonical);
    Encode(one, element);
    elements.push_back(one.ToString());
  }
  std::sort(elements.begin(), elements.end());
  for (const std::string& element : elements) encoder.PutBytes(element);
}

template <class T>
void EncodeContainer(Encoder& encoder, const T& container) {
  encoder.PutVarint(static_cast<uint64_t>(std::distance(container.begin(), container.end())));
  if constexpr (UnorderedContainer<T>) {
    if (encoder.is_canonical()) return EncodeSorted(encoder, container);
  }
  // By value type: vector<bool> hands out proxies.
  for (const typename T::value_type& element : container) Encode(encoder, element);
}

template <class T>
void EncodeStruct(Encoder& encoder, const T& value) {
  if constexpr (HasStableHash<T>) {
    if (encoder.is_canonical()) return encoder.PutFixed(static_cast<uint64_t>(value.StableHash()));
  }
  EncodeArchive archive{encoder};
  // `serialize` names the members for both directions; this one only reads them.
  const_cast<T&>(value).serialize(archive);
}

template <class T>
void Encode(Encoder& encoder, const T& value) {
  CheckRecord<T>();

  if constexpr (Scalar<T>) {
    EncodeScalar(encoder, value);
  } else if constexpr (StringLike<T>) {
    encoder.PutVarint(value.size());
    encoder.PutBytes(value);
  } else if constexpr (SingleValued<T>) {
    encoder.PutFixed(char{0});
  } else if constexpr (kIsPair<T>) {
    Encode(encoder, value.first);
    Encode(encoder, value.second);
  } else if constexpr (kIsTuple<T>) {
    std::apply([&](const auto&... parts) { (Encode(encoder, parts), ...); }, value);
  } else if constexpr (kIsArray<T>) {
    for (const auto& element : value) Encode(encoder, element);
  } else if constexpr (kIsOptional<T>) {
    encoder.PutFixed(static_cast<char>(value.has_value()));
    if (value.has_value()) Encode(encoder, *value);
  } else if constexpr (kIsVariant<T>) {
    encoder.PutVarint(value.index());
    std::visit([&](const auto& held) { Encode(encoder, held); }, value);
  } else if constexpr (Serializable<T>) {
    EncodeStruct(encoder, value);
  } else if constexpr (ProtoMessage<T>) {
    const size_t size = value.ByteSizeLong();
    encoder.PutVarint(size);
    value.SerializeToArray(encoder.Reserve(size), static_cast<int>(size));
    encoder.Advance(size);
  } else {
    EncodeContainer(encoder, value);
  }
}

template <class T>
void DecodeScalar(Decoder& decoder, T& value) {
  if constexpr (std::is_enum_v<T>) {
    std::underlying_type_t<T> number;
    DecodeScalar(decoder, number);
    value = static_cast<T>(number);
  } else if constexpr (std::is_same_v<T, bool>) {
    value = decoder.GetFixed<char>() != 0;  // Any other byte in a bool is undefined behaviour.
  } else if constexpr (kScalarBytes<T> != sizeof(T)) {
    const std::string_view bytes = decoder.GetBytes(kScalarBytes<T>);
    value = T{};
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), bytes.size());
  } else {
    value = decoder.GetFixed<T>();
  }
}

template <class T>
void DecodeElement(Decoder& decoder, T& container) {
  if constexpr (MapContainer<T>) {
    typename T::key_type key{};
    typename T::mapped_type mapped{};
    Decode(decoder, key);
    Decode(decoder, mapped);
    container.emplace_hint(container.end(), std::move(key), std::move(mapped));
  } else {
    typename T::value_type element{};
    Decode(decoder, element);
    container.insert(container.end(), std::move(element));
  }
}

template <class T>
void DecodeContainer(Decoder& decoder, T& value) {
  value.clear();
  const uint64_t count = decoder.GetVarint();
  // Every element has a byte at least. No reserve: elements may have only that byte and be large.
  if (count > decoder.remaining()) return decoder.Fail();
  if constexpr (ForwardList<T>) {
    auto last = value.before_begin();
    for (uint64_t i = 0; i < count && !decoder.failed(); ++i) {
      last = value.emplace_after(last);
      Decode(decoder, *last);
    }
  } else {
    for (uint64_t i = 0; i < count && !decoder.failed(); ++i) DecodeElement(decoder, value);
  }
}

template <class T, size_t index = 0>
void DecodeVariant(Decoder& decoder, uint64_t held, T& value) {
  if constexpr (index == std::variant_size_v<T>) {
    decoder.Fail();
  } else if (held == index) {
    Decode(decoder, value.template emplace<index>());
  } else {
    DecodeVariant<T, index + 1>(decoder, held, value);
  }
}

template <class T>
void Decode(Decoder& decoder, T& value) {
  if constexpr (Scalar<T>) {
    DecodeScalar(decoder, value);
  } else if constexpr (StringLike<T>) {
    value = decoder.GetBytes(decoder.GetVarint());
  } else if constexpr (SingleValued<T>) {
    decoder.GetFixed<char>();
  } else if constexpr (kIsPair<T>) {
    Decode(decoder, value.first);
    Decode(decoder, value.second);
  } else if constexpr (kIsTuple<T>) {
    std::apply([&](auto&... parts) { (Decode(decoder, parts), ...); }, value);
  } else if constexpr (kIsArray<T>) {
    for (auto& element : value) Decode(decoder, element);
  } else if constexpr (kIsOptional<T>) {
    value.reset();
    if (decoder.GetFixed<char>() != 0) Decode(decoder, value.emplace());
  } else if constexpr (kIsVariant<T>) {
    DecodeVariant(decoder, decoder.GetVarint(), value);
  } else if constexpr (Serializable<T>) {
    DecodeArchive archive{decoder};
    decoder.Enter();
    value.serialize(archive);
    decoder.Leave();
  } else if constexpr (ProtoMessage<T>) {
    const std::string_view bytes = decoder.GetBytes(decoder.GetVarint());
    if (!value.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) decoder.Fail();
  } else {
    DecodeContainer(decoder, value);
  }
}

template <class T>
std::string EncodeToString(const T& value) {
  Encoder encoder;
  Encode(encoder, value);
  return encoder.ToString();
}

// The value must fill `bytes`; false when it does not.
template <class T>
bool DecodeFromBytes(std::string_view bytes, T& value) {
  Decoder decoder(bytes);
  Decode(decoder, value);
  return !decoder.failed() && decoder.done();
}

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_RECORD_CODEC_H_
