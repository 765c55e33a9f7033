#include <functional>
#include <vector>

#include "tests/golden/functions.h"
#include "tests/golden/item.h"
#include "tests/golden/operations.h"

namespace millrace::golden {
namespace {

// What is there for records of any type.
template <class T>
void AddForRecordsOf(Operations& operations) {
  using In = const DStream<T>&;
  operations.Add<T>("Glom", [](In in, Arguments&) { return in.Glom(); });
  operations.Add<T>("Repartition",
                    [](In in, Arguments& args) { return in.Repartition(args.NextNumber()); });
  operations.Add<T>("Union",
                    [](In in, Arguments& args) { return in.Union(args.NextStreamOf<T>()); });
  // StreamingContext::Union
  operations.Add<T>("UnionAll", [](In in, Arguments& args) {
    std::vector<DStream<T>> all{in};
    while (!args.AtEnd()) all.push_back(args.NextStreamOf<T>());
    return args.context().Union(all);
  });
  operations.Add<T>("Count", [](In in, Arguments&) { return in.Count(); });
  operations.Add<T>("Window", [](In in, Arguments& args) {
    const auto length = args.NextDuration();
    return args.AtEnd() ? in.Window(length) : in.Window(length, args.NextDuration());
  });
  operations.Add<T>("Persist", [](In in, Arguments&) { return in.Persist(); });
  operations.Add<T>("Persist disk",
                    [](In in, Arguments&) { return in.Persist(StorageLevel::kDiskOnly); });
  operations.Add<T>("Cache", [](In in, Arguments&) { return in.Cache(); });
  operations.Add<T>("Checkpoint",
                    [](In in, Arguments& args) { return in.Checkpoint(args.NextDuration()); });
  operations.Add<T>("Name", [](In in, Arguments& args) { return in.Name(args.NextWord()); });
}

template <class T>
void AddCountByValue(Operations& operations) {
  operations.Add<T>("CountByValue", [](const DStream<T>& in, Arguments& args) {
    return in.CountByValue(args.NumberOr0());
  });
}

}  // namespace

void AddBatchOperations(Operations& operations) {
  AddForRecordsOf<Int>(operations);
  AddForRecordsOf<Text>(operations);
  AddForRecordsOf<View>(operations);
  AddForRecordsOf<TextInt>(operations);
  AddForRecordsOf<Item>(operations);
  AddForRecordsOf<double>(operations);
  AddCountByValue<Int>(operations);
  AddCountByValue<Text>(operations);
  AddCountByValue<View>(operations);
  AddCountByValue<TextInt>(operations);
  AddCountByValue<Item>(operations);
  AddCountByValue<double>(operations);
  operations.Add<Int>(
      "Reduce sum", [](const DStream<Int>& in, Arguments&) { return in.Reduce(std::plus<Int>()); });
  operations.Add<Int>("Reduce max",
                      [](const DStream<Int>& in, Arguments&) { return in.Reduce(Max()); });
  operations.Add<Text>("Reduce max",
                       [](const DStream<Text>& in, Arguments&) { return in.Reduce(Max()); });
  operations.Add<Item>("Reduce max",
                       [](const DStream<Item>& in, Arguments&) { return in.Reduce(Max()); });
}

}  // namespace millrace::golden
