#include "tests/golden/harness_runner.h"

#include <millrace/testing.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <list>
#include <memory>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/annotate_status.h"
#include "common/base/status_macros.h"
#include "gtest/gtest.h"
#include "tests/golden/any_stream.h"
#include "tests/golden/item.h"
#include "tests/golden/operations.h"
#include "tests/golden/record_value.h"
#include "tests/support/temp_dir.h"

namespace millrace::golden {
namespace {

using testing::StreamHarness;

absl::Status Wrong(const std::string& what) { return absl::InvalidArgumentError(what); }

// The streams of one case, of inputs that the case's types choose.
class CaseRun {
 public:
  CaseRun(const Case& golden, const std::string& master)
      : case_(golden),
        harness_(golden.interval,
                 {.master = master,
                  .checkpoint_dir =
                      golden.has_checkpoint_directory ? directory_.path() + "/checkpoint" : ""}),
        scope_{harness_, directory_.path(), {}, {}} {}

  absl::StatusOr<Outcome> Run() {
    if (case_.remember) harness_.context().Remember(*case_.remember);
    for (const DataSet& data_set : case_.data_sets) {
      RETURN_IF_ERROR(At(data_set.line, AddDataSet(data_set)));
    }
    for (const InputStream& input : case_.inputs) {
      RETURN_IF_ERROR(At(input.line, AddInput(input)));
    }
    for (const QueueStream& queue : case_.queues) {
      RETURN_IF_ERROR(At(queue.line, AddQueue(queue)));
    }
    for (const NamedStream& stream : case_.streams) {
      ASSIGN_OR_RETURN(const AnyStream made, Build(stream.chain));
      RETURN_IF_ERROR(At(stream.chain.line, AddStream(stream.name, made)));
    }
    std::vector<AnyStream::Reader> readers;
    for (const Expectation& expectation : case_.expectations) {
      ASSIGN_OR_RETURN(const AnyStream made, Build(expectation.chain));
      readers.push_back(made.Collect(harness_));
    }
    for (const Chain& output : case_.outputs) RETURN_IF_ERROR(AddOutput(output));
    for (const ExpectedSlice& slice : case_.slices) {
      if (scope_.streams.contains(slice.stream)) continue;
      return At(slice.line, Wrong(absl::StrCat(slice.stream, " is no stream")));
    }
    return RunBatches(readers);
  }

 private:
  absl::Status At(int line, const absl::Status& status) const {
    return AnnotateStatus(status, absl::StrCat(case_.file, ":", line));
  }

  absl::Status AddStream(const std::string& name, const AnyStream& stream) {
    if (scope_.streams.emplace(name, stream).second) return absl::OkStatus();
    return Wrong(absl::StrCat("there are two streams ", name));
  }

  template <class T>
  static absl::StatusOr<std::vector<T>> RecordsOf(const std::vector<Value>& values) {
    std::vector<T> records;
    for (const Value& value : values) {
      if (!RecordForm<T>::FromValue(value, records.emplace_back())) {
        return Wrong(absl::StrCat(ToString(value), " is no ", RecordForm<T>::Name()));
      }
    }
    return records;
  }

  // Calls f with a T of the type that a case names.
  template <class F>
  static absl::Status WithType(const std::string& type, const F& f) {
    if (type == RecordForm<Int>::Name()) return f(Int());
    if (type == RecordForm<Text>::Name()) return f(Text());
    if (type == RecordForm<TextInt>::Name()) return f(TextInt());
    if (type == RecordForm<TextText>::Name()) return f(TextText());
    if (type == RecordForm<IntInt>::Name()) return f(IntInt());
    if (type == RecordForm<double>::Name()) return f(double());
    if (type == RecordForm<TextDouble>::Name()) return f(TextDouble());
    if (type == RecordForm<DoubleInt>::Name()) return f(DoubleInt());
    if (type == RecordForm<Item>::Name()) return f(Item());
    if (type == RecordForm<ItemText>::Name()) return f(ItemText());
    if (type == RecordForm<TextItem>::Name()) return f(TextItem());
    return Wrong(absl::StrCat("there are no inputs of ", type));
  }

  absl::Status AddInput(const InputStream& input) {
    return WithType(input.type, [&]<class T>(const T&) -> absl::Status {
      const Time last = input.batches.empty() ? Time(0) : input.batches.rbegin()->first;
      std::vector<std::optional<std::vector<T>>> batches(
          static_cast<size_t>((last - Time(0)) / case_.interval), std::vector<T>());
      for (const auto& [time, values] : input.batches) {
        auto& batch = batches[static_cast<size_t>((time - Time(0)) / case_.interval) - 1];
        batch.reset();
        if (!values) continue;
        ASSIGN_OR_RETURN(batch, RecordsOf<T>(*values));
      }
      testing::Batches<T> list({});
      for (auto& batch : batches) {
        list.list.push_back(batch ? testing::Batch<T>(*std::move(batch)) : std::nullopt);
      }
      return AddStream(input.name, harness_.Input<T>(std::move(list), input.partitions));
    });
  }

  absl::Status AddDataSet(const DataSet& data_set) {
    return WithType(data_set.type, [&]<class T>(const T&) -> absl::Status {
      ASSIGN_OR_RETURN(const std::vector<T> records, RecordsOf<T>(data_set.records));
      scope_.data_sets[data_set.name] = harness_.context().context().Parallelize(records);
      return absl::OkStatus();
    });
  }

  absl::Status AddQueue(const QueueStream& queue) {
    return WithType(queue.type, [&]<class T>(const T&) -> absl::Status {
      auto data_sets = std::make_shared<std::deque<RDD<T>>>();
      for (const std::vector<Value>& values : queue.data_sets) {
        ASSIGN_OR_RETURN(const std::vector<T> records, RecordsOf<T>(values));
        data_sets->push_back(harness_.context().context().Parallelize(records));
      }
      queues_.push_back(data_sets);
      RDD<T> when_empty;
      if (!queue.when_empty.empty()) {
        const auto it = scope_.data_sets.find(queue.when_empty);
        const auto* found =
            it == scope_.data_sets.end() ? nullptr : std::any_cast<RDD<T>>(&it->second);
        if (found == nullptr) return Wrong(absl::StrCat("no data set ", queue.when_empty));
        when_empty = *found;
      }
      return AddStream(queue.name,
                       harness_.context().QueueStream(*data_sets, queue.one_at_a_time, when_empty));
    });
  }

  absl::StatusOr<AnyStream> Build(const Chain& chain, size_t steps) {
    const auto it = scope_.streams.find(chain.source);
    if (it == scope_.streams.end()) {
      return At(chain.line, Wrong(absl::StrCat(chain.source, " is no stream")));
    }
    AnyStream stream = it->second;
    for (size_t i = 0; i < steps; ++i) {
      absl::StatusOr<AnyStream> next = AllOperations().Apply(stream, chain.steps[i], scope_);
      if (!next.ok()) return At(chain.line, next.status());
      stream = *std::move(next);
    }
    return stream;
  }
  absl::StatusOr<AnyStream> Build(const Chain& chain) { return Build(chain, chain.steps.size()); }

  absl::Status AddOutput(const Chain& chain) {
    if (chain.steps.empty()) return At(chain.line, Wrong("an output operation is missing"));
    ASSIGN_OR_RETURN(const AnyStream stream, Build(chain, chain.steps.size() - 1));
    return At(chain.line, AllOperations().ApplyOutput(stream, chain.steps.back(), scope_));
  }

  // Those that are due once the batch of `time` has run.
  void AskForSlices(Time time, Outcome& outcome) {
    for (size_t i = 0; i < case_.slices.size(); ++i) {
      const ExpectedSlice& slice = case_.slices[i];
      if (slice.after.value_or(case_.last) != time) continue;
      outcome.slices[i] = scope_.streams.at(slice.stream).Slice(slice.from, slice.to);
    }
  }

  Outcome RunBatches(const std::vector<AnyStream::Reader>& readers) {
    Outcome outcome;
    outcome.slices.resize(case_.slices.size(), absl::UnknownError("it was not asked for"));
    ::testing::internal::CaptureStdout();
    outcome.start = harness_.RunBatches(0);
    if (outcome.start.ok()) {
      AskForSlices(Time(0), outcome);
      for (const Time time : (Time(0) + case_.interval).To(case_.last, case_.interval)) {
        outcome.batches.Update(harness_.RunBatches(1));
        AskForSlices(time, outcome);
      }
    }
    outcome.printed = ::testing::internal::GetCapturedStdout();
    for (const AnyStream::Reader& reader : readers) outcome.seen.push_back(reader());
    for (const auto& [path, expected] : case_.files) {
      std::ifstream in(absl::StrCat(directory_.path(), "/", path), std::ios::binary);
      if (!in) continue;
      std::stringstream content;
      content << in.rdbuf();
      outcome.files[path] = content.str();
    }
    return outcome;
  }

  const Case& case_;
  const TempDir directory_;
  std::list<std::shared_ptr<void>> queues_;  // They outlive the run.
  StreamHarness harness_;
  CaseScope scope_;
};

}  // namespace

absl::StatusOr<Outcome> HarnessRunner::Run(const Case& golden) const {
  return CaseRun(golden, master_).Run();
}

}  // namespace millrace::golden
