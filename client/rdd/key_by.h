// KeyBy, Keys and Values: to pairs and back.
#ifndef MILLRACE_CLIENT_RDD_KEY_BY_H_
#define MILLRACE_CLIENT_RDD_KEY_BY_H_

#include <utility>

#include "client/rdd/basic.h"
#include "client/rdd/rdd_base.h"

namespace millrace::internal {

// record to (f(record), record).
template <class T, class F>
struct WithKey {
  F f;
  using K = RecordResultOf<F, T>;

  auto operator()(T record) const {
    T copy = record;
    if constexpr (kIsStatusOr<ResultOf<F, T>>) {
      absl::StatusOr<K> key = CallWith(f, copy);
      if (!key.ok()) return absl::StatusOr<std::pair<K, T>>(key.status());
      return absl::StatusOr<std::pair<K, T>>(std::pair<K, T>(*std::move(key), std::move(record)));
    } else {
      return std::pair<K, T>(CallWith(f, copy), std::move(record));
    }
  }
  template <class Archive>
  void serialize(Archive& archive) {
    if constexpr (!std::is_empty_v<F>) archive(f);
  }
};

template <class T, class F>
auto MakeKeyBy(F f, const char* name, Location where) {
  CheckShippable<F>();
  static_assert(CallableWith<F, T>,
                "the function must take the data set's record type and return a key");
  using Op = MapOperator<T, WithKey<T, F>>;
  return Narrow<T, typename Op::Out>{
      MakeSpec<Op>(EncodeFunctions(WithKey<T, F>{f}), OperatorLabel(name, where))};
}

template <class K, class V>
auto MakeKeys(Location where) {
  return Narrow<std::pair<K, V>, K>{
      MakeSpec<MapOperator<std::pair<K, V>, FirstOf<K, V>>>("", OperatorLabel("Keys", where))};
}

template <class K, class V>
auto MakeValues(Location where) {
  return Narrow<std::pair<K, V>, V>{
      MakeSpec<MapOperator<std::pair<K, V>, SecondOf<K, V>>>("", OperatorLabel("Values", where))};
}

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_KEY_BY_H_
