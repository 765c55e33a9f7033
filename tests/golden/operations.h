// The operations that cases may name: a table from "Map double" and a record type to a function.
#ifndef MILLRACE_TESTS_GOLDEN_OPERATIONS_H_
#define MILLRACE_TESTS_GOLDEN_OPERATIONS_H_

#include <millrace/testing.h>

#include <any>
#include <chrono>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "tests/golden/any_stream.h"
#include "tests/golden/case.h"
#include "tests/golden/record_value.h"

namespace millrace::golden {

// The case cannot be built: a name or an argument is wrong. Thrown by Arguments, a Status behind
// Operations::Apply.
class WrongCase : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What the chains of a case may refer to.
struct CaseScope {
  testing::StreamHarness& harness;
  std::string directory;  // The case's own.
  std::map<std::string, AnyStream> streams;
  std::map<std::string, std::any> data_sets;  // Of RDD<T>.
};

// The words behind an operation's name, taken one by one.
class Arguments {
 public:
  Arguments(const Step& step, size_t first, CaseScope& scope)
      : step_(step), next_(first), scope_(scope) {}

  CaseScope& scope() const { return scope_; }
  StreamingContext& context() const { return scope_.harness.context(); }

  bool AtEnd() const { return next_ == step_.size(); }
  // Takes `word` if it comes next.
  bool Take(const std::string& word);
  std::string NextWord();
  int NextNumber();
  std::chrono::milliseconds NextDuration();
  // 0, which leaves the number to the operation, where none comes.
  int NumberOr0();

  AnyStream NextStream();
  template <class T>
  DStream<T> NextStreamOf() {
    const AnyStream stream = NextStream();
    if (const auto* typed = stream.As<T>()) return *typed;
    throw WrongCase("a stream of " + RecordForm<T>::Name() + " is wanted, not " + stream.type());
  }
  template <class T>
  RDD<T> NextDataSetOf() {
    const auto it = scope_.data_sets.find(NextWord());
    const auto* data_set =
        it == scope_.data_sets.end() ? nullptr : std::any_cast<RDD<T>>(&it->second);
    if (data_set == nullptr) {
      throw WrongCase("a data set of " + RecordForm<T>::Name() + " is wanted");
    }
    return *data_set;
  }

 private:
  const Step& step_;
  size_t next_;
  CaseScope& scope_;
};

class Operations {
 public:
  // `name`: the operation and, as far as they choose it, its first arguments ("Map double").
  // f: (const DStream<T>&, Arguments&) -> DStream<U> or AnyStream, without captures.
  template <class T, class F>
  void Add(const std::string& name, F f) {
    table_[{name, RecordForm<T>::Name()}] = [f](const AnyStream& in, Arguments& args) -> AnyStream {
      return f(*in.As<T>(), args);
    };
  }
  // An output operation. f: (const DStream<T>&, Arguments&) -> void.
  template <class T, class F>
  void AddOutput(const std::string& name, F f) {
    outputs_[{name, RecordForm<T>::Name()}] = [f](const AnyStream& in, Arguments& args) {
      f(*in.As<T>(), args);
    };
  }

  absl::StatusOr<AnyStream> Apply(const AnyStream& in, const Step& step, CaseScope& scope) const;
  absl::Status ApplyOutput(const AnyStream& in, const Step& step, CaseScope& scope) const;

 private:
  template <class Function>
  using Table = std::map<std::pair<std::string, std::string>, Function>;

  Table<std::function<AnyStream(const AnyStream&, Arguments&)>> table_;
  Table<std::function<void(const AnyStream&, Arguments&)>> outputs_;
};

// The table, part by part.
void AddRecordOperations(Operations& operations);     // one record, one partition at a time
void AddBatchOperations(Operations& operations);      // whole batches; what every stream has
void AddTransformOperations(Operations& operations);  // functions of data sets
void AddKeyOperations(Operations& operations);
void AddJoinOperations(Operations& operations);
void AddWindowOperations(Operations& operations);
void AddUpdateStateOperations(Operations& operations);
void AddMapWithStateOperations(Operations& operations);
void AddItemOperations(Operations& operations);    // a user's own record type
void AddDoubleOperations(Operations& operations);  // floating point
void AddOutputOperations(Operations& operations);

const Operations& AllOperations();

}  // namespace millrace::golden

#endif  // MILLRACE_TESTS_GOLDEN_OPERATIONS_H_
