// What every data set and stream of one Context shares.
#ifndef MILLRACE_CLIENT_RDD_CONTEXT_STATE_H_
#define MILLRACE_CLIENT_RDD_CONTEXT_STATE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "client/rdd/accumulator_book.h"
#include "common/config/conf.h"

namespace millrace {
class FileSystem;
}

namespace millrace::internal {

class DriverHandle;

// Made by Context; lives as long as any handle of the context does. Constant after construction but
// for the checkpoint directory and the count of runs.
struct ContextState {
  Conf conf;
  // Refuses every job once the context has stopped, but never dangles.
  std::shared_ptr<DriverHandle> driver;
  FileSystem* fs = nullptr;
  // millrace.default.parallelism, else the number of task slots.
  int default_parallelism = 1;

  // Runs of streams that have begun, or were about to.
  std::atomic<int64_t> streaming_runs{0};

  const std::shared_ptr<AccumulatorBook> accumulators = std::make_shared<AccumulatorBook>();

  mutable std::mutex checkpoint_mutex;
  std::string checkpoint_dir;  // Guarded by checkpoint_mutex; empty: not set.
};

using ContextRef = std::shared_ptr<ContextState>;

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_CONTEXT_STATE_H_
