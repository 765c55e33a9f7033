// A driver core among scripted workers, and lineages to give it.
#ifndef MILLRACE_TESTS_SUPPORT_DRIVER_FIXTURE_H_
#define MILLRACE_TESTS_SUPPORT_DRIVER_FIXTURE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "driver/driver_core.h"
#include "gtest/gtest.h"
#include "tests/support/fake_env.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/scripted_workers.h"

namespace millrace::internal {

// What became of a submitted job.
struct JobWatch {
  std::optional<absl::StatusOr<JobResult>> outcome;
  bool done() const { return outcome.has_value(); }
  absl::Status status() const { return outcome.value().status(); }
  const std::vector<std::string>& results() const { return outcome.value()->results; }
};

// Operators are named as the test names them; their labels are "<name> at test.cc:1".
class DriverFixture : public ::testing::Test {
 protected:
  explicit DriverFixture(DriverOptions options = {}) : core_(env_, workers_, std::move(options)) {}
  // Everything that a test holds must be gone when it checks for leaks.
  void TearDown() override {
    if (expects_idle_) {
      EXPECT_TRUE(core_.idle());
    }
  }

  // Known from here on; its tasks, if any can run, are launched.
  void AddWorker(int64_t id, int slots) {
    proto::ToDriver message;
    message.set_worker_id(id);
    message.mutable_hello()->set_host("host" + std::to_string(id));
    message.mutable_hello()->set_task_slots(static_cast<uint32_t>(slots));
    core_.HandleMessage(std::move(message));
  }

  // Lineage.
  static OperatorRef Op(const std::string& name, BindingKind binding = BindingKind::kNone) {
    return std::make_shared<const OperatorSpec>(
        OperatorSpec{name, "params of " + name, binding, name + " at test.cc:1"});
  }
  RddRef Node(const std::string& name, int partitions, BindingKind binding = BindingKind::kNone) {
    auto node = std::make_shared<RddNode>();
    node->rdd_id = ++last_id_;
    node->op = Op(name, binding);
    node->type = &Type();
    node->num_partitions = partitions;
    return node;
  }
  // Partition p reads block p (counted from `first_sequence`) of the stream.
  RddRef Blocks(const std::string& name, int partitions, int64_t first_sequence = 0,
                int64_t stream_id = 0) {
    RddRef node = Node(name, partitions, BindingKind::kBlocks);
    for (int p = 0; p < partitions; ++p) {
      SourcePartition source;
      source.blocks.push_back({stream_id, first_sequence + p});
      node->sources.push_back(source);
    }
    return node;
  }
  RddRef Values(const std::string& name, int partitions) {
    RddRef node = Node(name, partitions, BindingKind::kSplit);
    for (int p = 0; p < partitions; ++p) {
      SourcePartition source;
      source.split = "split " + std::to_string(p);
      node->sources.push_back(source);
    }
    return node;
  }
  static Dependency On(DependencyKind kind, RddRef parent) {
    Dependency dependency;
    dependency.kind = kind;
    dependency.parent = std::move(parent);
    return dependency;
  }
  RddRef Narrow(const std::string& name, const RddRef& parent) {
    RddRef node = Node(name, parent->num_partitions);
    node->dependencies.push_back(On(DependencyKind::kOneToOne, parent));
    return node;
  }
  Dependency ShuffleOf(const RddRef& parent, int partitions) {
    auto shuffle = std::make_shared<ShuffleSpec>();
    shuffle->shuffle_id = ++last_id_;
    shuffle->num_reduce = partitions;
    shuffle->write = Op("write", BindingKind::kOutput);
    shuffle->read = Op("read", BindingKind::kShuffle);
    shuffle->lease = LeaseOf(shuffle->shuffle_id, &DriverCore::DropShuffle);
    Dependency dependency = On(DependencyKind::kShuffle, parent);
    dependency.shuffle = shuffle;
    return dependency;
  }
  RddRef Shuffled(const std::string& name, const RddRef& parent, int partitions) {
    RddRef node = Node(name, partitions);
    node->dependencies.push_back(ShuffleOf(parent, partitions));
    return node;
  }
  RddRef Union(const std::vector<RddRef>& parents) {
    RddRef node = Node("union", 0, BindingKind::kSelect);
    for (const RddRef& parent : parents) {
      node->dependencies.push_back(On(DependencyKind::kSelect, parent));
      node->num_partitions += parent->num_partitions;
    }
    return node;
  }
  RddRef Persisted(RddRef node) {
    node->storage_level = StorageLevel::kMemoryOnly;
    node->cache_lease = LeaseOf(node->rdd_id, &DriverCore::DropRdd);
    return node;
  }
  RddRef Stateful(const std::string& name, const RddRef& parent, int partitions, int64_t state_id,
                  int64_t batch_time_ms, int64_t previous_time_ms, bool needs_previous = false) {
    RddRef node = Shuffled(name, parent, partitions);
    node->op = Op(name, BindingKind::kState);
    node->batch_time_ms = batch_time_ms;
    node->storage_level = StorageLevel::kMemoryAndDisk;
    node->cache_lease = LeaseOf(node->rdd_id, &DriverCore::DropRdd);
    auto update = std::make_shared<StateUpdate>();
    update->state_id = state_id;
    update->batch_time_ms = batch_time_ms;
    update->previous_time_ms = previous_time_ms;
    update->needs_previous = needs_previous;
    node->state = std::move(update);
    return node;
  }
  Lease LeaseOf(int64_t id, void (DriverCore::*drop)(int64_t)) {
    return Lease(this, [this, id, drop](void*) { (core_.*drop)(id); });
  }
  int64_t NewId() { return ++last_id_; }

  // Jobs.
  std::shared_ptr<JobWatch> Submit(JobSpec spec) {
    auto watch = std::make_shared<JobWatch>();
    core_.SubmitJob(std::move(spec), [watch](absl::StatusOr<JobResult> outcome) {
      watch->outcome = std::move(outcome);
    });
    return watch;
  }
  static JobSpec Collecting(const RddRef& rdd, int64_t batch_time_ms = -1) {
    JobSpec spec;
    spec.rdd = rdd;
    spec.root = Op("collect");
    spec.partitions.resize(static_cast<size_t>(rdd->num_partitions));
    std::iota(spec.partitions.begin(), spec.partitions.end(), 0);
    spec.description = "Collect at test.cc:9";
    spec.batch_time_ms = batch_time_ms;
    return spec;
  }
  std::shared_ptr<JobWatch> Collect(const RddRef& rdd, int64_t batch_time_ms = -1) {
    return Submit(Collecting(rdd, batch_time_ms));
  }

  void Tell(proto::ToDriver message) { core_.HandleMessage(std::move(message)); }
  // Answers launched tasks with success, and those that this launches, until none is left. The
  // result of a task is its root operator and partition: "collect 3".
  int SucceedAll() {
    int count = 0;
    for (; !workers_.launched().empty(); ++count) {
      const LaunchedTask task = workers_.Take();
      Tell(Success(task, task.root() + " " + std::to_string(task.request.partition())));
    }
    return count;
  }

  MemoryFileSystem fs_;
  FakeEnv env_{fs_};
  ScriptedWorkers workers_;
  bool expects_idle_ = true;

 private:
  static const RecordTypeOperators& Type() {
    static const RecordTypeOperators& type = *new RecordTypeOperators{
        Op("cached_read", BindingKind::kCached), Op("cached_write", BindingKind::kCached)};
    return type;
  }

  int64_t last_id_ = 0;

 protected:
  DriverCore core_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_TESTS_SUPPORT_DRIVER_FIXTURE_H_
