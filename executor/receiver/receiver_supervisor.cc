#include "executor/receiver/receiver_supervisor.h"

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/concurrent/thread_wait.h"
#include "common/time/system_clock.h"

namespace millrace::internal {

ReceiverSupervisor::ReceiverSupervisor(Options options, std::unique_ptr<ReceiverBase> receiver,
                                       BlockStore& store, Callbacks callbacks)
    : options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      receiver_(std::move(receiver)),
      generator_(options_.blocks, store,
                 {.on_reports = callbacks_.on_reports,
                  .on_store_needed =
                      [this] {
                        absl::MutexLock lock(&mutex_);
                        requests_.store = true;
                      },
                  .on_error = [this](const std::string& message) { ReportError(message); }}) {
  receiver_->Attach(*this);
}

ReceiverSupervisor::~ReceiverSupervisor() {
  RequestStop("the worker ends");
  thread_.Join();
}

void ReceiverSupervisor::Launch() {
  thread_ = JoinedThread(absl::StrCat("receiver-", stream_id()), [this] { Run(); });
}

// ---------------------------------------------------------------------------------------------
// The thread.

void ReceiverSupervisor::Run() {
  while (RunReceiver()) {
    const Requests asked = TakeRequests();
    if (asked.stop) break;
    callbacks_.on_event(Event::kError,
                        absl::StrCat(asked.restart_message, "; starting again in ",
                                     asked.restart_delay.count(), " ms"),
                        "");
    ServeUntilAsked(asked.restart_delay);
  }
  generator_.Finish(std::chrono::nanoseconds(options_.finish_timeout).count());
  const Requests asked = TakeRequests();
  callbacks_.on_event(Event::kStopped, asked.stop_message, asked.stop_error);
}

bool ReceiverSupervisor::RunReceiver() {
  {
    absl::MutexLock lock(&mutex_);
    if (requests_.stop) return false;
    started_.store(true, std::memory_order_release);
    generator_.ReleaseWriters(false);
  }
  callbacks_.on_event(Event::kStarted, "", "");
  Call(&ReceiverBase::OnStart, "OnStart");
  ServeUntilAsked(std::nullopt);
  Call(&ReceiverBase::OnStop, "OnStop");
  return true;
}

ReceiverSupervisor::Requests ReceiverSupervisor::TakeRequests() {
  absl::MutexLock lock(&mutex_);
  Requests taken = requests_;
  requests_.restart = false;
  return taken;
}

void ReceiverSupervisor::Call(void (ReceiverBase::*method)(), std::string_view method_name) {
  const auto stop = [&](std::string_view what) {
    const absl::string_view name(method_name.data(), method_name.size());
    RequestStop("the receiver failed",
                absl::StrCat(name, " threw: ", absl::string_view(what.data(), what.size())));
  };
  try {
    (receiver_.get()->*method)();
  } catch (const std::exception& e) {
    stop(e.what());
  } catch (...) {
    stop("something that is not a std::exception");
  }
}

void ReceiverSupervisor::ServeUntilAsked(std::optional<std::chrono::milliseconds> restart_delay) {
  const bool is_running = !restart_delay.has_value();
  const int64_t deadline_nanos =
      is_running ? 0 : MonotonicNanos() + std::chrono::nanoseconds(*restart_delay).count();
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      const auto asked = [this, is_running]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
        return requests_.stop || (is_running && requests_.restart) || requests_.store;
      };
      const absl::Duration timeout = is_running
                                         ? absl::InfiniteDuration()
                                         : absl::Nanoseconds(deadline_nanos - MonotonicNanos());
      if (!AwaitUnder(mutex_, absl::Condition(&asked), timeout)) return;
      if (requests_.stop || (is_running && requests_.restart)) return;
      requests_.store = false;
    }
    generator_.StorePending();
  }
}

// ---------------------------------------------------------------------------------------------
// What the receiver and the event loop ask for.

bool ReceiverSupervisor::StoreEncoded(std::string_view record) {
  if (IsStopped()) return false;
  generator_.AddRecord(record);
  return true;
}

absl::Status ReceiverSupervisor::StoreEncodedBlock(Buffer block, int64_t record_count,
                                                   std::string_view metadata) {
  if (IsStopped()) return absl::CancelledError("the receiver was stopped");
  return generator_.StoreBlock(std::move(block), record_count, metadata);
}

void ReceiverSupervisor::Restart(std::string_view message,
                                 std::optional<std::chrono::milliseconds> delay) {
  absl::MutexLock lock(&mutex_);
  // The first of several threads that notice a broken connection says why.
  if (requests_.stop || requests_.restart || !IsStarted()) return;
  requests_.restart = true;
  requests_.restart_message = std::string(message);
  requests_.restart_delay = delay.value_or(options_.restart_delay);
  started_.store(false, std::memory_order_release);
  generator_.ReleaseWriters(true);
}

void ReceiverSupervisor::RequestStop(std::string_view message, std::string_view error) {
  absl::MutexLock lock(&mutex_);
  if (requests_.stop) {
    if (requests_.stop_error.empty()) requests_.stop_error = std::string(error);
    return;
  }
  requests_.stop = true;
  requests_.stop_message = std::string(message);
  requests_.stop_error = std::string(error);
  started_.store(false, std::memory_order_release);
  generator_.ReleaseWriters(true);
}

void ReceiverSupervisor::ReportError(std::string_view message) {
  callbacks_.on_event(Event::kError, std::string(message), "");
}

}  // namespace millrace::internal
