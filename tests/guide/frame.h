// What the blocks of the guide are compiled with.
#ifndef MILLRACE_TESTS_GUIDE_FRAME_H_
#define MILLRACE_TESTS_GUIDE_FRAME_H_

#include <millrace/log_stream.h>
#include <millrace/log_writer.h>
#include <millrace/millrace.h>
#include <millrace/testing.h>

#include <algorithm>
#include <concepts>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "common/text/text_form.h"

namespace millrace::guide {

// Names a block for main().
class Block {
 public:
  using Main = int (*)(int argc, char** argv);
  using Function = void (*)(testing::StreamHarness& h);

  Block(const char* name, Main main);
  Block(const char* name, Function function);
};

// Ends the program with a message when the status is an error.
void Check(const absl::Status& status);

// "counts at 2 s: (a,2), (b,1)", or "counts at 2 s: nothing".
void PrintRecords(const char* name, Time time, const std::vector<std::string>& records);

using Printers = std::vector<std::function<void()>>;

inline void AddPrinters(testing::StreamHarness& /*h*/, Printers& /*printers*/) {}

template <class T, class... Streams>
void AddPrinters(testing::StreamHarness& h, Printers& printers, const char* name,
                 const DStream<T>& stream, const Streams&... streams) {
  printers.push_back([name, out = h.Output(stream)] {
    for (size_t i = 0; i < out.batches().size(); ++i) {
      std::vector<Owned<T>> records = out.batches()[i];
      if constexpr (std::totally_ordered<Owned<T>>) std::sort(records.begin(), records.end());
      std::vector<std::string> texts;
      for (const Owned<T>& record : records) texts.push_back(ToText(record));
      PrintRecords(name, out.times()[i], texts);
    }
  });
  AddPrinters(h, printers, streams...);
}

// Show(h, 2, "lines", lines, "words", words) runs two batches and prints what each stream had.
// Records are in the order of their values, for behind a shuffle they have none.
template <class... Streams>
void Show(testing::StreamHarness& h, int batches, const Streams&... names_and_streams) {
  Printers printers;
  AddPrinters(h, printers, names_and_streams...);
  Check(h.RunBatches(batches));
  for (const auto& print : printers) print();
}

}  // namespace millrace::guide

#endif  // MILLRACE_TESTS_GUIDE_FRAME_H_
