#include "client/rdd/lineage.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/rdd/job_scope.h"
#include "client/rdd/local_properties.h"
#include "driver/service/driver_handle.h"
#include "executor/operator/fail.h"
#include "executor/operator/partition_ops.h"

namespace millrace::internal {
namespace {

constexpr char kHashPartitionerKind[] = "hash";

// Built into the worker: they pass on what the task's bindings choose.
OperatorRef BuiltIn(const char* name, BindingKind binding, const char* label) {
  return std::make_shared<const OperatorSpec>(OperatorSpec{name, "", binding, label});
}

OperatorRef SelectSpec() {
  static const OperatorRef& spec =
      *new OperatorRef(BuiltIn("millrace.Select", BindingKind::kSelect, "Union"));
  return spec;
}

OperatorRef ConcatSpec() {
  static const OperatorRef& spec =
      *new OperatorRef(BuiltIn("millrace.Concat", BindingKind::kConcat, "Coalesce"));
  return spec;
}

bool SamePartitioner(const std::shared_ptr<const PartitionerSpec>& a,
                     const std::shared_ptr<const PartitionerSpec>& b) {
  return a != nullptr && b != nullptr && (a == b || *a == *b);
}

Dependency OneToOne(RddRef parent) {
  Dependency dependency;
  dependency.kind = DependencyKind::kOneToOne;
  dependency.parent = std::move(parent);
  return dependency;
}

Dependency Shuffle(const ContextRef& context, RddRef parent, OperatorRef write, OperatorRef read,
                   int num_reduce) {
  auto shuffle = std::make_shared<ShuffleSpec>();
  shuffle->shuffle_id = context->driver->NewId();
  shuffle->num_reduce = num_reduce;
  shuffle->write = std::move(write);
  shuffle->read = std::move(read);
  shuffle->lease = context->driver->ShuffleLease(shuffle->shuffle_id);
  Dependency dependency;
  dependency.kind = DependencyKind::kShuffle;
  dependency.parent = std::move(parent);
  dependency.shuffle = std::move(shuffle);
  return dependency;
}

bool AnyNull(const std::vector<RddRef>& nodes) {
  return std::find(nodes.begin(), nodes.end(), nullptr) != nodes.end();
}

absl::Status EmptyHandle(const std::string& description) {
  return absl::FailedPreconditionError(
      absl::StrCat(description, ": the RDD is default-constructed and holds no data set"));
}

bool AllPartitionedAlike(const std::vector<RddRef>& parents) {
  return !parents.empty() &&
         std::all_of(parents.begin(), parents.end(), [&parents](const RddRef& parent) {
           return SamePartitioner(parent->partitioner, parents[0]->partitioner);
         });
}

// Partition p holds partition p of every parent: the keys stay where they are.
RddRef MakeAlignedUnion(const ContextRef& context, const RecordTypeOperators& type,
                        const std::vector<RddRef>& parents) {
  static const OperatorRef& spec = *new OperatorRef(MakeSpec<AlignedUnionOperator>("", "Union"));
  RddRef node = MakeNode(context, spec, type, parents[0]->num_partitions);
  for (const RddRef& parent : parents) node->dependencies.push_back(OneToOne(parent));
  node->partitioner = parents[0]->partitioner;
  return node;
}

}  // namespace

std::string OperatorLabel(const char* operation, const Location& where) {
  return WithPlace(operation, where);
}

RddRef MakeNode(const ContextRef& context, OperatorRef op, const RecordTypeOperators& type,
                int num_partitions) {
  auto node = std::make_shared<RddNode>();
  node->rdd_id = context->driver->NewId();
  node->op = std::move(op);
  node->type = &type;
  node->num_partitions = num_partitions;
  const JobScope* const scope = JobScope::Current();
  if (scope != nullptr) node->batch_time_ms = scope->batch_time_ms();
  return node;
}

RddRef MakeNarrow(const ContextRef& context, OperatorRef op, const RecordTypeOperators& type,
                  const RddRef& parent, bool keeps_partitioner) {
  if (parent == nullptr) return nullptr;
  RddRef node = MakeNode(context, std::move(op), type, parent->num_partitions);
  node->dependencies.push_back(OneToOne(parent));
  if (keeps_partitioner) node->partitioner = parent->partitioner;
  return node;
}

RddRef MakeUnion(const ContextRef& context, const RecordTypeOperators& type,
                 std::vector<RddRef> parents) {
  if (AnyNull(parents)) return nullptr;
  if (parents.size() == 1) return parents[0];
  if (AllPartitionedAlike(parents)) return MakeAlignedUnion(context, type, parents);
  int partitions = 0;
  for (const RddRef& parent : parents) partitions += parent->num_partitions;
  RddRef node = MakeNode(context, SelectSpec(), type, partitions);
  for (RddRef& parent : parents) {
    Dependency dependency;
    dependency.kind = DependencyKind::kSelect;
    dependency.parent = std::move(parent);
    node->dependencies.push_back(std::move(dependency));
  }
  return node;
}

RddRef MakeConcat(const ContextRef& context, const RecordTypeOperators& type, const RddRef& parent,
                  std::vector<std::vector<int>> groups) {
  if (parent == nullptr) return nullptr;
  RddRef node = MakeNode(context, ConcatSpec(), type, static_cast<int>(groups.size()));
  Dependency dependency;
  dependency.kind = DependencyKind::kConcat;
  dependency.parent = parent;
  dependency.groups = std::move(groups);
  node->dependencies.push_back(std::move(dependency));
  return node;
}

RddRef MakeProduct(const ContextRef& context, OperatorRef op, const RecordTypeOperators& type,
                   const RddRef& first, const RddRef& second) {
  if (first == nullptr || second == nullptr) return nullptr;
  RddRef node =
      MakeNode(context, std::move(op), type, first->num_partitions * second->num_partitions);
  for (const RddRef& parent : {first, second}) {
    Dependency dependency;
    dependency.kind = DependencyKind::kProduct;
    dependency.parent = parent;
    node->dependencies.push_back(std::move(dependency));
  }
  return node;
}

RddRef MakeSplits(const ContextRef& context, OperatorRef op, const RecordTypeOperators& type,
                  std::vector<std::string> splits) {
  RddRef node = MakeNode(context, std::move(op), type, static_cast<int>(splits.size()));
  node->sources.resize(splits.size());
  for (size_t i = 0; i < splits.size(); ++i) node->sources[i].split = std::move(splits[i]);
  return node;
}

absl::Status CheckPartitionCount(int num_partitions) {
  if (num_partitions > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(num_partitions, " partitions are wanted; the number must be positive"));
}

RddRef MakeFailed(const ContextRef& context, const RecordTypeOperators& type,
                  const absl::Status& error, const std::string& label) {
  return MakeNode(context, MakeSpec<FailOperator>(EncodeFailure(error), label), type, 1);
}

RddRef MakeKeyed(const ContextRef& context, OperatorRef op, const RecordTypeOperators& type,
                 const std::vector<KeyedInput>& inputs,
                 const std::shared_ptr<const PartitionerSpec>& partitioner, bool keeps_keys) {
  for (const KeyedInput& input : inputs) {
    if (input.parent == nullptr) return nullptr;
  }
  const int partitions = partitioner->num_partitions;
  RddRef node = MakeNode(context, std::move(op), type, partitions);
  for (const KeyedInput& input : inputs) {
    if (SamePartitioner(input.parent->partitioner, partitioner)) {
      // Never persisted, so it needs no record type of its own.
      node->dependencies.push_back(
          OneToOne(MakeNarrow(context, input.add_hash, type, input.parent, true)));
    } else {
      node->dependencies.push_back(
          Shuffle(context, input.parent, input.write, input.read, partitions));
    }
  }
  if (keeps_keys) node->partitioner = partitioner;
  return node;
}

RddRef MakeRedistributed(const ContextRef& context, OperatorRef op, OperatorRef write,
                         OperatorRef read, const RecordTypeOperators& type, const RddRef& parent,
                         int num_partitions) {
  if (parent == nullptr) return nullptr;
  RddRef node = MakeNode(context, std::move(op), type, num_partitions);
  node->dependencies.push_back(
      Shuffle(context, parent, std::move(write), std::move(read), num_partitions));
  return node;
}

std::shared_ptr<const PartitionerSpec> HashPartitionerSpec(int num_partitions) {
  auto spec = std::make_shared<PartitionerSpec>();
  spec->kind = kHashPartitionerKind;
  spec->num_partitions = std::max(1, num_partitions);
  return spec;
}

bool IsPartitionedBy(const RddRef& node, const PartitionerSpec& partitioner) {
  return node != nullptr && node->partitioner != nullptr && *node->partitioner == partitioner;
}

std::shared_ptr<const PartitionerSpec> DefaultPartitioner(const ContextRef& context,
                                                          const std::vector<RddRef>& parents) {
  if (context == nullptr || AnyNull(parents)) return HashPartitionerSpec(1);
  if (AllPartitionedAlike(parents)) return parents[0]->partitioner;
  int largest = 0;
  for (const RddRef& parent : parents) {
    // One of the user's could not be followed by the others: who asks here sends records by hash.
    if (parent->partitioner != nullptr && parent->partitioner->kind == kHashPartitionerKind) {
      return parent->partitioner;
    }
    largest = std::max(largest, parent->num_partitions);
  }
  const bool is_set = context->conf.Contains("millrace.default.parallelism");
  return HashPartitionerSpec(is_set ? context->default_parallelism : largest);
}

void PersistNode(const ContextRef& context, const RddRef& node, StorageLevel level) {
  if (node == nullptr) return;
  if (level == StorageLevel::kNone) return UnpersistNode(node);
  if (node->cache_lease == nullptr) node->cache_lease = context->driver->CacheLease(node->rdd_id);
  node->storage_level = level;
}

void UnpersistNode(const RddRef& node) {
  if (node == nullptr) return;
  node->storage_level = StorageLevel::kNone;
  node->cache_lease.reset();
}

JobSpec MakeJob(const RddRef& node, OperatorRef root, const std::string& description) {
  JobSpec job;
  job.rdd = node;
  job.root = std::move(root);
  job.partitions.resize(static_cast<size_t>(node->num_partitions));
  std::iota(job.partitions.begin(), job.partitions.end(), 0);
  job.description = description;
  const LocalProperties& properties = ThreadProperties();
  const auto pool = properties.find(kPoolProperty);
  if (pool != properties.end()) job.pool = pool->second;
  const JobScope* const scope = JobScope::Current();
  if (scope != nullptr) {
    job.batch_time_ms = scope->batch_time_ms();
    job.output_op_id = scope->output_op_id();
  }
  return job;
}

absl::StatusOr<std::vector<std::string>> RunAction(const ContextRef& context, const RddRef& node,
                                                   OperatorRef root,
                                                   const std::string& description) {
  if (node == nullptr) return EmptyHandle(description);
  absl::StatusOr<JobResult> result =
      context->driver->RunJob(MakeJob(node, std::move(root), description));
  if (!result.ok()) return result.status();
  return std::move(result->results);
}

absl::StatusOr<std::vector<std::string>> RunAction(const ContextRef& context, const RddRef& node,
                                                   OperatorRef root, const std::string& description,
                                                   std::vector<int> partitions) {
  if (node == nullptr) return EmptyHandle(description);
  JobSpec job = MakeJob(node, std::move(root), description);
  job.partitions = std::move(partitions);
  absl::StatusOr<JobResult> result = context->driver->RunJob(std::move(job));
  if (!result.ok()) return result.status();
  return std::move(result->results);
}

std::vector<std::vector<int>> CoalesceGroups(int partitions, int count) {
  std::vector<std::vector<int>> groups(
      static_cast<size_t>(std::max(0, std::min(count, partitions))));
  const auto group_count = static_cast<int64_t>(groups.size());
  for (int64_t group = 0; group < group_count; ++group) {
    const int64_t first = group * partitions / group_count;
    const int64_t end = (group + 1) * partitions / group_count;
    for (int64_t p = first; p < end; ++p) {
      groups[static_cast<size_t>(group)].push_back(static_cast<int>(p));
    }
  }
  return groups;
}

}  // namespace millrace::internal
