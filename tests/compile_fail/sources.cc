// Parsers run on workers; receivers are made there, of copies of their arguments.
#include <millrace/millrace.h>

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

template <int n>
struct Plain {
  int64_t id = 0;
};

struct Numbers : millrace::Receiver<int64_t> {
  Numbers() = default;
  explicit Numbers(int64_t first) : first(first) {}
  explicit Numbers(Plain<1> plain) : first(plain.id) {}
  void OnStart() override {}
  void OnStop() override {}
  int64_t first = 0;
};
struct Plains : millrace::Receiver<Plain<2>> {
  void OnStart() override {}
  void OnStop() override {}
};

void Sources(millrace::StreamingContext& ssc, char separator) {
  // expect-error: millrace::BindFront
  WRONG(ssc.FileStream<std::string_view>("dir", [separator](std::string_view contents) {
    return millrace::Split(contents, separator);
  }));
  RIGHT(ssc.FileStream<std::string_view>("dir", millrace::BindFront(
                                                    [](char separator, std::string_view contents) {
                                                      return millrace::Split(contents, separator);
                                                    },
                                                    separator)));

  // expect-error: ReceiverStream: an argument is of no record type.*serialize
  WRONG(ssc.ReceiverStream<Numbers>(Plain<1>()));
  // expect-error: ReceiverStream<R>.args....: R has no constructor
  WRONG(ssc.ReceiverStream<Numbers>(std::string("one")));
  RIGHT(ssc.ReceiverStream<Numbers>(int64_t{1}));
  RIGHT(ssc.ReceiverStream<Numbers>());

  // expect-error: cannot be a record: give it `template <class Archive> void serialize
  WRONG(ssc.ReceiverStream<Plains>());
  // expect-error: cannot be a record: give it `template <class Archive> void serialize
  WRONG(ssc.RawSocketStream<Plain<3>>("host", 1));
  RIGHT(ssc.RawSocketStream<int64_t>("host", 1));
}
