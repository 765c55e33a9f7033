#include <functional>

#include "tests/golden/functions.h"
#include "tests/golden/item.h"
#include "tests/golden/operations.h"

namespace millrace::golden {
namespace {

void AddWithoutKeys(Operations& operations) {
  using In = const DStream<Int>&;
  operations.Add<Int>("CountByWindow", [](In in, Arguments& args) {
    const auto length = args.NextDuration();
    return in.CountByWindow(length, args.NextDuration());
  });
  operations.Add<Int>("ReduceByWindow sum", [](In in, Arguments& args) {
    const auto length = args.NextDuration();
    return in.ReduceByWindow(std::plus<Int>(), length, args.NextDuration());
  });
  operations.Add<Int>("ReduceByWindow max", [](In in, Arguments& args) {
    const auto length = args.NextDuration();
    return in.ReduceByWindow(Max(), length, args.NextDuration());
  });
  operations.Add<Int>("ReduceByWindow sum minus", [](In in, Arguments& args) {
    const auto length = args.NextDuration();
    return in.ReduceByWindow(std::plus<Int>(), std::minus<Int>(), length, args.NextDuration());
  });
}

template <class T>
void AddCountByValueAndWindow(Operations& operations) {
  operations.Add<T>("CountByValueAndWindow", [](const DStream<T>& in, Arguments& args) {
    const auto length = args.NextDuration();
    const auto slide = args.NextDuration();
    return in.CountByValueAndWindow(length, slide, args.NumberOr0());
  });
}

// A trailing `keep_non_zero` is the filter.
struct KeepNonZero {
  template <class T>
  bool operator()(const T& pair) const {
    return pair.second != 0;
  }
};

template <class T>
void AddSumsByKey(Operations& operations) {
  using In = const DStream<T>&;
  using Plus = std::plus<typename T::second_type>;
  using Minus = std::minus<typename T::second_type>;
  operations.Add<T>("ReduceByKeyAndWindow sum", [](In in, Arguments& args) {
    const auto length = args.NextDuration();
    if (args.AtEnd()) return in.ReduceByKeyAndWindow(Plus(), length);
    const auto slide = args.NextDuration();
    return in.ReduceByKeyAndWindow(Plus(), length, slide, args.NumberOr0());
  });
  operations.Add<T>("ReduceByKeyAndWindow sum minus", [](In in, Arguments& args) {
    const auto length = args.NextDuration();
    const auto slide = args.NextDuration();
    const int n = args.NumberOr0();
    if (!args.Take("keep_non_zero")) {
      return in.ReduceByKeyAndWindow(Plus(), Minus(), length, slide, n);
    }
    return in.ReduceByKeyAndWindow(Plus(), Minus(), length, slide, n, KeepNonZero());
  });
}

void AddWithKeys(Operations& operations) {
  using In = const DStream<TextInt>&;
  operations.Add<TextInt>("ReduceByKeyAndWindow max", [](In in, Arguments& args) {
    const auto length = args.NextDuration();
    return in.ReduceByKeyAndWindow(Max(), length, args.NextDuration());
  });
  operations.Add<TextInt>("GroupByKeyAndWindow", [](In in, Arguments& args) {
    const auto length = args.NextDuration();
    const auto slide = args.NextDuration();
    return in.GroupByKeyAndWindow(length, slide, args.NumberOr0());
  });
}

}  // namespace

void AddWindowOperations(Operations& operations) {
  AddWithoutKeys(operations);
  AddCountByValueAndWindow<Int>(operations);
  AddCountByValueAndWindow<Text>(operations);
  AddCountByValueAndWindow<View>(operations);
  AddCountByValueAndWindow<Item>(operations);
  AddCountByValueAndWindow<double>(operations);
  AddSumsByKey<TextInt>(operations);
  AddSumsByKey<ItemInt>(operations);
  AddSumsByKey<TextDouble>(operations);
  AddWithKeys(operations);
}

}  // namespace millrace::golden
