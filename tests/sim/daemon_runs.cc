#include "tests/sim/daemon_runs.h"

#include <signal.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace millrace::sim {
namespace {

// Until the runner has written its number.
constexpr int64_t kPidMicros = 200'000;
// As kRunEndGraceMs.
constexpr int64_t kEndGraceMicros = 30'000'000;

}  // namespace

absl::Status Runs::Start(const RunId& id, const proto::RunRequest& request) {
  const std::string name = absl::StrCat("attempt ", id.attempt, " of ", id.submission_id);
  Attempts& attempts = submissions_[id.submission_id];
  if (forgotten_.contains(id.submission_id)) site_.Fail(name + " starts after it was forgotten");
  for (const auto& [attempt, run] : attempts) {
    if (!run.has_ended) {
      site_.Fail(absl::StrCat(name, " starts while attempt ", attempt, " runs"));
    } else if (attempt >= id.attempt) {
      site_.Fail(absl::StrCat(name, " starts after attempt ", attempt));
    }
  }
  Run& run = attempts[id.attempt];
  run.started_micros = site_.cluster.world.now_micros();
  site_.Log(absl::StrCat(name, " starts"));
  applications_.push_back(std::make_unique<Application>(
      site_, machine_,
      Application::Options{
          .plan = plan_(request.argv(0), id.attempt),
          .submission_id = id.submission_id,
          .on_exit = [this, id](const proto::ProcessExit& exit) { OnExit(id, exit); }}));
  run.application = applications_.back().get();
  return absl::OkStatus();
}

void Runs::OnExit(const RunId& id, const proto::ProcessExit& exit) {
  Run& run = submissions_.at(id.submission_id).at(id.attempt);
  run.has_ended = true;
  run.exit = exit;
  site_.Log(absl::StrCat("attempt ", id.attempt, " of ", id.submission_id, " ends with code ",
                         exit.code(), ", signal ", exit.signal(), ": ", exit.reason()));
}

std::optional<proto::ProcessExit> Runs::Poll(const RunId& id) {
  const Attempts& attempts = submissions_[id.submission_id];
  const auto run = attempts.find(id.attempt);
  if (run != attempts.end() && !run->second.has_ended) return std::nullopt;
  if (run != attempts.end() && !run->second.is_lost) return run->second.exit;
  proto::ProcessExit exit;
  exit.set_signal(SIGKILL);
  exit.set_reason("the driver and its runner are gone");
  return exit;
}

bool Runs::RequestEnd(const RunId& id) {
  Attempts& attempts = submissions_[id.submission_id];
  const auto it = attempts.find(id.attempt);
  if (it == attempts.end()) return false;
  Run& run = it->second;
  World& world = site_.cluster.world;
  if (world.now_micros() - run.started_micros < kPidMicros) return false;
  if (run.has_ended) return true;
  const auto kill = [&run] { run.application->Kill(SIGKILL, "it did not end"); };
  if (++run.end_requests > 1) {
    world.After(0, kNobody, EventKind::kProcess, kill);
  } else {
    run.application->RequestEnd();
    world.After(kEndGraceMicros, kNobody, EventKind::kProcess, kill);
  }
  return true;
}

void Runs::Forget(const std::string& submission_id) {
  forgotten_[submission_id] = site_.cluster.world.now_micros();
  const Attempts& attempts = submissions_[submission_id];
  if (std::any_of(attempts.begin(), attempts.end(),
                  [](const auto& attempt) { return !attempt.second.has_ended; })) {
    site_.Fail(absl::StrCat(submission_id, " is forgotten while it runs"));
  }
}

std::vector<Application*> Runs::Alive() const {
  std::vector<Application*> alive;
  for (const auto& application : applications_) {
    if (application->is_alive()) alive.push_back(application.get());
  }
  return alive;
}

void Runs::RestartMachine() {
  for (auto& [submission_id, attempts] : submissions_) {
    for (auto& [attempt, run] : attempts) {
      if (run.has_ended) continue;
      run.is_lost = true;
      run.application->Kill(SIGKILL, "the machine is restarted");
    }
  }
}

}  // namespace millrace::sim
