// Sample, ZipWithIndex and Cartesian.
#ifndef MILLRACE_CLIENT_RDD_RESHAPE_H_
#define MILLRACE_CLIENT_RDD_RESHAPE_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "client/rdd/rdd_base.h"
#include "executor/operator/actions.h"
#include "executor/operator/cartesian.h"
#include "executor/operator/partition_ops.h"
#include "executor/operator/sample.h"

namespace millrace::internal {

// A seed of its own for a sample that names none.
uint64_t RandomSeed();

// A wrong fraction is the data set's error: InvalidArgument.
absl::Status CheckFraction(bool with_replacement, double fraction);

template <class T>
RDD<T> Sample(const RDD<T>& rdd, bool with_replacement, double fraction,
              std::optional<uint64_t> seed, Location where) {
  if (!rdd) return rdd;
  const std::string label = OperatorLabel("Sample", where);
  const absl::Status valid = CheckFraction(with_replacement, fraction);
  if (!valid.ok()) {
    return RDD<T>(rdd.context(), MakeFailed(rdd.context(), RecordOperators<T>(), valid, label));
  }
  const SampleParams params{with_replacement, fraction, seed.has_value() ? *seed : RandomSeed()};
  return Narrow<T, T>{MakeSpec<SampleOperator<T>>(EncodeToString(params), label),
                      /*keeps_partitioner=*/true}(rdd);
}

// Runs a job that counts the records of all partitions but the last. The index of the first record
// of each partition, encoded.
absl::StatusOr<std::string> CountFirstIndices(const ContextRef& context, const RddRef& node,
                                              OperatorRef count);

// Each record with its place in the data set. Made at once, for partitions are counted.
template <class T>
RDD<std::pair<T, int64_t>> ZipWithIndex(const RDD<T>& rdd, Location where) {
  using Out = std::pair<T, int64_t>;
  if (!rdd) return RDD<Out>();
  const std::string label = OperatorLabel("ZipWithIndex", where);
  const auto indices =
      CountFirstIndices(rdd.context(), rdd.node(), MakeSpec<CountOperator<T>>("", label));
  if (!indices.ok()) {
    return RDD<Out>(rdd.context(),
                    MakeFailed(rdd.context(), RecordOperators<Out>(), indices.status(), label));
  }
  return Narrow<T, Out>{MakeSpec<ZipWithIndexOperator<T>>(*indices, label)}(rdd);
}

template <class T, class U>
RDD<std::pair<T, U>> Cartesian(const RDD<T>& a, const RDD<U>& b, Location where) {
  using Out = std::pair<T, U>;
  return RDD<Out>(a.context(), MakeProduct(a.context(),
                                           MakeSpec<CartesianOperator<T, U>>(
                                               "", OperatorLabel("Cartesian", where)),
                                           RecordOperators<Out>(), a.node(), b.node()));
}

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_RESHAPE_H_
