#include <functional>

#include "tests/golden/functions.h"
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
  bool operator()(const TextInt& pair) const { return pair.second != 0; }
};

void AddWithKeys(Operations& operations) {
  using In = const DStream<TextInt>&;
  operations.Add<TextInt>("ReduceByKeyAndWindow sum", [](In in, Arguments& args) {
    const auto length = args.NextDuration();
    if (args.AtEnd()) return in.ReduceByKeyAndWindow(std::plus<Int>(), length);
    const auto slide = args.NextDuration();
    return in.ReduceByKeyAndWindow(std::plus<Int>(), length, slide, args.NumberOr0());
  });
  operations.Add<TextInt>("ReduceByKeyAndWindow max", [](In in, Arguments& args) {
    const auto length = args.NextDuration();
    return in.ReduceByKeyAndWindow(Max(), length, args.NextDuration());
  });
  operations.Add<TextInt>("ReduceByKeyAndWindow sum minus", [](In in, Arguments& args) {
    const auto length = args.NextDuration();
    const auto slide = args.NextDuration();
    const int n = args.NumberOr0();
    if (!args.Take("keep_non_zero")) {
      return in.ReduceByKeyAndWindow(std::plus<Int>(), std::minus<Int>(), length, slide, n);
    }
    return in.ReduceByKeyAndWindow(std::plus<Int>(), std::minus<Int>(), length, slide, n,
                                   KeepNonZero());
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
  AddWithKeys(operations);
}

}  // namespace millrace::golden
