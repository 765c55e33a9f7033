// What is printed and saved as text needs a text form.
#include <millrace/millrace.h>

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

// Of a type each, for the compiler says once what is wrong with one.
template <int n>
struct Silent {
  int64_t id = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(id);
  }
};
struct Stringified : Silent<0> {
  template <class Sink>
  friend void AbslStringify(Sink& sink, const Stringified& value) {
    sink.Append("#" + std::to_string(value.id));
  }
};
struct Streamed : Silent<0> {
  friend std::ostream& operator<<(std::ostream& os, const Streamed& value) {
    return os << value.id;
  }
};

void Streams(const millrace::DStream<Silent<1>>& printed, const millrace::DStream<Silent<2>>& saved,
             const millrace::DStream<Stringified>& stringified,
             const millrace::DStream<Streamed>& streamed) {
  // expect-error: has no text form.*AbslStringify.*operator<<
  WRONG(printed.Print());
  RIGHT(stringified.Print());
  RIGHT(streamed.Print());
  // expect-error: has no text form.*AbslStringify.*operator<<
  WRONG(saved.SaveAsTextFiles("prefix"));
  RIGHT(stringified.SaveAsTextFiles("prefix"));
  RIGHT(streamed.SaveAsTextFiles("prefix"));
}

void Within(const millrace::DStream<std::pair<int64_t, std::vector<Silent<3>>>>& silent,
            const millrace::DStream<std::pair<int64_t, std::vector<Stringified>>>& stringified) {
  // expect-error: has no text form.*AbslStringify.*operator<<
  WRONG(silent.Print());
  RIGHT(stringified.Print());
}

void DataSets(const millrace::RDD<std::optional<Silent<4>>>& silent,
              const millrace::RDD<std::optional<Stringified>>& stringified) {
  // expect-error: has no text form.*AbslStringify.*operator<<
  WRONG((void)silent.SaveAsTextFile("directory"));
  RIGHT((void)stringified.SaveAsTextFile("directory"));
}
