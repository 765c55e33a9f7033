#include <optional>
#include <span>
#include <stdexcept>
#include <vector>

#include "tests/golden/functions.h"
#include "tests/golden/item.h"
#include "tests/golden/operations.h"

namespace millrace::golden {
namespace {

using Values = std::span<const Int>;
using State = std::optional<Int>;

struct Sum {
  template <class Key>
  State operator()(const Key& /*key*/, Values values, State sum) const {
    Int total = sum.value_or(0);
    for (const Int value : values) total += value;
    return total;
  }
};

// A key whose sum is 0 goes.
struct SumUnlessZero {
  State operator()(const Text& key, Values values, State sum) const {
    sum = Sum()(key, values, sum);
    return *sum == 0 ? std::nullopt : sum;
  }
};

// An exception at a negative value.
struct SumUnlessNegative {
  State operator()(const Text& key, Values values, State sum) const {
    for (const Int value : values) {
      if (value < 0) throw std::runtime_error("a negative value");
    }
    return Sum()(key, values, sum);
  }
};

// In how many batches the function was called for the key.
struct CountCalls {
  State operator()(const Text& /*key*/, Values /*values*/, State calls) const {
    return calls.value_or(0) + 1;
  }
};

// A key that gets nothing in a batch goes.
struct SumWhileFed {
  State operator()(const Text& key, Values values, State sum) const {
    return values.empty() ? std::nullopt : Sum()(key, values, sum);
  }
};

// The time of the last batch that had the key.
struct LastSeen {
  State operator()(Time time, const Text& /*key*/, Values values, State seen) const {
    return values.empty() ? seen : time.ms();
  }
};

// All values of all batches.
struct Collect {
  std::optional<std::vector<Int>> operator()(const Text& /*key*/, Values values,
                                             std::optional<std::vector<Int>> all) const {
    std::vector<Int> collected = std::move(all).value_or(std::vector<Int>());
    collected.insert(collected.end(), values.begin(), values.end());
    return collected;
  }
};

// [n] [initial DATA_SET]
template <class F>
void Add(Operations& operations, const std::string& name) {
  operations.Add<TextInt>(name, [](const DStream<TextInt>& in, Arguments& args) {
    const int n = args.NumberOr0();
    if (!args.Take("initial")) return in.UpdateStateByKey<Int>(F(), n);
    return in.UpdateStateByKey<Int>(F(), n, args.NextDataSetOf<TextInt>());
  });
}

template <class T>
void AddSum(Operations& operations) {
  operations.Add<T>("UpdateStateByKey sum", [](const DStream<T>& in, Arguments& args) {
    return in.template UpdateStateByKey<Int>(Sum(), args.NumberOr0());
  });
}

}  // namespace

void AddUpdateStateOperations(Operations& operations) {
  Add<Sum>(operations, "UpdateStateByKey sum");
  Add<SumUnlessZero>(operations, "UpdateStateByKey sum_unless_zero");
  Add<SumUnlessNegative>(operations, "UpdateStateByKey sum_unless_negative");
  Add<CountCalls>(operations, "UpdateStateByKey count_calls");
  Add<SumWhileFed>(operations, "UpdateStateByKey sum_while_fed");
  Add<LastSeen>(operations, "UpdateStateByKey last_seen");
  operations.Add<TextInt>("UpdateStateByKey collect", [](const DStream<TextInt>& in, Arguments&) {
    return in.UpdateStateByKey<std::vector<Int>>(Collect());
  });
  AddSum<ViewInt>(operations);
  AddSum<ItemInt>(operations);
  AddSum<DoubleInt>(operations);
}

}  // namespace millrace::golden
