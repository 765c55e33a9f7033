#include <stdexcept>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "tests/golden/functions.h"
#include "tests/golden/operations.h"

namespace millrace::golden {
namespace {

void AddNumbers(Operations& operations) {
  operations.Add<Int>("Map double",
                      [](const DStream<Int>& in, Arguments&) { return in.Map(Double()); });
  operations.Add<Int>("Map add", [](const DStream<Int>& in, Arguments& args) {
    return in.Map(BindFront(std::plus<Int>(), Int{args.NextNumber()}));
  });
  operations.Add<Int>("Map to_text", [](const DStream<Int>& in, Arguments&) {
    return in.Map([](Int x) { return std::to_string(x); });
  });
  operations.Add<Int>("Map with_one", [](const DStream<Int>& in, Arguments&) {
    return in.Map([](Int x) { return IntInt(x, 1); });
  });
  // An error's text names the record.
  operations.Add<Int>("Map must_be_positive", [](const DStream<Int>& in, Arguments&) {
    return in.Map([](Int x) -> absl::StatusOr<Int> {
      if (x > 0) return x;
      return absl::OutOfRangeError(absl::StrCat(x, " is not positive"));
    });
  });
  operations.Add<Int>("Map throw_if_negative", [](const DStream<Int>& in, Arguments&) {
    return in.Map([](Int x) {
      if (x < 0) throw std::runtime_error("a negative number");
      return x;
    });
  });
  operations.Add<Int>("FlatMap repeat",
                      [](const DStream<Int>& in, Arguments&) { return in.FlatMap(Repeat()); });
  operations.Add<Int>("FlatMap count_up",
                      [](const DStream<Int>& in, Arguments&) { return in.FlatMap(CountUp()); });
  // The form with an emitter.
  operations.Add<Int>("FlatMap emit_odd_twice", [](const DStream<Int>& in, Arguments&) {
    return in.FlatMap<Int>([](Int x, Emitter<Int>& emit) {
      if (x % 2 == 0) return;
      emit(x);
      emit(x);
    });
  });
  operations.Add<Int>("Filter is_even", [](const DStream<Int>& in, Arguments&) {
    return in.Filter([](Int x) { return x % 2 == 0; });
  });
  operations.Add<Int>("MapPartitions sum", [](const DStream<Int>& in, Arguments&) {
    return in.MapPartitions<Int>([](PartitionReader<Int>& records, Emitter<Int>& emit) {
      Int sum = 0;
      for (const Int& x : records) sum += x;
      emit(sum);
    });
  });
  // Reads no more than the first record.
  operations.Add<Int>("MapPartitions first", [](const DStream<Int>& in, Arguments&) {
    return in.MapPartitions<Int>([](PartitionReader<Int>& records, Emitter<Int>& emit) {
      for (const Int& x : records) {
        emit(x);
        return;
      }
    });
  });
}

void AddTexts(Operations& operations) {
  operations.Add<Text>("Map upper", [](const DStream<Text>& in, Arguments&) {
    return in.Map([](Text text) {
      absl::AsciiStrToUpper(&text);
      return text;
    });
  });
  operations.Add<Text>("Map length", [](const DStream<Text>& in, Arguments&) {
    return in.Map([](const Text& text) { return static_cast<Int>(text.size()); });
  });
  operations.Add<Text>("Map with_one", [](const DStream<Text>& in, Arguments&) {
    return in.Map([](const Text& text) { return TextInt(text, 1); });
  });
  operations.Add<Text>("Filter not_empty", [](const DStream<Text>& in, Arguments&) {
    return in.Filter([](const Text& text) { return !text.empty(); });
  });
  // Words at blanks, as views of the lines.
  operations.Add<Text>("FlatMap split", [](const DStream<Text>& in, Arguments&) {
    return in.Map([](const Text& line) { return line; }).FlatMap([](std::string_view line) {
      return Split(line, ' ');
    });
  });
}

void AddViewsAndPairs(Operations& operations) {
  operations.Add<View>("Map with_one", [](const DStream<View>& in, Arguments&) {
    return in.Map([](View word) { return ViewInt(word, 1); });
  });
  operations.Add<View>("Map to_text", [](const DStream<View>& in, Arguments&) {
    return in.Map([](View word) { return Text(word); });
  });
  operations.Add<TextInt>("Map swap", [](const DStream<TextInt>& in, Arguments&) {
    return in.Map(
        [](const TextInt& pair) { return std::pair<Int, Text>(pair.second, pair.first); });
  });
  operations.Add<TextInt>("Filter value_is_even", [](const DStream<TextInt>& in, Arguments&) {
    return in.Filter([](const TextInt& pair) { return pair.second % 2 == 0; });
  });
}

}  // namespace

void AddRecordOperations(Operations& operations) {
  AddNumbers(operations);
  AddTexts(operations);
  AddViewsAndPairs(operations);
}

}  // namespace millrace::golden
