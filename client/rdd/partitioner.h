// Which partition a key goes to. Wherever an operation takes a number of partitions it takes a
// partitioner too.
#ifndef MILLRACE_CLIENT_RDD_PARTITIONER_H_
#define MILLRACE_CLIENT_RDD_PARTITIONER_H_

#include <algorithm>
#include <concepts>
#include <memory>
#include <utility>

#include "client/rdd/lineage.h"
#include "common/function/shippable.h"
#include "common/plan/operator_registry.h"
#include "executor/operator/keyed.h"

namespace millrace {

// The default: by a stable hash of the key. 0 partitions: as many as the operation's default.
struct HashPartitioner {
  explicit HashPartitioner(int partitions = 0) : num_partitions(partitions) {}
  int num_partitions;
};

namespace internal {

// A partitioner of the user's: empty or with `serialize`, as any function that travels.
//   struct ByFirstLetter {
//     int NumPartitions() const { return 26; }
//     int GetPartition(const std::string& key) const { ... }
//   };
template <class P>
concept UserPartitioner = requires(const P& partitioner) {
  { partitioner.NumPartitions() } -> std::convertible_to<int>;
};

template <class P>
concept PartitionerOrCount =
    std::integral<P> || std::same_as<P, HashPartitioner> || UserPartitioner<P>;

// What the operators need of a partitioner (`function`) and what the driver needs (`spec`; null:
// the operation's default).
template <class Function>
struct ResolvedPartitioner {
  Function function;
  std::shared_ptr<const PartitionerSpec> spec;

  std::shared_ptr<const PartitionerSpec> SpecFor(const ContextRef& context,
                                                 const std::vector<RddRef>& parents) const {
    return spec != nullptr ? spec : DefaultPartitioner(context, parents);
  }
};

// Gives each partitioner type the name that tells it from all others in the program.
template <class P>
class NamedPartitioner : public Registered {};

template <PartitionerOrCount P>
auto Resolve(const P& partitioner) {
  if constexpr (UserPartitioner<P>) {
    CheckShippable<P>();
    using Function = UserPartition<P>;
    auto spec = std::make_shared<PartitionerSpec>();
    spec->kind = Registration<NamedPartitioner<P>>::entry().name();
    spec->num_partitions = std::max(1, static_cast<int>(partitioner.NumPartitions()));
    Function function{partitioner};
    spec->params = EncodeFunctions(function).bytes;
    return ResolvedPartitioner<Function>{std::move(function), std::move(spec)};
  } else {
    int count;
    if constexpr (std::integral<P>) {
      count = static_cast<int>(partitioner);
    } else {
      count = partitioner.num_partitions;
    }
    return ResolvedPartitioner<HashPartition>{HashPartition(),
                                              count > 0 ? HashPartitionerSpec(count) : nullptr};
  }
}

}  // namespace internal
}  // namespace millrace

#endif  // MILLRACE_CLIENT_RDD_PARTITIONER_H_
