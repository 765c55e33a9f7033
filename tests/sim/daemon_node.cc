#include "tests/sim/daemon_node.h"

#include <signal.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/daemon_application.h"
#include "tests/sim/daemon_host.h"

namespace millrace::sim {
namespace {

constexpr int64_t kPrepareMicrosMax = 500'000;
constexpr int64_t kOrphanMicrosMax = 50'000;

proto::ProcessExit ExitOf(int code, const std::string& reason) {
  proto::ProcessExit exit;
  exit.set_code(code);
  exit.set_reason(reason);
  return exit;
}

}  // namespace

// One process of the daemon.
class DaemonNode::Incarnation final : public DriverLink, public WorkerHost {
 public:
  Incarnation(DaemonNode& node, int number) : node_(node), process_(node.site_, node.machine_) {
    ExecutorDaemon::Options options;
    options.registration.set_executor_id(absl::StrCat(node.options_.name, "-", number));
    options.registration.set_host(node.options_.name);
    options.registration.set_cores(node.options_.cores);
    options.registration.set_memory_mb(node.options_.memory_mb);
    options.on_refused = [this](const absl::Status& status) {
      node_.site_.Fail(absl::StrCat(node_.options_.name, " is refused: ", status.ToString()));
    };
    daemon_ = std::make_unique<ExecutorDaemon>(process_.env(), *this, *this, std::move(options));
    process_.env().Post([this] { daemon_->Start(); });
  }

  Process& process() { return process_; }
  const ExecutorDaemon& daemon() const { return *daemon_; }

  // DriverLink
  void Open(Callbacks callbacks) override {
    const auto shared = std::make_shared<Callbacks>(std::move(callbacks));
    connection_ = Connection::Open(
        process_, kDaemonAddress, Service::kExecutors,
        {.on_message =
             [this, shared](const google::protobuf::Message& message) {
               if (process_.is_alive()) {
                 shared->on_message(static_cast<const proto::ToExecutor&>(message));
               }
             },
         .on_closed =
             [this, shared](const absl::Status& status) {
               connection_ = nullptr;
               shared->on_closed(status);
             }});
  }
  void Send(proto::FromExecutor message) override {
    if (connection_ != nullptr) connection_->SendToServer(std::move(message));
  }

  // WorkerHost
  void Start(const proto::LaunchWorker& launch,
             std::function<void(proto::ProcessExit)> on_ended) override {
    CheckRoom();
    const Key key(launch.worker().app_id(), launch.worker().worker_id());
    started_[key] = {.on_ended = std::move(on_ended), .driver_address = launch.driver_address()};
    process_.env().After(node_.site_.cluster.world.Delay(kPrepareMicrosMax),
                         [this, key, launch] { Fetch(key, launch); });
  }
  void SetDriver(const std::string& app_id, int64_t worker_id,
                 const std::string& driver_address) override {
    const auto it = started_.find({app_id, worker_id});
    if (it == started_.end()) return;
    it->second.driver_address = driver_address;
    if (it->second.worker != nullptr) it->second.worker->SetDriver(driver_address);
  }
  void RequestEnd(const std::string& app_id, int64_t worker_id) override {
    const auto it = started_.find({app_id, worker_id});
    if (it == started_.end()) return;
    it->second.is_end_requested = true;
    if (it->second.worker != nullptr) it->second.worker->RequestEnd();
  }
  void Forget(const std::string& app_id) override {
    if (!process_.is_alive()) return;
    const bool has_some = std::any_of(started_.begin(), started_.end(), [&](const auto& entry) {
      return entry.first.first == app_id;
    });
    if (has_some) node_.site_.Fail(absl::StrCat(app_id, " is forgotten while workers of it run"));
  }

 private:
  using Key = std::pair<std::string, int64_t>;
  struct Started {
    std::function<void(proto::ProcessExit)> on_ended;
    std::string driver_address = {};
    DaemonWorker* worker = nullptr;  // Null: it is being prepared.
    bool is_end_requested = false;
  };

  // The core knows the new one already.
  void CheckRoom() {
    const int cores = node_.CoresInUse();
    const int64_t memory_mb = node_.MemoryMbInUse();
    if (cores > node_.options_.cores || memory_mb > node_.options_.memory_mb) {
      node_.site_.Fail(absl::StrCat(node_.options_.name, " with ", node_.options_.cores,
                                    " cores and ", node_.options_.memory_mb, " MiB is to run ",
                                    cores, " cores and ", memory_mb, " MiB"));
    }
  }

  void Fetch(const Key& key, const proto::LaunchWorker& launch) {
    const std::string& sha256 = launch.program().sha256();
    if (node_.programs_.contains(sha256)) return StartProcess(key, launch);
    proto::ProgramFile wanted;
    wanted.set_sha256(sha256);
    Ask(process_, kDaemonAddress, Service::kArtifacts, wanted,
        [this, key, launch](const absl::StatusOr<MessageRef>& answer) {
          if (!answer.ok()) {
            const Application& application = *node_.site_.applications.at(key.first);
            if (absl::IsNotFound(answer.status()) && application.is_alive()) {
              node_.site_.Fail(absl::StrCat("the program of ", key.first,
                                            " is gone: ", answer.status().message()));
            }
            return End(key, ExitOf(127, absl::StrCat("not started: ", answer.status().message())));
          }
          node_.programs_.insert(launch.program().sha256());
          StartProcess(key, launch);
        });
  }

  void StartProcess(const Key& key, const proto::LaunchWorker& launch) {
    Started& started = started_.at(key);
    if (started.is_end_requested) {
      proto::ProcessExit exit = ExitOf(127, "not started: it was told to end");
      exit.set_is_requested(true);
      return End(key, exit);
    }
    if (node_.is_failing_) return End(key, ExitOf(127, "not started: nothing works here"));
    proto::LaunchWorker latest = launch;
    latest.set_driver_address(started.driver_address);
    node_.workers_.push_back(std::make_unique<DaemonWorker>(
        node_.site_, node_.machine_, latest, node_.options_.has_clinging_workers,
        [this, key](const proto::ProcessExit& exit) {
          process_.env().Post([this, key, exit] { End(key, exit); });
        }));
    started.worker = node_.workers_.back().get();
  }

  void End(const Key& key, const proto::ProcessExit& exit) {
    const auto started = started_.extract(key);
    started.mapped().on_ended(exit);
  }

  DaemonNode& node_;
  std::map<Key, Started> started_;
  Connection::Ref connection_;
  std::unique_ptr<ExecutorDaemon> daemon_;
  Process process_;
};

DaemonNode::DaemonNode(Site& site, Options options)
    : site_(site), options_(std::move(options)), machine_(site.cluster.NewNode()) {}

DaemonNode::~DaemonNode() = default;

void DaemonNode::Start() {
  if (process() != nullptr) return;
  for (DaemonWorker* const worker : Alive()) worker->Kill(SIGKILL, "a daemon before has left it");
  site_.Log(absl::StrCat("the executor daemon of ", options_.name, " starts"));
  incarnations_.push_back(
      std::make_unique<Incarnation>(*this, static_cast<int>(incarnations_.size()) + 1));
}

void DaemonNode::Kill() {
  Process* const running = process();
  if (running == nullptr) return;
  site_.Log(absl::StrCat("the executor daemon of ", options_.name, " is killed"));
  running->End();
  World& world = site_.cluster.world;
  for (DaemonWorker* const worker : Alive()) {
    if (world.OneIn(4)) continue;
    world.After(world.Delay(kOrphanMicrosMax), kNobody, EventKind::kProcess,
                [worker] { worker->Kill(SIGKILL, "its daemon is gone"); });
  }
}

Process* DaemonNode::process() {
  if (incarnations_.empty() || !incarnations_.back()->process().is_alive()) return nullptr;
  return &incarnations_.back()->process();
}

const ExecutorDaemon* DaemonNode::daemon() const {
  if (incarnations_.empty() || !incarnations_.back()->process().is_alive()) return nullptr;
  return &incarnations_.back()->daemon();
}

std::vector<DaemonWorker*> DaemonNode::Alive() const {
  std::vector<DaemonWorker*> alive;
  for (const auto& worker : workers_) {
    if (worker->is_alive()) alive.push_back(worker.get());
  }
  return alive;
}

int DaemonNode::CoresInUse() const {
  int cores = 0;
  if (daemon() == nullptr) return 0;
  for (const auto& worker : daemon()->workers()) {
    if (!worker.is_ending) cores += worker.worker.cores();
  }
  return cores;
}

int64_t DaemonNode::MemoryMbInUse() const {
  int64_t memory_mb = 0;
  if (daemon() == nullptr) return 0;
  for (const auto& worker : daemon()->workers()) {
    if (!worker.is_ending) memory_mb += worker.worker.memory_mb();
  }
  return memory_mb;
}

}  // namespace millrace::sim
