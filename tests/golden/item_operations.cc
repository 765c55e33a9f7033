#include <optional>
#include <span>

#include "tests/golden/functions.h"
#include "tests/golden/item.h"
#include "tests/golden/operations.h"

namespace millrace::golden {
namespace {

void AddRecords(Operations& operations) {
  operations.Add<Item>("Map with_one", [](const DStream<Item>& in, Arguments&) {
    return in.Map([](const Item& item) { return ItemInt(item, 1); });
  });
  operations.Add<Item>("Map to_text", [](const DStream<Item>& in, Arguments&) {
    return in.Map([](const Item& item) { return ToText(item); });
  });
  // The size grows by the argument.
  operations.Add<Item>("Map grow", [](const DStream<Item>& in, Arguments& args) {
    return in.Map(BindFront(
        [](Int more, Item item) {
          return Item{item.name, item.size + more};
        },
        Int{args.NextNumber()}));
  });
  operations.Add<Item>("Map by_name", [](const DStream<Item>& in, Arguments&) {
    return in.Map([](const Item& item) { return TextItem(item.name, item); });
  });
  operations.Add<TextInt>("Map to_item", [](const DStream<TextInt>& in, Arguments&) {
    return in.Map([](const TextInt& pair) { return Item{pair.first, pair.second}; });
  });
}

void AddDataSets(Operations& operations) {
  operations.Add<Item>("Transform sorted", [](const DStream<Item>& in, Arguments&) {
    return in.Transform(
        [](const RDD<Item>& rdd) { return rdd.SortBy([](const Item& item) { return item; }); });
  });
  operations.Add<Item>("Transform sorted_by_size", [](const DStream<Item>& in, Arguments&) {
    return in.Transform([](const RDD<Item>& rdd) {
      return rdd.SortBy([](const Item& item) { return item.size; });
    });
  });
  operations.Add<Item>("Transform distinct", [](const DStream<Item>& in, Arguments&) {
    return in.Transform([](const RDD<Item>& rdd) { return rdd.Distinct(); });
  });
}

void AddValues(Operations& operations) {
  operations.Add<TextItem>("ReduceByKey max", [](const DStream<TextItem>& in, Arguments& args) {
    return in.ReduceByKey(Max(), args.NumberOr0());
  });
  operations.Add<TextItem>("GroupByKey", [](const DStream<TextItem>& in, Arguments& args) {
    return in.GroupByKey(args.NumberOr0());
  });
  operations.Add<TextInt>("JoinItems", [](const DStream<TextInt>& in, Arguments& args) {
    return in.Join(args.NextStreamOf<TextItem>());
  });
}

void AddKeys(Operations& operations) {
  using In = const DStream<ItemInt>&;
  operations.Add<ItemInt>(
      "Join", [](In in, Arguments& args) { return in.Join(args.NextStreamOf<ItemText>()); });
  operations.Add<ItemInt>("LeftOuterJoin", [](In in, Arguments& args) {
    return in.LeftOuterJoin(args.NextStreamOf<ItemText>());
  });
  operations.Add<ItemInt>(
      "CoGroup", [](In in, Arguments& args) { return in.CoGroup(args.NextStreamOf<ItemText>()); });
}

// The greatest item of the key so far.
struct Greatest {
  std::optional<Item> operator()(const Text& /*key*/, std::span<const Item> items,
                                 std::optional<Item> greatest) const {
    for (const Item& item : items) {
      if (!greatest || *greatest < item) greatest = item;
    }
    return greatest;
  }
};

void AddState(Operations& operations) {
  operations.Add<TextItem>("UpdateStateByKey greatest",
                           [](const DStream<TextItem>& in, Arguments& args) {
                             return in.UpdateStateByKey<Item>(Greatest(), args.NumberOr0());
                           });
}

}  // namespace

void AddItemOperations(Operations& operations) {
  AddRecords(operations);
  AddDataSets(operations);
  AddValues(operations);
  AddKeys(operations);
  AddState(operations);
}

}  // namespace millrace::golden
