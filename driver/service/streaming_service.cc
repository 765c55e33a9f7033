#include "driver/service/streaming_service.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace millrace::internal {
namespace {

// Statuses of completed batches that nobody asked for are forgotten beyond this number.
constexpr size_t kCompletedMax = 1000;
// Starting posts a few messages; more than this means that the event loop is stuck.
constexpr std::chrono::milliseconds kStartTimeout{60'000};

}  // namespace

absl::Status StreamingService::Start(StreamingSpec spec) {
  env_.Post([&host = host_, spec = std::move(spec), progress = progress_,
             loop_state = loop_state_]() mutable {
    StartOnLoop(host, std::move(spec), progress, loop_state);
  });
  return progress_->WaitUntil(
      [](const Progress& p) { return p.is_start_decided; }, kStartTimeout,
      [](const Progress& p) {
        return p.is_start_decided
                   ? p.start_status
                   : absl::DeadlineExceededError("the driver's event loop does not answer");
      });
}

void StreamingService::StartOnLoop(StreamingHost& host, StreamingSpec spec,
                                   const SharedProgress& progress,
                                   const SharedLoopState& loop_state) {
  StreamingRun::Observer observer;
  observer.batch_completed = [progress](Time batch_time, const absl::Status& status) {
    progress->Update([&](Progress& p) {
      p.completed[batch_time] = status;
      if (p.completed.size() > kCompletedMax) p.completed.erase(p.completed.begin());
    });
  };
  observer.error = [progress](const absl::Status& error) {
    progress->Update([&](Progress& p) { p.error = error; });
  };
  observer.stopped = [progress, loop_state] {
    loop_state->run = nullptr;
    progress->Update([](Progress& p) { p.is_stopped = true; });
  };
  absl::StatusOr<StreamingRun*> run = host.BeginStreaming(std::move(spec), std::move(observer));
  absl::Status status = run.status();
  if (run.ok()) {
    loop_state->run = *run;
    for (auto& [listener, name, to] : loop_state->listeners) {
      (*run)->bus().Add(std::move(listener), std::move(name), to);
    }
    loop_state->listeners.clear();
    status = (*run)->Start();
    if (!status.ok()) (*run)->Stop(/*graceful=*/false);
  }
  progress->Update([&](Progress& p) {
    p.is_start_decided = true;
    p.start_status = status;
  });
}

void StreamingService::EnvStopped() {
  progress_->Update([](Progress& p) {
    if (!std::exchange(p.is_start_decided, true)) {
      p.start_status = absl::CancelledError("the driver has stopped");
    }
    p.is_stopped = true;
  });
}

void StreamingService::Stop(bool graceful) {
  env_.Post([loop_state = loop_state_, graceful] {
    if (loop_state->run != nullptr) loop_state->run->Stop(graceful);
  });
}

StreamingResult StreamingService::Await(std::chrono::milliseconds timeout) {
  return progress_->WaitUntil([](const Progress& p) { return p.is_stopped || !p.error.ok(); },
                              timeout,
                              [](const Progress& p) {
                                return StreamingResult{p.error, p.is_stopped};
                              });
}

bool StreamingService::AwaitStopped(std::chrono::milliseconds timeout) {
  return progress_->WaitUntil([](const Progress& p) { return p.is_stopped; }, timeout,
                              [](const Progress& p) { return p.is_stopped; });
}

void StreamingService::AddListener(std::shared_ptr<StreamingListener> listener, std::string name,
                                   ListensTo to) {
  env_.Post([loop_state = loop_state_,
             added = AddedListener{std::move(listener), std::move(name), to}]() mutable {
    if (loop_state->run != nullptr) {
      loop_state->run->bus().Add(std::move(added.listener), std::move(added.name), added.to);
    } else {
      loop_state->listeners.push_back(std::move(added));
    }
  });
}

absl::Status StreamingService::AwaitBatch(Time batch_time, std::chrono::milliseconds timeout) {
  return progress_->WaitUntil(
      [batch_time](const Progress& p) { return p.is_stopped || p.completed.contains(batch_time); },
      timeout,
      [batch_time, timeout](const Progress& p) {
        const auto found = p.completed.find(batch_time);
        if (found != p.completed.end()) return found->second;
        if (p.is_stopped) return absl::CancelledError("the streaming context was stopped");
        return absl::DeadlineExceededError(absl::StrCat(
            "batch ", batch_time.ms(), " ms did not complete within ", timeout.count(), " ms"));
      });
}

}  // namespace millrace::internal
