#include "tests/fuzz/plan_operators.h"

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "executor/operator/actions.h"
#include "executor/operator/join.h"
#include "executor/operator/keyed.h"
#include "executor/operator/lines.h"
#include "executor/operator/log_records.h"
#include "executor/operator/map.h"
#include "executor/operator/object_file_source.h"
#include "executor/operator/partition_ops.h"
#include "executor/operator/records_source.h"
#include "executor/operator/sample.h"
#include "executor/operator/sort.h"
#include "executor/operator/state_ops.h"
#include "executor/operator/take_ordered.h"
#include "executor/operator/text_file.h"
#include "executor/sink/save_operators.h"

namespace millrace::internal {
namespace {

using Text = std::string_view;

struct WrappingSum {
  int64_t operator()(int64_t a, int64_t b) const {
    return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  }
};
struct ToWord {
  Word operator()(Text line) const { return {line, static_cast<int64_t>(line.size())}; }
};
struct SumState {
  std::optional<int64_t> operator()(Text /*key*/, std::span<const int64_t> values,
                                    std::optional<int64_t> state) const {
    int64_t sum = state.value_or(0);
    for (const int64_t value : values) sum = WrappingSum()(sum, value);
    if (sum % 7 == 0) return std::nullopt;
    return sum;
  }
};
struct LastText {
  std::optional<std::string> operator()(Text /*key*/, std::span<const Text> values,
                                        std::optional<std::string> state) const {
    return values.empty() ? std::move(state) : std::string(values.back());
  }
};
struct ByText {
  bool operator()(const Word& a, const Word& b) const { return a < b; }
};

using Sum = ReducePolicy<int64_t, WrappingSum>;
using State = std::pair<Text, int64_t>;
using Join = JoinOperator<Text, int64_t, int64_t, JoinKind::kFullOuter>;

template <class Op>
const std::string& NameOf() {
  return Registration<Op>::entry().name();
}

const std::map<char, std::string>& Names() {
  static const auto& names = *new std::map<char, std::string>{
      // Leaves.
      {'L', NameOf<BlockLinesOperator>()},
      {'B', NameOf<BlockRecordsOperator<Word>>()},
      {'F', NameOf<TextFileOperator>()},
      {'G', NameOf<LogRecordsOperator>()},
      {'O', NameOf<ObjectFileOperator<Word>>()},
      {'V', NameOf<ValuesOperator<Word>>()},
      {'c', NameOf<CachedReadOperator<Word>>()},
      {'r', NameOf<ShuffleReadOperator<Text, int64_t>>()},
      // Between.
      {'m', NameOf<MapOperator<Text, ToWord>>()},
      {'C', NameOf<CachedWriteOperator<Word>>()},
      {'h', NameOf<AddHashOperator<Text, int64_t>>()},
      {'d', NameOf<DropHashOperator<Text, int64_t>>()},
      {'k', NameOf<CombineOperator<Text, Sum>>()},
      {'J', NameOf<Join>()},
      {'S', NameOf<SortOperator<Text, int64_t>>()},
      {'s', NameOf<SampleOperator<Word>>()},
      {'i', NameOf<ZipWithIndexOperator<Word>>()},
      {'u', "millrace.Select"},
      {'o', "millrace.Concat"},
      // Roots.
      {'A', NameOf<CollectOperator<Word>>()},
      {'j', NameOf<CountOperator<Join::Out>>()},
      {'N', NameOf<CountOperator<Word>>()},
      {'l', NameOf<LookupOperator<Text, int64_t>>()},
      {'t', NameOf<TakeOrderedOperator<Word, ByText>>()},
      {'W', NameOf<ShuffleWriteOperator<Text, int64_t, HashPartition>>()},
      {'R', NameOf<ShuffleWriteOperator<Text, int64_t, RangePartition<Text>>>()},
      {'K', NameOf<CombineWriteOperator<Text, Sum, HashPartition>>()},
      {'b', NameOf<RoundRobinWriteOperator<Word>>()},
      {'U', NameOf<UpdateStateOperator<Text, int64_t, int64_t, SumState>>()},
      {'w', NameOf<UpdateStateOperator<Text, Text, std::string, LastText>>()},
      {'P', NameOf<LoadStateOperator<Text, int64_t, false, State>>()},
      {'Q', NameOf<SaveStateOperator<Text, int64_t, false, State>>()},
      {'X', NameOf<SaveTextOperator<Word>>()},
      {'Y', NameOf<SaveObjectsOperator<Word>>()},
  };
  return names;
}

}  // namespace

void ExpandOperatorNames(proto::StagePlan& plan) {
  for (proto::PlanNode& node : *plan.mutable_nodes()) {
    if (node.operator_name().size() != 1) continue;
    const auto name = Names().find(node.operator_name()[0]);
    if (name != Names().end()) node.set_operator_name(name->second);
  }
}

uint32_t AddNode(proto::StagePlan& plan, char letter, const std::vector<uint32_t>& inputs,
                 proto::BindingKind binding, const std::string& params) {
  plan.set_version(1);
  proto::PlanNode& node = *plan.add_nodes();
  node.set_operator_name(std::string(1, letter));
  node.set_params(params);
  node.set_binding(binding);
  for (const uint32_t input : inputs) node.add_inputs(input);
  return static_cast<uint32_t>(plan.nodes_size() - 1);
}

void AddCollect(proto::StagePlan& plan, uint32_t input) {
  AddNode(plan, 'A', {input}, proto::BINDING_NONE, EncodeToString(uint64_t{100}));
}

}  // namespace millrace::internal
