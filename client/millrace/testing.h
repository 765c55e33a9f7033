// Testing streams: in process, batch by batch, on a clock that stands still in between.
//
//   millrace::testing::StreamHarness h(1s);
//   auto in = h.Input<int64_t>({{1, 2, 3}, {4}});
//   auto out = h.Output(in.Map([](int64_t x) { return x * 2; }));
//   ASSERT_TRUE(h.RunBatches(3).ok());
//   EXPECT_EQ(out.batches(), (std::vector<std::vector<int64_t>>{{2, 4, 6}, {8}, {}}));
#ifndef MILLRACE_CLIENT_MILLRACE_TESTING_H_
#define MILLRACE_CLIENT_MILLRACE_TESTING_H_

#include <millrace/millrace.h>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "client/rdd/lineage.h"
#include "client/rdd/values.h"
#include "client/source/inputs.h"
#include "common/base/source_location.h"
#include "common/time/duration_param.h"
#include "executor/operator/actions.h"

namespace millrace::testing {

// The records of one batch. {} is an empty data set; std::nullopt: the stream has none.
template <class T>
struct Batch {
  Batch() : records(std::in_place) {}
  // NOLINTBEGIN(google-explicit-constructor): each stands for a batch where tests list them.
  Batch(std::initializer_list<T> list) : records(list) {}
  Batch(std::vector<T> list) : records(std::move(list)) {}
  Batch(std::nullopt_t) {}
  // NOLINTEND(google-explicit-constructor)

  std::optional<std::vector<T>> records;
};

// What an input has, batch by batch.
template <class T>
struct Batches {
  Batches(std::initializer_list<Batch<T>> list) : list(list) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  Batches(std::vector<std::vector<T>> records) {
    for (std::vector<T>& batch : records) list.push_back(std::move(batch));
  }

  std::vector<Batch<T>> list;
};

// What a stream had, one entry for each batch in which it had a data set. Copies share it. To be
// read between calls of RunBatches.
template <class T>
class StreamOutput {
 public:
  // The records in the order of partitions.
  const std::vector<std::vector<T>>& batches() const { return seen_->batches; }
  // Of these batches, in order.
  const std::vector<Time>& times() const { return seen_->times; }
  // Of their data sets.
  const std::vector<int>& partition_counts() const { return seen_->partition_counts; }

 private:
  friend class StreamHarness;
  struct Seen {
    std::vector<std::vector<T>> batches;
    std::vector<Time> times;
    std::vector<int> partition_counts;
  };

  std::shared_ptr<Seen> seen_ = std::make_shared<Seen>();
};

// Of a StreamHarness.
struct StreamHarnessOptions {
  std::string master = "local[2]";
  Conf conf = Conf();
  std::string checkpoint_dir = "";  // Streams with state need one.
};

// A StreamingContext whose batches run when the test says so. The clock starts at 0, so batch n
// (from 1) has the time n x interval. A test needs no Init.
// Threads: one.
class StreamHarness {
 public:
  using Options = StreamHarnessOptions;
  using Location = internal::Location;

  explicit StreamHarness(internal::DurationParam interval, Options options = Options());

  // For other sources, outputs and listeners. The harness starts it.
  StreamingContext& context() { return context_; }

  // Batch by batch, then empty ones. Partition i of n holds records floor(i * size / n) to
  // floor((i + 1) * size / n) - 1.
  template <class T>
  DStream<T> Input(Batches<T> batches, int partitions = 2, Location at = Location::Current()) {
    auto generate = [context = context_.context().state(), batches = std::move(batches.list),
                     interval = interval_, partitions,
                     at](Time time, int64_t* record_count) -> absl::StatusOr<internal::RddRef> {
      static const std::vector<T>& no_records = *new std::vector<T>;
      const auto index = static_cast<size_t>((time - Time(0)) / interval - 1);
      const std::vector<T>* records = &no_records;
      if (index < batches.size()) {
        if (!batches[index].records.has_value()) return nullptr;
        records = &*batches[index].records;
      }
      *record_count = static_cast<int64_t>(records->size());
      return internal::MakeParallelize<T>(context, *records, partitions, at).node();
    };
    return DStream<T>(internal::AddGenerated({"Input", at}, context_.graph(), "Test",
                                             std::move(generate), internal::IsRepeatable::kYes));
  }

  // Collects what `stream` has in each batch.
  template <class T>
  StreamOutput<Owned<T>> Output(const DStream<T>& stream, Location at = Location::Current()) {
    StreamOutput<Owned<T>> output;
    internal::AddOutput({"Output", at}, stream.ref(),
                        [context = internal::ContextOf(stream.ref()), seen = output.seen_, at](
                            const internal::RddRef& data_set, Time time) -> absl::Status {
                          auto records = RDD<T>(context, data_set).Collect(at);
                          if (!records.ok()) return records.status();
                          seen->batches.push_back(*std::move(records));
                          seen->times.push_back(time);
                          seen->partition_counts.push_back(data_set->num_partitions);
                          return absl::OkStatus();
                        });
    return output;
  }

  // Starts the context on the first call, whose errors come back here, runs exactly `n` more
  // batches and returns when their outputs are in. The first error of these batches; later ones
  // still run.
  absl::Status RunBatches(int n, Location at = Location::Current());

  // Drops the driver as a crash would, after the last batch and its checkpoint. A new one gets the
  // same graph (streams, inputs and outputs of the test stay valid) and recovers from the
  // checkpoint directory, which must be set: FailedPrecondition. The clock does not move; a batch
  // that runs again appears again in times(). What received blocks and queues held is gone with the
  // driver; inputs of Input, files and offsets are read again where they must be.
  absl::Status RestartDriver();

 private:
  absl::Status StartOnce(Location at);

  const std::chrono::milliseconds interval_;
  StreamingContext context_;
  std::optional<absl::Status> started_;
  int64_t batches_run_ = 0;
};

}  // namespace millrace::testing

#endif  // MILLRACE_CLIENT_MILLRACE_TESTING_H_
