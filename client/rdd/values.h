// Data sets made of values that the program holds.
#ifndef MILLRACE_CLIENT_RDD_VALUES_H_
#define MILLRACE_CLIENT_RDD_VALUES_H_

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "client/rdd/rdd_base.h"

namespace millrace::internal {

// Partition i of n holds values floor(i * size / n) .. floor((i + 1) * size / n) - 1. The record
// type may be a view type; the values own what it views.
template <class T, class Values>
RDD<T> MakeParallelize(const ContextRef& context, const Values& values, int partitions,
                       Location where) {
  const auto count = static_cast<size_t>(std::max(1, partitions));
  const size_t size = values.size();
  std::vector<std::string> encoded(count);
  auto value = values.begin();
  size_t index = 0;
  for (size_t partition = 0; partition < count; ++partition) {
    Encoder encoder;
    for (const size_t end = (partition + 1) * size / count; index < end; ++index, ++value) {
      const typename Values::value_type& record = *value;
      Encode(encoder, record);
    }
    encoded[partition] = encoder.ToString();
  }
  return RDD<T>(context,
                MakeSplits(context,
                           MakeSpec<ValuesOperator<T>>("", OperatorLabel("Parallelize", where),
                                                       BindingKind::kSplit),
                           RecordOperators<T>(), std::move(encoded)));
}

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_VALUES_H_
