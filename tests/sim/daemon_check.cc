#include "tests/sim/daemon_check.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace millrace::sim {
namespace {

constexpr char kSubmissionsDir[] = "/daemon/submissions";
constexpr char kApplicationsDir[] = "/daemon/applications";

bool HasEnded(proto::SubmissionState state) {
  return state == proto::FINISHED || state == proto::FAILED || state == proto::KILLED;
}

class Check {
 public:
  explicit Check(const DaemonParts& parts) : parts_(parts) {}

  std::vector<std::string> Run() {
    if (!parts_.host.is_up()) return {"the driver daemon is not up"};
    list_ = parts_.host.daemon().List();
    for (Application* const application : AliveApplications(parts_)) {
      applications_[application->app_id()] = application;
    }
    CheckNodes();
    for (const auto& [id, application] : applications_) CheckApplication(*application);
    CheckWorkers();
    CheckSubmissions();
    CheckFiles();
    if (parts_.users.waiting_count() > 0) Wrong("users wait for answers");
    return std::move(wrong_);
  }

 private:
  void Wrong(const std::string& text) { wrong_.push_back(text); }

  void CheckNodes() {
    std::set<std::string> known;
    for (const proto::ExecutorStatus& executor : list_.executors()) {
      known.insert(executor.executor_id());
      int cores = 0;
      int64_t memory_mb = 0;
      for (const proto::ApplicationStatus& application : list_.applications()) {
        for (const proto::PlacedWorker& worker : application.workers()) {
          if (worker.executor_id() != executor.executor_id()) continue;
          cores += worker.cores();
          memory_mb += worker.memory_mb();
        }
      }
      if (cores != executor.cores_used() || memory_mb != executor.memory_mb_used()) {
        Wrong(absl::StrCat(executor.executor_id(), " has workers with ", cores, " cores and ",
                           memory_mb, " MiB, and the daemon counts ", executor.cores_used(),
                           " and ", executor.memory_mb_used()));
      }
    }
    for (const auto& node : parts_.nodes) {
      if (node->daemon() == nullptr || !node->daemon()->is_registered()) {
        Wrong(absl::StrCat(node->options().name, " is not registered"));
      }
    }
    if (known.size() != parts_.nodes.size()) {
      Wrong(absl::StrCat("the daemon knows ", known.size(), " of ", parts_.nodes.size(),
                         " executor daemons"));
    }
  }

  // Of those that wait for workers none can be placed anywhere.
  void CheckApplication(const Application& application) {
    const std::string name = absl::StrCat(application.plan().name, " (", application.app_id(), ")");
    if (!application.is_registered()) return Wrong(name + " is not registered");
    if (application.is_ending()) return Wrong(name + " is ending");
    if (application.count() > static_cast<int>(application.workers().size())) {
      Wrong(name + " is about to ask for workers");
    }
    int cores_held = 0;
    std::vector<int> missing_cores;
    for (const auto& [id, worker] : application.workers()) {
      if (worker.phase == Application::Phase::kJoined && worker.is_launched) {
        cores_held += worker.cores;
        if (!IsRunning(application.app_id(), id)) {
          Wrong(absl::StrCat("worker ", id, " of ", name, " does not run"));
        }
      } else if (worker.is_launched || worker.is_released) {
        Wrong(absl::StrCat("worker ", id, " of ", name, " comes or goes"));
      } else {
        missing_cores.push_back(worker.cores);
      }
    }
    const proto::Demand& demand = application.plan().demand;
    if (demand.cores_max() > 0 && cores_held > demand.cores_max()) {
      Wrong(absl::StrCat(name, " has ", cores_held, " cores of ", demand.cores_max()));
    }
    const auto has_room = [&](int cores) {
      return (demand.cores_max() == 0 || cores_held + cores <= demand.cores_max()) &&
             std::any_of(parts_.nodes.begin(), parts_.nodes.end(), [&](const auto& node) {
               return node->CoresInUse() + cores <= node->options().cores &&
                      node->MemoryMbInUse() + demand.memory_mb_per_worker() <=
                          node->options().memory_mb;
             });
    };
    if (!missing_cores.empty() &&
        std::all_of(missing_cores.begin(), missing_cores.end(), has_room)) {
      Wrong(absl::StrCat(name, " waits for ", missing_cores.size(),
                         " workers that there is room for"));
    }
  }

  bool IsRunning(const std::string& app_id, int64_t worker_id) const {
    for (const auto& node : parts_.nodes) {
      for (const DaemonWorker* const worker : node->Alive()) {
        if (worker->ref().app_id() == app_id && worker->ref().worker_id() == worker_id) return true;
      }
    }
    return false;
  }

  // Each is one that its application has.
  void CheckWorkers() {
    for (const auto& node : parts_.nodes) {
      for (const DaemonWorker* const worker : node->Alive()) {
        const std::string name =
            absl::StrCat("worker ", worker->ref().worker_id(), " of ", worker->ref().app_id(),
                         " runs on ", node->options().name);
        const auto application = applications_.find(worker->ref().app_id());
        if (application == applications_.end()) {
          Wrong(name + ", and its application does not");
          continue;
        }
        const auto& wanted = application->second->workers();
        const auto it = wanted.find(worker->ref().worker_id());
        if (it == wanted.end() || it->second.phase != Application::Phase::kJoined) {
          Wrong(name + ", and its application does not want it");
        }
        if (!is_counted_.insert({worker->ref().app_id(), worker->ref().worker_id()}).second) {
          Wrong(name + ", and elsewhere too");
        }
      }
    }
    std::map<std::string, std::string> of_submission;
    for (const auto& [app_id, application] : applications_) {
      const std::string& submission_id = application->submission_id();
      if (submission_id.empty()) continue;
      const auto [other, is_first] = of_submission.emplace(submission_id, app_id);
      if (!is_first) {
        Wrong(absl::StrCat(other->second, " and ", app_id, " are both of ", submission_id));
      }
    }
    for (const proto::ApplicationStatus& status : list_.applications()) {
      if (status.ended_ms() == 0 && !applications_.contains(status.app_id())) {
        Wrong(absl::StrCat("the daemon keeps ", status.app_id(), ", which has ended"));
      }
    }
  }

  void CheckSubmissions() {
    std::map<std::string, proto::SubmissionStatus> known;
    std::map<std::string, int> by_name;
    for (const proto::SubmissionStatus& status : list_.submissions()) {
      known[status.submission_id()] = status;
      if (++by_name[status.name()] > 1) Wrong(status.name() + " is there twice");
      CheckSubmission(status);
    }
    for (const auto& submitted : parts_.users.submitted()) {
      if (submitted->submission_id.empty() || known.contains(submitted->submission_id)) continue;
      if (!MayBeForgotten(parts_, *submitted)) {
        Wrong(absl::StrCat(submitted->submission_id, " is forgotten"));
      }
    }
    const auto ended = std::count_if(list_.submissions().begin(), list_.submissions().end(),
                                     [](const auto& status) { return HasEnded(status.state()); });
    if (ended > parts_.options.ended_max)
      Wrong(absl::StrCat(ended, " submissions that ended are kept"));
    for (const auto& [id, attempts] : parts_.runs.submissions()) {
      if (!attempts.empty() && !known.contains(id) && !parts_.runs.IsForgotten(id)) {
        Wrong(absl::StrCat("what drivers of ", id, " have left stays, and ", id, " does not"));
      }
    }
  }

  // As its driver's process says.
  void CheckSubmission(const proto::SubmissionStatus& status) {
    const std::string& id = status.submission_id();
    const std::string name = absl::StrCat(id, ", attempt ", status.attempt(), ", which is ",
                                          proto::SubmissionState_Name(status.state()), ",");
    const auto attempts = parts_.runs.submissions().find(id);
    const Runs::Run* run = nullptr;
    if (attempts != parts_.runs.submissions().end() &&
        attempts->second.contains(status.attempt())) {
      run = &attempts->second.at(status.attempt());
    }
    if (attempts != parts_.runs.submissions().end() && !attempts->second.empty() &&
        attempts->second.rbegin()->first > status.attempt()) {
      Wrong(absl::StrCat(name, " had attempt ", attempts->second.rbegin()->first));
    }
    const Submitted* const submitted = parts_.users.Find(status.name());
    const bool has_failed =
        run == nullptr || run->is_lost || run->exit.code() != 0 || run->exit.signal() != 0;
    switch (status.state()) {
      case proto::SUBMITTED:
        if (RunningCount() < parts_.options.running_max) Wrong(name + " is not started");
        break;
      case proto::RELAUNCHING:
        Wrong(name + " is about to be started");
        break;
      case proto::RUNNING:
        if (run == nullptr || run->has_ended) Wrong(name + " has no process");
        if (submitted->is_kill_answered) Wrong(name + " was to be killed");
        break;
      case proto::FINISHED:
        if (run == nullptr || !run->has_ended || has_failed) Wrong(name + " has not finished");
        if (submitted->is_kill_answered) Wrong(name + " was killed");
        break;
      case proto::FAILED:
        if (status.supervise()) Wrong(name + " is supervised");
        if (run != nullptr && (!run->has_ended || !has_failed)) Wrong(name + " has not failed");
        break;
      case proto::KILLED:
        if (!submitted->is_kill_asked) Wrong(name + " was not to be killed");
        if (run != nullptr && !run->has_ended) Wrong(name + " runs on");
        break;
      default:
        Wrong(name + " is in a state that there is not");
    }
    if (HasEnded(status.state())) {
      for (const auto& [app_id, application] : applications_) {
        if (application->submission_id() == id)
          Wrong(absl::StrCat(name, " has an application, ", app_id));
      }
    }
  }

  int RunningCount() const {
    return static_cast<int>(
        std::count_if(list_.submissions().begin(), list_.submissions().end(),
                      [](const auto& status) { return status.state() == proto::RUNNING; }));
  }

  void CheckFiles() {
    const auto count = [&](const char* dir) {
      const auto files = parts_.site.cluster.fs.List(dir);
      return files.ok() ? static_cast<int>(files->size()) : 0;
    };
    if (count(kSubmissionsDir) != list_.submissions_size()) {
      Wrong(absl::StrCat(count(kSubmissionsDir), " records of ", list_.submissions_size(),
                         " submissions"));
    }
    const auto alive = static_cast<int>(applications_.size());
    if (count(kApplicationsDir) != alive) {
      Wrong(absl::StrCat(count(kApplicationsDir), " records of ", alive, " applications"));
    }
  }

  const DaemonParts& parts_;
  proto::ListReply list_;
  std::map<std::string, Application*> applications_;  // Those that live, by id.
  std::set<std::pair<std::string, int64_t>> is_counted_;
  std::vector<std::string> wrong_;
};

}  // namespace

std::vector<Application*> AliveApplications(const DaemonParts& parts) {
  std::vector<Application*> alive = parts.runs.Alive();
  for (const auto& application : parts.users.applications()) {
    if (application->is_alive()) alive.push_back(application.get());
  }
  return alive;
}

bool MayBeForgotten(const DaemonParts& parts, const Submitted& submitted) {
  const auto count = static_cast<int>(parts.users.submitted().size());
  if (count <= parts.options.ended_max) return false;
  const auto attempts = parts.runs.submissions().find(submitted.submission_id);
  return attempts == parts.runs.submissions().end() ||
         std::all_of(attempts->second.begin(), attempts->second.end(),
                     [](const auto& attempt) { return attempt.second.has_ended; });
}

std::vector<std::string> WhatIsWrong(const DaemonParts& parts) { return Check(parts).Run(); }

std::vector<std::string> WhatIsLeft(const DaemonParts& parts) {
  std::vector<std::string> left = WhatIsWrong(parts);
  if (!left.empty()) return left;
  const proto::ListReply list = parts.host.daemon().List();
  for (const proto::ExecutorStatus& executor : list.executors()) {
    if (executor.cores_used() != 0 || executor.memory_mb_used() != 0) {
      left.push_back(executor.executor_id() + " has something in use");
    }
  }
  for (const Application* const application : AliveApplications(parts)) {
    left.push_back(application->plan().name + " lives");
  }
  for (const std::string& path : parts.site.cluster.fs.AllPaths()) {
    if (absl::EndsWith(path, ".tmp")) left.push_back(path);
  }
  return left;
}

}  // namespace millrace::sim
