#include "client/rdd/accumulator.h"

#include <stdexcept>

#include "absl/synchronization/mutex.h"
#include "driver/service/driver_handle.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

// Outlives the home while the driver's event loop may still call it.
struct GuardedMerge {
  absl::Mutex mutex;
  std::string name;
  AccumulatorHome::Merge merge;  // What it changes is guarded by `mutex`.

  void Take(std::string_view update) {
    const absl::MutexLock lock(&mutex);
    // The user's function may throw; the event loop must live on.
    try {
      if (merge(update)) return;
      LOG(ERROR) << "accumulator '" << name << "': an update cannot be decoded and is lost";
    } catch (const std::exception& error) {
      LOG(ERROR) << "accumulator '" << name << "': an update is lost: " << error.what();
    } catch (...) {
      LOG(ERROR) << "accumulator '" << name << "': an update is lost: its merge function threw";
    }
  }
};

class RegisteredHome final : public AccumulatorHome {
 public:
  RegisteredHome(const ContextRef& context, std::string name, Merge merge)
      : driver_(context->driver), id_(driver_->NewId()) {
    guarded_->name = std::move(name);
    guarded_->merge = std::move(merge);
    driver_->RegisterAccumulator(
        id_, [guarded = guarded_](std::string_view update) { guarded->Take(update); });
  }
  ~RegisteredHome() override { driver_->UnregisterAccumulator(id_); }

  int64_t id() const override { return id_; }
  const std::string& name() const override { return guarded_->name; }
  void Locked(const std::function<void()>& f) override {
    const absl::MutexLock lock(&guarded_->mutex);
    f();
  }

 private:
  const std::shared_ptr<DriverHandle> driver_;
  const int64_t id_;
  const std::shared_ptr<GuardedMerge> guarded_ = std::make_shared<GuardedMerge>();
};

}  // namespace

std::shared_ptr<AccumulatorHome> AccumulatorHome::Make(const ContextRef& context, std::string name,
                                                       Merge merge) {
  return std::make_shared<RegisteredHome>(context, std::move(name), std::move(merge));
}

void ThrowNoAccumulator() {
  throw std::logic_error(
      "an accumulator is added to in the functions of tasks, which get its handle by "
      "millrace::BindFront, and read in the program");
}

}  // namespace millrace::internal
