// A stream of whichever record type.
#ifndef MILLRACE_TESTS_GOLDEN_ANY_STREAM_H_
#define MILLRACE_TESTS_GOLDEN_ANY_STREAM_H_

#include <millrace/testing.h>

#include <any>
#include <functional>
#include <string>
#include <utility>

#include "tests/golden/outcome.h"
#include "tests/golden/record_value.h"

namespace millrace::golden {

// A cheap handle, as streams are.
class AnyStream {
 public:
  // Reads what an output collected.
  using Reader = std::function<SeenStream()>;

  // NOLINTBEGIN(google-explicit-constructor): any stream is one.
  template <class T>
  AnyStream(const DStream<T>& stream)
      : stream_(stream),
        type_(RecordForm<T>::Name()),
        collect_(&CollectAs<T>),
        slice_(&SliceAs<T>) {}
  template <class Out, class K, class S>
  AnyStream(const MapWithStateStream<Out, K, S>& stream)
      : AnyStream(static_cast<const DStream<Out>&>(stream)) {
    snapshots_ = [stream] { return AnyStream(stream.StateSnapshots()); };
  }
  // NOLINTEND(google-explicit-constructor)

  // The name of the record type.
  const std::string& type() const { return type_; }
  // nullptr when the records are not Ts.
  template <class T>
  const DStream<T>* As() const {
    return std::any_cast<DStream<T>>(&stream_);
  }
  // Null for all streams but those of MapWithState.
  const std::function<AnyStream()>& snapshots() const { return snapshots_; }

  // Makes the stream an output.
  Reader Collect(testing::StreamHarness& harness) const { return collect_(harness, stream_); }
  // The records of the data sets that DStream::Slice gives.
  SeenSlice Slice(Time from, Time to) const { return slice_(stream_, from, to); }

 private:
  template <class T>
  static Reader CollectAs(testing::StreamHarness& harness, const std::any& stream) {
    return [output = harness.Output(std::any_cast<const DStream<T>&>(stream))] {
      SeenStream seen{output.times(), {}, output.partition_counts()};
      for (const std::vector<Owned<T>>& batch : output.batches()) {
        seen.batches.push_back(ToValues(batch));
      }
      return seen;
    };
  }
  template <class T>
  static SeenSlice SliceAs(const std::any& stream, Time from, Time to) {
    const auto data_sets = std::any_cast<const DStream<T>&>(stream).Slice(from, to);
    if (!data_sets.ok()) return data_sets.status();
    std::vector<std::vector<Value>> slice;
    for (const RDD<T>& data_set : *data_sets) {
      const absl::StatusOr<std::vector<Owned<T>>> records = data_set.Collect();
      if (!records.ok()) return records.status();
      slice.push_back(ToValues(*records));
    }
    return slice;
  }
  template <class T>
  static std::vector<Value> ToValues(const std::vector<T>& records) {
    std::vector<Value> values;
    for (const T& record : records) values.push_back(RecordForm<T>::ToValue(record));
    return values;
  }

  std::any stream_;
  std::string type_;
  Reader (*collect_)(testing::StreamHarness&, const std::any&);
  SeenSlice (*slice_)(const std::any&, Time, Time);
  std::function<AnyStream()> snapshots_;
};

}  // namespace millrace::golden

#endif  // MILLRACE_TESTS_GOLDEN_ANY_STREAM_H_
