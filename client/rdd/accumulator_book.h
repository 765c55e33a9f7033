// The accumulators of a context, and what checkpoints have of them.
#ifndef MILLRACE_CLIENT_RDD_ACCUMULATOR_BOOK_H_
#define MILLRACE_CLIENT_RDD_ACCUMULATOR_BOOK_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace millrace::internal {

// What came of one accumulator's updates, by batches. Calls are serialized by who has it.
class AccumulatedParts {
 public:
  virtual ~AccumulatedParts() = default;

  // One encoded update, of a task of the batch; -1: of none. False: it cannot be decoded. Nothing
  // comes of batches that have ended.
  virtual bool Take(std::string_view update, int64_t batch_time_ms) = 0;
  // Batches up to that one have ended. This and what is below may throw what the user's function to
  // merge does.
  virtual void EndBatches(int64_t until_ms) = 0;
  // Of these, encoded; empty: nothing.
  virtual std::string SaveEnded() const = 0;
  // In place of what all batches have added; empty: nothing. False: it cannot be decoded.
  virtual bool RestoreEnded(std::string_view saved) = 0;
  virtual std::string schema() const = 0;
};

// An accumulator that the program holds on to; the driver's event loop may outlast that.
struct SharedAccumulator {
  absl::Mutex mutex;
  std::string name;
  std::unique_ptr<AccumulatedParts> parts ABSL_PT_GUARDED_BY(mutex);
};

// Thread-safe. Accumulators are told apart by their names; of several with one name, the first that
// is made has it, the second is "NAME#2". One without a name is in no checkpoint.
class AccumulatorBook {
 public:
  struct Saved {
    std::string name;
    std::string schema;
    std::string value;
  };

  // It goes on with what was restored under its name.
  void Add(int64_t id, const std::shared_ptr<SharedAccumulator>& accumulator)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(int64_t id) ABSL_LOCKS_EXCLUDED(mutex_);

  void EndBatches(int64_t until_ms) ABSL_LOCKS_EXCLUDED(mutex_);
  // What the batches that have ended have added, also to those that nobody has made again yet.
  std::vector<Saved> Save() const ABSL_LOCKS_EXCLUDED(mutex_);
  // As an earlier driver has saved it when batches up to `ended_ms` had ended. FailedPrecondition:
  // an accumulator of that name adds up something else, and `may_lose_values` does not allow that;
  // nothing has changed then.
  absl::Status Restore(const std::vector<Saved>& saved, int64_t ended_ms, bool may_lose_values)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    std::string key;  // Empty: it has no name.
    std::shared_ptr<SharedAccumulator> accumulator;
  };

  std::string FreeKey(const std::string& name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndBatches(const Entry& entry) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // With what was restored under its name, if anything was.
  void GoOn(const Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::map<int64_t, Entry> entries_ ABSL_GUARDED_BY(mutex_);       // By id.
  std::map<std::string, Saved> restored_ ABSL_GUARDED_BY(mutex_);  // That nobody has taken on yet.
  int64_t ended_ms_ ABSL_GUARDED_BY(mutex_) = -1;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_ACCUMULATOR_BOOK_H_
