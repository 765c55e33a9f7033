#include "tests/sim/daemon_process.h"

#include "tests/sim/daemon_connection.h"

namespace millrace::sim {

Process::Process(Site& site, NodeId machine)
    : site_(site),
      machine_(machine),
      files_(site.cluster.fs),
      env_(site.cluster.world, site.cluster.NewNode(), files_, site.cluster.pace) {}

// At the end of the run: what is still to come of it holds on to what goes with it.
Process::~Process() {
  for (const auto& weak : connections_) {
    if (const auto connection = weak.lock()) connection->Forget(*this);
  }
  site_.cluster.world.Kill(env_.node());
}

void Process::End() {
  if (has_ended_) return;
  has_ended_ = true;
  files_.End();
  for (const auto& weak : std::exchange(connections_, {})) {
    if (const auto connection = weak.lock()) connection->OnEnded(*this);
  }
  // Not at once: what it was about to do may be held by what it does now.
  World& world = site_.cluster.world;
  world.After(0, kNobody, EventKind::kProcess, [&world, node = env_.node()] { world.Kill(node); });
}

void Process::EndAfterSteps(int64_t steps, std::function<void()> on_end) {
  steps_left_ = steps;
  on_end_ = std::move(on_end);
}

void Process::EndAfterChanges(int64_t changes, std::function<void()> on_end) {
  files_.EndAfter(changes, [this, on_end = std::move(on_end)] {
    if (!has_ended_) on_end();
    End();
  });
}

void Process::StayAlive() {
  steps_left_ = kEndless;
  files_.StayAlive();
}

bool Process::BeforeStep() {
  if (!has_ended_ && steps_left_ != kEndless && steps_left_-- == 0) {
    on_end_();
    End();
  }
  return !has_ended_;
}

void Process::Add(const std::shared_ptr<Connection>& connection) {
  if (connections_.size() % 64 == 63) {
    std::erase_if(connections_, [](const auto& weak) { return weak.expired(); });
  }
  connections_.push_back(connection);
}

}  // namespace millrace::sim
