#include <functional>
#include <vector>

#include "tests/golden/functions.h"
#include "tests/golden/item.h"
#include "tests/golden/operations.h"

namespace millrace::golden {
namespace {

template <class T>
void AddReduceAndGroup(Operations& operations) {
  operations.Add<T>("ReduceByKey sum", [](const DStream<T>& in, Arguments& args) {
    return in.ReduceByKey(std::plus<typename T::second_type>(), args.NumberOr0());
  });
  operations.Add<T>("GroupByKey", [](const DStream<T>& in, Arguments& args) {
    return in.GroupByKey(args.NumberOr0());
  });
}

void AddCombining(Operations& operations) {
  operations.Add<TextInt>("ReduceByKey max", [](const DStream<TextInt>& in, Arguments& args) {
    return in.ReduceByKey(Max(), args.NumberOr0());
  });
  operations.Add<TextInt>("ReduceByKey sum halves_of_alphabet",
                          [](const DStream<TextInt>& in, Arguments&) {
                            return in.ReduceByKey(std::plus<Int>(), HalvesOfAlphabet());
                          });
  // (sum, number of values)
  operations.Add<TextInt>(
      "CombineByKey sum_and_count", [](const DStream<TextInt>& in, Arguments& args) {
        return in.CombineByKey(
            [](Int value) { return IntInt(value, 1); },
            [](const IntInt& c, Int value) { return IntInt(c.first + value, c.second + 1); },
            [](const IntInt& a, const IntInt& b) {
              return IntInt(a.first + b.first, a.second + b.second);
            },
            args.NumberOr0());
      });
}

void AddValues(Operations& operations) {
  operations.Add<TextInt>("MapValues double", [](const DStream<TextInt>& in, Arguments&) {
    return in.MapValues(Double());
  });
  operations.Add<TextInt>("MapValues to_text", [](const DStream<TextInt>& in, Arguments&) {
    return in.MapValues([](Int value) { return std::to_string(value); });
  });
  operations.Add<TextInt>("FlatMapValues repeat", [](const DStream<TextInt>& in, Arguments&) {
    return in.FlatMapValues(Repeat());
  });
}

}  // namespace

void AddKeyOperations(Operations& operations) {
  AddReduceAndGroup<TextInt>(operations);
  AddReduceAndGroup<ViewInt>(operations);
  AddReduceAndGroup<IntInt>(operations);
  AddReduceAndGroup<ItemInt>(operations);
  AddReduceAndGroup<DoubleInt>(operations);
  AddReduceAndGroup<TextDouble>(operations);
  AddCombining(operations);
  AddValues(operations);
}

}  // namespace millrace::golden
