// Where data sets are made.
#ifndef MILLRACE_CLIENT_MILLRACE_CONTEXT_H_
#define MILLRACE_CLIENT_MILLRACE_CONTEXT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/rdd/context_state.h"
#include "common/base/source_location.h"
#include "millrace/conf.h"
#include "millrace/rdd.h"

namespace millrace {

namespace internal {
class ContextCore;
}

// An application's connection to what runs it. Copies are handles of one context, which stops when
// the last of them goes. Thread-safe.
class Context {
 public:
  explicit Context(Conf conf = Conf());
  explicit Context(std::shared_ptr<internal::ContextCore> core);

  // What is wrong with the configuration; every action returns it.
  absl::Status status() const;
  const Conf& conf() const;
  // Partitions of data sets where nothing else is said: millrace.default.parallelism, else one for
  // each task slot.
  int default_parallelism() const;

  // Cancels what runs. Data sets of this context cannot be computed any more. Not to be called by
  // functions that run on the driver (Transform, ForeachRDD, listeners).
  void Stop();

  const internal::ContextRef& state() const;
  const std::shared_ptr<internal::ContextCore>& core() const { return core_; }

 private:
  std::shared_ptr<internal::ContextCore> core_;
};

}  // namespace millrace

#endif  // MILLRACE_CLIENT_MILLRACE_CONTEXT_H_
