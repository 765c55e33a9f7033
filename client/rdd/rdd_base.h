// The part of RDD<T> that does not depend on T, and how transformations are applied to it.
#ifndef MILLRACE_CLIENT_RDD_RDD_BASE_H_
#define MILLRACE_CLIENT_RDD_RDD_BASE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/rdd/lineage.h"
#include "executor/operator/operator_base.h"
#include "executor/operator/records_source.h"

namespace millrace {

template <class T>
class RDD;

namespace internal {

// A cheap handle: copies share the data set. Empty when default-constructed.
// Threads: handles may be used from any thread, one handle by one thread at a time.
class RddBase {
 public:
  RddBase() = default;
  RddBase(ContextRef context, RddRef node) : context_(std::move(context)), node_(std::move(node)) {}

  explicit operator bool() const { return node_ != nullptr; }

  const ContextRef& context() const { return context_; }
  const RddRef& node() const { return node_; }
  int NumPartitions() const { return node_ == nullptr ? 0 : node_->num_partitions; }
  // Unique in its context.
  int64_t id() const { return node_ == nullptr ? -1 : node_->rdd_id; }

 private:
  ContextRef context_;
  RddRef node_;
};

// Key and value types of records that are pairs; of others, types that no operation takes.
struct NoPair {};
template <class T>
struct PairParts {
  using Key = NoPair;
  using Value = NoPair;
};
template <class K, class V>
struct PairParts<std::pair<K, V>> {
  using Key = K;
  using Value = V;
};

// The message of an operation of pairs on other records.
template <class T>
constexpr void CheckPairs() {
  static_assert(kIsPair<T>,
                "Millrace: this operation takes records of std::pair<K, V>: map them to pairs "
                "first, as in Map([](T record) { return std::pair(key, value); })");
}

// The same for an operation that brings records of Us to those of T by their keys.
template <class T, class... Us>
constexpr void CheckSameKey() {
  CheckPairs<T>();
  (CheckPairs<Us>(), ...);
  static_assert(((!kIsPair<T> || !kIsPair<Us> ||
                  std::is_same_v<typename PairParts<T>::Key, typename PairParts<Us>::Key>)&&...),
                "Millrace: keys are brought together that have different types: map one side to "
                "the type of the other, as in Map([](auto pair) { return "
                "std::pair(std::string(pair.first), pair.second); })");
}

template <class T>
const RecordTypeOperators& RecordOperators() {
  CheckRecord<T>();
  static const RecordTypeOperators& operators = *new RecordTypeOperators{
      MakeSpec<CachedReadOperator<T>>("", "Persisted data set", BindingKind::kCached),
      MakeSpec<CachedWriteOperator<T>>("", "Persisted data set", BindingKind::kCached)};
  return operators;
}

// A transformation that is one operator on each partition; made once, applied to many data sets.
template <class T, class U>
struct Narrow {
  OperatorRef op;
  bool keeps_partitioner = false;

  RDD<U> operator()(const RDD<T>& in) const {
    return RDD<U>(in.context(),
                  MakeNarrow(in.context(), op, RecordOperators<U>(), in.node(), keeps_partitioner));
  }
};

}  // namespace internal
}  // namespace millrace

#endif  // MILLRACE_CLIENT_RDD_RDD_BASE_H_
