// Where data sets are made.
#ifndef MILLRACE_CLIENT_MILLRACE_CONTEXT_H_
#define MILLRACE_CLIENT_MILLRACE_CONTEXT_H_

#include <millrace/conf.h>
#include <millrace/rdd.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "client/rdd/accumulator.h"
#include "client/rdd/broadcast.h"
#include "client/rdd/context_state.h"
#include "client/rdd/object_file.h"
#include "client/rdd/range.h"
#include "client/rdd/text_file.h"
#include "client/rdd/values.h"
#include "common/base/source_location.h"

namespace millrace {

namespace internal {
class ContextCore;
}

// An application's connection to what runs it. Copies are handles of one context, which stops when
// the last of them goes. Thread-safe.
class Context {
 public:
  using Location = internal::Location;

  // Never fails: see status().
  explicit Context(const Conf& conf = Conf());
  explicit Context(std::shared_ptr<internal::ContextCore> core);

  // What is wrong with the configuration; every action returns it.
  absl::Status status() const;
  // Settings: the program's, and under them those of the command line.
  const Conf& conf() const;
  // Partitions of data sets where nothing else is said: millrace.default.parallelism, else one for
  // each task slot.
  int default_parallelism() const;

  // -- Data sets. `n`: the number of partitions, 0: the default ----------------------------------

  // Partition i of n holds values floor(i * size / n) to floor((i + 1) * size / n) - 1.
  template <class T>
  RDD<T> Parallelize(const std::vector<T>& values, int n = 0,
                     Location at = Location::Current()) const {
    return internal::MakeParallelize<T>(state(), values, Partitions(n), at);
  }
  template <class T>
  RDD<T> Parallelize(std::initializer_list<T> values, int n = 0,
                     Location at = Location::Current()) const {
    return internal::MakeParallelize<T>(state(), values, Partitions(n), at);
  }
  // Of any container.
  template <class Values>
  RDD<internal::RangeRecord<Values>> Parallelize(const Values& values, int n = 0,
                                                 Location at = Location::Current()) const {
    return internal::MakeParallelize<internal::RangeRecord<Values>>(state(), values, Partitions(n),
                                                                    at);
  }
  // `first`, first + step, ... as long as it is before `end`.
  RDD<int64_t> Range(int64_t first, int64_t end, int64_t step = 1, int n = 0,
                     Location at = Location::Current()) const {
    return RDD<int64_t>(state(),
                        internal::MakeRangeNode(state(), first, end, step, Partitions(n), at));
  }
  // The lines of a file, of the files in a directory, or of all that a path with wildcards matches.
  // At least `n` partitions, where there are as many bytes.
  RDD<std::string_view> TextFile(const std::string& path, int n = 0,
                                 Location at = Location::Current()) const {
    return internal::MakeTextFile<std::string_view>(state(), path, n, at);
  }
  // What RDD<T>::SaveAsObjectFile has written, a partition for each file.
  template <class T>
  RDD<T> ObjectFile(const std::string& path, Location at = Location::Current()) const {
    return internal::MakeObjectFile<T>(state(), path, at);
  }

  // -- What functions share with the program -----------------------------------------------------
  // The handles are bound to the functions that use them (see BindFront).

  // A value that is sent to each worker once.
  template <class T>
  auto Broadcast(T value) const {
    using Value = typename internal::BoundValue<T>::type;
    return millrace::Broadcast<Value>(state(), internal::BoundValue<T>::Keep(std::move(value)));
  }
  // Sums of what tasks add; what is added by a task that does not succeed does not count.
  millrace::LongAccumulator LongAccumulator(const std::string& name = "") const {
    return millrace::LongAccumulator(state(), name);
  }
  millrace::DoubleAccumulator DoubleAccumulator(const std::string& name = "") const {
    return millrace::DoubleAccumulator(state(), name);
  }
  template <class T>
  millrace::CollectionAccumulator<T> CollectionAccumulator(const std::string& name = "") const {
    return millrace::CollectionAccumulator<T>(state(), name);
  }
  // merge: (T, T) -> T, without captures.
  template <class T, class F>
  millrace::Accumulator<T> Accumulator(const std::string& name, T zero, F merge) const {
    return millrace::Accumulator<T>(state(), name, std::move(zero), merge);
  }

  // Where RDD::Checkpoint saves to; made when something is. StreamingContext::Checkpoint sets it
  // too.
  void SetCheckpointDir(const std::string& directory);

  // -- Jobs --------------------------------------------------------------------------------------

  // Says something of the jobs that the calling thread submits from here on; an empty value takes
  // it back. A streaming run has what the thread had that started it, and functions that run on the
  // driver may set their own until they return.
  //   millrace.scheduler.pool: the pool of the jobs, where millrace.scheduler.mode is FAIR
  void SetLocalProperty(std::string_view key, std::string_view value) const;
  std::optional<std::string> GetLocalProperty(std::string_view key) const;

  // Cancels what runs, a streaming run first. Data sets of this context cannot be computed any
  // more. Called by a function that runs on the driver (Transform, ForeachRDD, listeners) it
  // returns at once, and the context stops behind it.
  void Stop();

  const internal::ContextRef& state() const;
  const std::shared_ptr<internal::ContextCore>& core() const { return core_; }

 private:
  int Partitions(int n) const { return n > 0 ? n : default_parallelism(); }

  std::shared_ptr<internal::ContextCore> core_;
};

}  // namespace millrace

#endif  // MILLRACE_CLIENT_MILLRACE_CONTEXT_H_
