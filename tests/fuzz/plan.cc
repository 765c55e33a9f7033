// Plans and tasks as a driver may send them, run on the operators of the product.
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/fs/file_util.h"
#include "common/memory/memory_budget.h"
#include "common/partition_log/log_format.h"
#include "common/record/codec.h"
#include "common/time/system_clock.h"
#include "executor/block/block_store.h"
#include "executor/block/spill_dir.h"
#include "executor/operator/log_records.h"
#include "executor/operator/sample.h"
#include "executor/operator/sort.h"
#include "executor/operator/text_file.h"
#include "executor/shuffle/shuffle_router.h"
#include "executor/shuffle/shuffle_store.h"
#include "executor/sink/object_file.h"
#include "executor/state/state_store.h"
#include "executor/task/task_runner.h"
#include "glog/logging.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/message_script.h"
#include "tests/fuzz/plan_operators.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

enum Kind : uint8_t { kPlan, kTask, kBlock, kFile, kKinds };

constexpr size_t kMemoryBytes = size_t{1} << 20;
constexpr int kTasksMax = 16;

// A worker's parts, and the plan that tasks run on.
class Harness {
 public:
  Harness() {
    CHECK(fs_.CreateDirs("/data").ok());
    CHECK(fs_.CreateDirs("/out").ok());
  }

  // False: something was refused, or a task did not succeed.
  bool Take(const ScriptStep& step) {
    switch (step.kind % kKinds) {
      case kPlan:
        return TakePlan(step);
      case kTask: {
        proto::TaskRequest request;
        return ParseStep(step, request) && RunTask(std::move(request));
      }
      case kBlock:
        return PutBlock(step.bytes);
      default:
        CHECK(WriteFileAtomically(fs_, "/data/" + std::to_string(file_count_++), step.bytes).ok());
        return true;
    }
  }

 private:
  bool TakePlan(const ScriptStep& step) {
    proto::StagePlan plan;
    if (!ParseStep(step, plan)) return ParsedPlan::Parse(step.bytes).ok();
    ExpandOperatorNames(plan);
    const auto parsed = ParsedPlan::Parse(plan.SerializeAsString());
    if (parsed.ok()) plan_ = *parsed;
    return parsed.ok();
  }

  bool PutBlock(const std::string& bytes) {
    StoreData data{.buffers = {Buffer(bytes)}, .level = StorageLevel::kMemoryAndDisk};
    return blocks_.Put(StoreKey::Block(1, block_count_++), data).ok();
  }

  bool RunTask(proto::TaskRequest request) {
    if (plan_ == nullptr || ++task_count_ > kTasksMax) return false;
    LaunchedTask task;
    request.set_task_id(task_count_);
    task.request = std::move(request);
    task.plan = plan_;
    TaskRunner(services_).Run(task);
    CHECK_EQ(task.status.task_id(), task_count_);
    const bool succeeded = task.status.outcome() == proto::TaskStatus::SUCCEEDED;
    CHECK(succeeded || task.status.error_code() != 0);
    CHECK(succeeded || !states_.Holds(task_count_));
    if (succeeded) states_.Commit(task_count_);
    return succeeded;
  }

  MemoryFileSystem fs_;
  MemoryBudget budget_{kMemoryBytes};
  SpillDir disk_{fs_, "/spill"};
  BlockStore blocks_{budget_, disk_};
  ShuffleStore shuffles_{budget_, blocks_, disk_};
  ShuffleRouter router_{shuffles_};
  StateStore states_;
  const TaskServices services_{blocks_, shuffles_, router_, states_, fs_, &MonotonicNanos};
  std::shared_ptr<const ParsedPlan> plan_;
  int64_t task_count_ = 0;
  int64_t block_count_ = 0;
  int64_t file_count_ = 0;
};

bool Run(std::string_view bytes) {
  Harness harness;
  bool is_right = true;
  for (const ScriptStep& step : ReadScript(bytes)) is_right = harness.Take(step) && is_right;
  return is_right;
}

// -----------------------------------------------------------------------------------------------
// Seeds.

class SeedWriter {
 public:
  proto::StagePlan plan;
  SeedWriter& Plan() {
    steps_.push_back(StepOf(kPlan, std::exchange(plan, {})));
    return *this;
  }
  SeedWriter& Task(const std::vector<proto::Binding>& bindings) {
    proto::TaskRequest request;
    for (const proto::Binding& binding : bindings) *request.add_bindings() = binding;
    steps_.push_back(StepOf(kTask, request));
    return *this;
  }
  SeedWriter& Bytes(Kind kind, std::string bytes) {
    steps_.push_back({kind, std::move(bytes)});
    return *this;
  }
  std::string Take() { return WriteScript(steps_); }

 private:
  std::vector<ScriptStep> steps_;
};

std::string Words() {
  Encoder encoder;
  for (const Word& word : {Word("a", 1), Word("bb", 2), Word("a", 3)}) Encode(encoder, word);
  return encoder.ToString();
}

proto::Binding Blocks(int64_t sequence) {
  proto::Binding binding;
  proto::BlockId& id = *binding.mutable_blocks()->add_blocks();
  id.set_stream_id(1);
  id.set_sequence(sequence);
  return binding;
}
proto::Binding Split(std::string bytes) {
  proto::Binding binding;
  binding.set_split(std::move(bytes));
  return binding;
}
proto::Binding Output(int64_t shuffle_id, uint32_t reduce_count) {
  proto::Binding binding;
  binding.mutable_output()->set_shuffle_id(shuffle_id);
  binding.mutable_output()->set_reduce_count(reduce_count);
  return binding;
}
proto::Binding Shuffle(int64_t shuffle_id, uint32_t partition) {
  proto::Binding binding;
  binding.mutable_shuffle()->set_shuffle_id(shuffle_id);
  binding.mutable_shuffle()->set_reduce_partition(partition);
  binding.mutable_shuffle()->set_map_count(1);
  return binding;
}
proto::Binding Cached(uint32_t level) {
  proto::Binding binding;
  binding.mutable_cached()->set_rdd_id(9);
  binding.mutable_cached()->set_storage_level(level);
  return binding;
}
proto::Binding StateOf(int64_t state_id, int64_t batch_time_ms, int64_t previous_time_ms) {
  proto::Binding binding;
  binding.mutable_state()->set_state_id(state_id);
  binding.mutable_state()->set_batch_time_ms(batch_time_ms);
  binding.mutable_state()->set_previous_time_ms(previous_time_ms);
  binding.mutable_state()->set_rdd_id(12);
  binding.mutable_state()->set_storage_level(3);
  return binding;
}
proto::Binding Directory(const std::string& path) {
  proto::Binding binding;
  binding.mutable_output()->set_path(path);
  return binding;
}

// A shuffle of words into two partitions, by a root with these parameters.
void AddShuffle(SeedWriter& seed, char root, const std::string& params = "") {
  const uint32_t words = AddNode(seed.plan, 'V', {}, proto::BINDING_SPLIT);
  AddNode(seed.plan, root, {words}, proto::BINDING_OUTPUT, params);
  seed.Plan().Task({Output(1, 2), Split(Words())});
}

std::string WordCountSeed() {
  SeedWriter seed;
  seed.Bytes(kBlock, "a b\nccc\r\na b\n");
  const uint32_t lines = AddNode(seed.plan, 'L', {}, proto::BINDING_BLOCKS);
  AddNode(seed.plan, 'K', {AddNode(seed.plan, 'm', {lines})}, proto::BINDING_OUTPUT);
  seed.Plan().Task({Output(1, 2), Blocks(0)});
  const uint32_t read = AddNode(seed.plan, 'r', {}, proto::BINDING_SHUFFLE);
  AddCollect(seed.plan, AddNode(seed.plan, 'k', {read}));
  return seed.Plan().Task({Shuffle(1, 0)}).Task({Shuffle(1, 1)}).Take();
}

std::string JoinSeed() {
  SeedWriter seed;
  AddShuffle(seed, 'W');
  const uint32_t left = AddNode(seed.plan, 'r', {}, proto::BINDING_SHUFFLE);
  const uint32_t words = AddNode(seed.plan, 'V', {}, proto::BINDING_SPLIT);
  const uint32_t right = AddNode(seed.plan, 'h', {words});
  const uint32_t joined = AddNode(seed.plan, 'J', {left, right});
  AddNode(seed.plan, 'j', {joined});
  return seed.Plan().Task({Shuffle(1, 1), Split(Words())}).Take();
}

std::string SortSeed() {
  SeedWriter seed;
  AddShuffle(seed, 'R', EncodeToString(RangePartition<std::string_view>{{"b"}, true}));
  const uint32_t read = AddNode(seed.plan, 'r', {}, proto::BINDING_SHUFFLE);
  AddNode(seed.plan, 't', {AddNode(seed.plan, 'S', {read}, {}, EncodeToString(true))}, {},
          EncodeToString(uint64_t{2}));
  return seed.Plan().Task({Shuffle(1, 0)}).Take();
}

std::string StateSeed() {
  SeedWriter seed;
  const uint32_t words = AddNode(seed.plan, 'V', {}, proto::BINDING_SPLIT);
  AddNode(seed.plan, 'U', {AddNode(seed.plan, 'h', {words})}, proto::BINDING_STATE);
  seed.Plan();
  seed.Task({StateOf(5, 1000, -1), Split(Words())});
  seed.Task({StateOf(5, 2000, 1000), Split(Words())});
  AddNode(seed.plan, 'w', {}, proto::BINDING_STATE);
  return seed.Plan().Task({StateOf(6, 3000, -1)}).Take();
}

std::string CacheSeed() {
  SeedWriter seed;
  const uint32_t words = AddNode(seed.plan, 'V', {}, proto::BINDING_SPLIT);
  const uint32_t kept = AddNode(seed.plan, 'C', {words}, proto::BINDING_CACHED);
  const uint32_t chosen = AddNode(seed.plan, 'u', {words, kept}, proto::BINDING_SELECT);
  const uint32_t all = AddNode(seed.plan, 'o', {chosen}, proto::BINDING_CONCAT);
  AddNode(seed.plan, 'N', {all});
  proto::Binding concat;
  concat.set_concat(2);
  proto::Binding first;
  first.set_select(0);
  proto::Binding second;
  second.set_select(1);
  seed.Plan().Task({concat, first, Split(Words()), second, Cached(3), Split(Words())});
  AddNode(seed.plan, 'l', {AddNode(seed.plan, 'c', {}, proto::BINDING_CACHED)}, {},
          EncodeToString(std::string("a")));
  return seed.Plan().Task({Cached(0)}).Take();
}

std::string FilesSeed() {
  SeedWriter seed;
  const std::string words = Words();
  seed.Bytes(kFile, "one\ntwo\nthree");
  seed.Bytes(kFile, EncodeLogHead() + EncodeLogRecordHead(0, "record") + "record");
  seed.Bytes(kFile, ObjectFileHead() + ObjectFrameHead(words, 3) + words);
  const uint32_t lines = AddNode(seed.plan, 'F', {}, proto::BINDING_SPLIT);
  AddNode(seed.plan, 'X', {AddNode(seed.plan, 'm', {lines})}, proto::BINDING_OUTPUT);
  seed.Plan().Task({Directory("/out"), Split(EncodeToString(TextFileSplit{"/data/0", 2, 8}))});
  const uint32_t records = AddNode(seed.plan, 'G', {}, proto::BINDING_SPLIT);
  AddCollect(seed.plan, AddNode(seed.plan, 'm', {records}));
  seed.Plan().Task({Split(EncodeToString(LogSplit{"/data/1", 0, 1, {}}))});
  AddNode(seed.plan, 'Y', {AddNode(seed.plan, 'O', {}, proto::BINDING_SPLIT)},
          proto::BINDING_OUTPUT);
  return seed.Plan().Task({Directory("/out"), Split("/data/2")}).Take();
}

std::string SampleSeed() {
  SeedWriter seed;
  const uint32_t words = AddNode(seed.plan, 'V', {}, proto::BINDING_SPLIT);
  const uint32_t some =
      AddNode(seed.plan, 's', {words}, {}, EncodeToString(SampleParams{true, 1.5, 7}));
  AddNode(seed.plan, 'b', {some}, proto::BINDING_OUTPUT);
  return seed.Plan().Task({Output(3, 4), Split(Words())}).Take();
}

FuzzSeeds Seeds() {
  return {{"word-count", WordCountSeed()}, {"join", JoinSeed()},   {"sort", SortSeed()},
          {"state", StateSeed()},          {"cache", CacheSeed()}, {"files", FilesSeed()},
          {"sample", SampleSeed()}};
}

std::vector<const google::protobuf::Message*> Prototypes() {
  return {&proto::StagePlan::default_instance(), &proto::TaskRequest::default_instance(), nullptr,
          nullptr};
}

const FuzzTarget target("plan", Run, Seeds, Prototypes);

}  // namespace
}  // namespace millrace::internal
