// A source outside the cluster that gives a record again until it is acknowledged, as queue
// services do, and the receiver that takes records from it.
#ifndef MILLRACE_TESTS_SIM_RELIABLE_SOURCE_H_
#define MILLRACE_TESTS_SIM_RELIABLE_SOURCE_H_

#include <millrace/receiver.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/concurrent/joined_thread.h"
#include "tests/sim/network.h"
#include "tests/sim/records.h"
#include "tests/sim/world.h"

namespace millrace::sim {

// A record as it is sent. Each time has another number.
struct SentRecord {
  int64_t source = 0;
  int64_t number = 0;   // Of the record, from 0 on.
  int64_t attempt = 0;  // From 1 on.
  Record record;

  // "SOURCE.NUMBER.ATTEMPT KEY=VALUE"
  std::string ToLine() const;
  static SentRecord OfLine(const std::string& line);
};

// Threads: whoever has the turn.
class ReliableSource {
 public:
  // From it to one receiver, until another one takes its place.
  class Connection;
  // A receiver has stored them and is about to acknowledge.
  using OnStored =
      std::function<void(NodeId worker, int64_t stream_id, const std::vector<SentRecord>& records)>;

  // The world and the network outlive the source. Its number is its own in this world.
  ReliableSource(World& world, Network& network, NodeId node, int64_t number, uint64_t seed);
  ~ReliableSource();
  ReliableSource(const ReliableSource&) = delete;
  ReliableSource& operator=(const ReliableSource&) = delete;
  // Of the world. There is one.
  static ReliableSource& Find(int64_t number);

  NodeId node() const { return node_; }
  // Has some more records each `interval_micros`, more or less, until End.
  void Begin(int64_t interval_micros);
  void End() { is_ending_ = true; }
  void SetOnStored(OnStored on_stored) { on_stored_ = std::move(on_stored); }

  // From the process that has the turn.
  std::shared_ptr<Connection> Connect();

  bool is_all_acknowledged() const { return unacknowledged_.empty(); }
  // By number, with the time.
  const std::map<int64_t, int64_t>& acknowledged_micros() const { return acknowledged_micros_; }

 private:
  struct Kept {
    Record record;
    int64_t attempt = 0;
    bool is_sent = false;  // On the present connection.
  };

  void Produce();
  void Send();
  void OnAcknowledged(const std::vector<SentRecord>& records);

  World& world_;
  Network& network_;
  const NodeId node_;
  const int64_t number_;
  std::mt19937_64 random_;
  OnStored on_stored_;
  int64_t interval_micros_ = 0;
  bool is_ending_ = false;
  int64_t record_count_ = 0;
  std::map<int64_t, Kept> unacknowledged_;
  std::map<int64_t, int64_t> acknowledged_micros_;
  std::shared_ptr<Connection> connection_;
};

// Threads: the receiver's; what arrives comes as events of its process.
class ReliableSource::Connection {
 public:
  Connection(ReliableSource& source, Network::ChannelRef in, Network::ChannelRef out)
      : source_(source), in_(std::move(in)), out_(std::move(out)) {}

  // The next records; none when none come for a while.
  std::vector<SentRecord> Next() ABSL_LOCKS_EXCLUDED(mutex_);
  // They are stored, under this stream.
  void Acknowledge(int64_t stream_id, const std::vector<SentRecord>& records);

 private:
  friend class ReliableSource;
  bool HasArrived() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !arrived_.empty(); }

  ReliableSource& source_;
  const Network::ChannelRef in_;
  const Network::ChannelRef out_;
  absl::Mutex mutex_;
  std::deque<std::vector<SentRecord>> arrived_ ABSL_GUARDED_BY(mutex_);
};

// Makes a block of what comes at once and acknowledges it when it is stored.
class ReliableReceiver final : public Receiver<std::string> {
 public:
  explicit ReliableReceiver(int64_t source) : source_(source) {}

  void OnStart() override;
  void OnStop() override { thread_.Join(); }

 private:
  void Receive();

  const int64_t source_;
  JoinedThread thread_;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_RELIABLE_SOURCE_H_
