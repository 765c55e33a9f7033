#include "client/rdd/accumulator.h"

#include <stdexcept>

#include "absl/synchronization/mutex.h"
#include "client/rdd/job_scope.h"
#include "driver/service/driver_handle.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

// The user's function may throw; the event loop must live on.
void Take(SharedAccumulator& accumulator, std::string_view update, int64_t batch_time_ms) {
  const absl::MutexLock lock(&accumulator.mutex);
  try {
    if (accumulator.parts->Take(update, batch_time_ms)) return;
    LOG(ERROR) << "accumulator '" << accumulator.name
               << "': an update cannot be decoded and is lost";
  } catch (const std::exception& error) {
    LOG(ERROR) << "accumulator '" << accumulator.name << "': an update is lost: " << error.what();
  } catch (...) {
    LOG(ERROR) << "accumulator '" << accumulator.name
               << "': an update is lost: its merge function threw";
  }
}

class RegisteredHome final : public AccumulatorHome {
 public:
  RegisteredHome(const ContextRef& context, std::string name,
                 std::unique_ptr<AccumulatedParts> parts)
      : driver_(context->driver), book_(context->accumulators), id_(driver_->NewId()) {
    shared_->name = std::move(name);
    shared_->parts = std::move(parts);
    book_->Add(id_, shared_);
    driver_->RegisterAccumulator(
        id_, [shared = shared_](std::string_view update, int64_t batch_time_ms) {
          Take(*shared, update, batch_time_ms);
        });
  }
  ~RegisteredHome() override {
    driver_->UnregisterAccumulator(id_);
    book_->Remove(id_);
  }

  int64_t id() const override { return id_; }
  const std::string& name() const override { return shared_->name; }
  void Locked(const std::function<void()>& f) override {
    const absl::MutexLock lock(&shared_->mutex);
    f();
  }

 private:
  const std::shared_ptr<DriverHandle> driver_;
  const std::shared_ptr<AccumulatorBook> book_;
  const int64_t id_;
  // The driver's event loop may still call it when this is gone.
  const std::shared_ptr<SharedAccumulator> shared_ = std::make_shared<SharedAccumulator>();
};

}  // namespace

std::shared_ptr<AccumulatorHome> AccumulatorHome::Make(const ContextRef& context, std::string name,
                                                       std::unique_ptr<AccumulatedParts> parts) {
  return std::make_shared<RegisteredHome>(context, std::move(name), std::move(parts));
}

int64_t BatchOfThread() {
  const JobScope* const scope = JobScope::Current();
  return scope == nullptr ? -1 : scope->batch_time_ms();
}

void ThrowNoAccumulator() {
  throw std::logic_error(
      "an accumulator is added to in the functions of tasks, which get its handle by "
      "millrace::BindFront, and read in the program");
}

}  // namespace millrace::internal
