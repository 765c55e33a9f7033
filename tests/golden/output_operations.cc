#include <stdexcept>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tests/golden/functions.h"
#include "tests/golden/item.h"
#include "tests/golden/operations.h"

namespace millrace::golden {
namespace {

// SaveAsTextFiles prefix [suffix]: below the case's directory.
template <class T>
void AddForRecordsOf(Operations& operations) {
  operations.AddOutput<T>("Print", [](const DStream<T>& in, Arguments& args) {
    if (args.AtEnd()) return in.Print();
    in.Print(args.NextNumber());
  });
  operations.AddOutput<T>("SaveAsTextFiles", [](const DStream<T>& in, Arguments& args) {
    const std::string prefix = absl::StrCat(args.scope().directory, "/", args.NextWord());
    in.SaveAsTextFiles(prefix, args.AtEnd() ? "" : args.NextWord());
  });
}

}  // namespace

void AddOutputOperations(Operations& operations) {
  AddForRecordsOf<Int>(operations);
  AddForRecordsOf<Text>(operations);
  AddForRecordsOf<TextInt>(operations);
  AddForRecordsOf<Item>(operations);
  AddForRecordsOf<ItemInt>(operations);
  AddForRecordsOf<double>(operations);
  AddForRecordsOf<std::pair<Text, std::pair<Int, std::optional<Text>>>>(operations);
  AddForRecordsOf<std::pair<Text, std::vector<Int>>>(operations);
  // On the driver.
  operations.AddOutput<Int>("ForeachRDD error", [](const DStream<Int>& in, Arguments&) {
    in.ForeachRDD([](const RDD<Int>&) { return absl::UnavailableError("the sink is away"); });
  });
  operations.AddOutput<Int>("ForeachRDD throw", [](const DStream<Int>& in, Arguments&) {
    in.ForeachRDD([](const RDD<Int>&) { throw std::runtime_error("out of paper"); });
  });
}

}  // namespace millrace::golden
