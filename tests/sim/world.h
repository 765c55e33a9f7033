// Time, chance and order of a simulated run.
#ifndef MILLRACE_TESTS_SIM_WORLD_H_
#define MILLRACE_TESTS_SIM_WORLD_H_

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <unordered_map>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "common/concurrent/joined_thread.h"
#include "common/concurrent/thread_wait.h"
#include "tests/sim/turn_thread.h"

namespace millrace::sim {

using Closure = absl::AnyInvocable<void()>;
using EventId = uint64_t;  // Never 0.

// A process. What happens to one that was killed does not happen.
using NodeId = int32_t;
inline constexpr NodeId kNobody = 0;  // The program's own thread, faults: never killed.

enum class EventKind : uint8_t { kPost, kTimer, kBegin, kWake, kDone, kMessage, kProcess, kFault };

// A queue of events over virtual time. Where several may come next, the seed decides. One thing
// happens at a time: an event, or a turn of a thread that does the work of a task or job, until the
// thread waits or its work is done.
//
// MonotonicNanos is the world's clock, of the only world at a time.
//
// The thread that makes the world runs it, whenever that thread waits (AwaitUnder) or says so.
// Threads: whoever has the turn.
class World final : private ThreadWaiter, private ThreadMaker {
 public:
  explicit World(uint64_t seed);
  ~World() override;
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  int64_t now_micros() const { return now_micros_; }
  // -- Chance -----------------------------------------------------------------------------------

  uint64_t Random() { return random_(); }
  // From `low` to `high`, both included.
  int64_t Between(int64_t low, int64_t high);
  bool OneIn(int64_t n) { return Between(1, n) == 1; }
  // Mostly far below `max`, now and then near it: as delays are.
  int64_t Delay(int64_t max);

  // -- Events -----------------------------------------------------------------------------------

  // Events of one time come in an order that the seed decides.
  EventId At(int64_t micros, NodeId node, EventKind kind, Closure closure);
  EventId After(int64_t delay_micros, NodeId node, EventKind kind, Closure closure) {
    return At(now_micros_ + delay_micros, node, kind, std::move(closure));
  }
  // Unknown and past ones are fine.
  void Cancel(EventId id);

  // Runs `work` on a thread, as an event after `delay_micros`, and `done` when it has ended.
  void RunOnThread(NodeId node, int64_t delay_micros, Closure work, Closure done);
  // Works of the node that were handed in and have not ended.
  int works_under_way(NodeId node) const;
  // Events of this kind that are still to come at the node.
  bool HasPending(NodeId node, EventKind kind) const;

  // Whose turn it is.
  NodeId current_node() const { return current_node_; }

  // Nothing happens at the node any more. Its threads that wait go on at once, as if their time
  // were over, until their works end; `done` is not called. JoinedThreads go on so when they are
  // waited for. As an event, or between events.
  void Kill(NodeId node);
  bool IsDead(NodeId node) const { return dead_.contains(node); }

  // Runs events until `is_done`, or until virtual time reaches `until_micros` first: false.
  bool RunUntil(absl::FunctionRef<bool()> is_done, int64_t until_micros);
  void RunFor(int64_t micros);

  // -- The run as a whole -----------------------------------------------------------------------

  // Of all that has happened: time, node and kind of each event.
  uint64_t digest() const { return digest_; }
  int64_t event_count() const { return event_count_; }
  // Called before each event, with its time, node and kind, for a trace of the run.
  using Trace = std::function<void(int64_t micros, NodeId node, EventKind kind)>;
  void SetTrace(Trace trace) { trace_ = std::move(trace); }

 private:
  struct Key {
    int64_t micros;
    uint64_t turn;  // The seed's order of events of one time.
    EventId id;

    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Event {
    NodeId node;
    EventKind kind;
    Closure closure;
  };
  struct Work {
    NodeId node;
    TurnThread* thread;
    Closure done;
    EventId timeout = 0;     // While it waits with one.
    bool is_joined = false;  // Of a JoinedThread.
  };
  class Joined;

  bool Await(absl::Mutex& mutex, const absl::Condition& condition,
             absl::Duration timeout) override ABSL_NO_THREAD_SAFETY_ANALYSIS;

  std::unique_ptr<ThreadMaker::Thread> Make(Closure body) override;

  bool RunOne();
  void Begin(NodeId node, Closure work, Closure done);
  // A turn of the work's thread.
  void Continue(const std::shared_ptr<Work>& work);
  // It never waits again.
  void RunToEnd(const std::shared_ptr<Work>& work);
  void WakeThoseWhoMayGoOn();
  TurnThread* TakeThread();

  int64_t now_micros_ = 0;
  std::mt19937_64 random_;
  std::map<Key, Event> events_;
  std::unordered_map<EventId, Key> keys_;
  EventId last_event_ = 0;
  bool in_event_ = false;
  NodeId current_node_ = kNobody;
  int64_t skipped_micros_ = 0;  // By threads that were given up.

  std::set<NodeId> dead_;
  std::map<NodeId, int> works_;
  std::vector<std::shared_ptr<Work>> waiting_;
  std::vector<std::shared_ptr<Work>> waking_;  // Their turns are events.
  std::vector<std::unique_ptr<TurnThread>> threads_;
  std::vector<TurnThread*> idle_threads_;

  uint64_t digest_ = 0;
  int64_t event_count_ = 0;
  Trace trace_;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_WORLD_H_
