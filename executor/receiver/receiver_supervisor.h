// Keeps one receiver running.
#ifndef MILLRACE_EXECUTOR_RECEIVER_RECEIVER_SUPERVISOR_H_
#define MILLRACE_EXECUTOR_RECEIVER_RECEIVER_SUPERVISOR_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/concurrent/joined_thread.h"
#include "executor/receiver/block_generator.h"
#include "executor/receiver/receiver_base.h"

namespace millrace::internal {

// Calls a receiver's OnStart and OnStop on a thread of its own, again and again as restarts are
// asked for, and stores the blocks that the event loop could not store without waiting.
//
// What the driver hears: kStarted before each OnStart, kError for what the receiver reports and for
// restarts, kStopped as the last of all, when everything that was received is stored and reported.
//
// Threads: Launch and RequestStop on the event loop, ReceiverHost's methods on any thread of the
// receiver. The destructor stops the receiver and waits for its end.
class ReceiverSupervisor : public ReceiverHost {
 public:
  struct Options {
    BlockGenerator::Options blocks;
    std::string name;  // For the thread and in messages.
    std::chrono::milliseconds restart_delay{2000};
    // How long blocks that wait for room in the store are tried when the receiver has ended.
    std::chrono::milliseconds finish_timeout{10000};
    int64_t line_bytes_max = int64_t{16} << 20;
  };
  enum class Event { kStarted, kError, kStopped };
  // Called on any thread; must not wait.
  struct Callbacks {
    std::function<void(Event event, const std::string& message, const std::string& error)> on_event;
    std::function<void()> on_reports;
  };

  // `store` outlives the supervisor.
  ReceiverSupervisor(Options options, std::unique_ptr<ReceiverBase> receiver, BlockStore& store,
                     Callbacks callbacks);
  ~ReceiverSupervisor() override;

  void Launch();
  // kStopped follows, with this reason.
  void RequestStop(std::string_view reason) { RequestStop(reason, /*error=*/""); }

  bool StoreEncoded(std::string_view record) override;
  absl::Status StoreEncodedBlock(Buffer block, int64_t record_count,
                                 std::string_view metadata) override;
  void Restart(std::string_view message, std::optional<std::chrono::milliseconds> delay) override;
  void Stop(std::string_view message) override { RequestStop(message, /*error=*/""); }
  void ReportError(std::string_view message) override;
  bool IsStarted() const override { return started_.load(std::memory_order_acquire); }
  bool IsStopped() const override { return !IsStarted(); }
  int64_t stream_id() const override { return options_.blocks.stream_id; }
  BlockGenerator& generator() override { return generator_; }
  int64_t line_bytes_max() const override { return options_.line_bytes_max; }

 private:
  // What the thread is asked to do, in order of importance.
  struct Requests {
    bool stop = false;
    std::string stop_message;
    std::string stop_error;
    bool restart = false;
    std::string restart_message;
    std::chrono::milliseconds restart_delay{0};
    bool store = false;
  };

  void Run();
  // From OnStart to OnStop. False: a stop had been asked for before.
  bool RunReceiver();
  void Call(void (ReceiverBase::*method)(), std::string_view method_name);
  // Stores what the event loop could not, until a stop is asked for; while the receiver runs (no
  // delay given), until a restart is, too, and otherwise until the delay is over.
  void ServeUntilAsked(std::optional<std::chrono::milliseconds> restart_delay);
  Requests TakeRequests();
  void RequestStop(std::string_view message, std::string_view error);

  const Options options_;
  const Callbacks callbacks_;
  const std::unique_ptr<ReceiverBase> receiver_;
  std::atomic<bool> started_{false};
  BlockGenerator generator_;

  mutable absl::Mutex mutex_;
  Requests requests_ ABSL_GUARDED_BY(mutex_);

  JoinedThread thread_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_RECEIVER_RECEIVER_SUPERVISOR_H_
