#include "tests/sim/reliable_source.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "common/concurrent/thread_wait.h"
#include "glog/logging.h"

namespace millrace::sim {
namespace {

constexpr uint64_t kRecordsAtOnceMax = 6;
// Sent and not acknowledged.
constexpr int kUnderWayMax = 60;
// How often a receiver looks whether it was stopped.
constexpr absl::Duration kNextMax = absl::Milliseconds(200);

std::map<int64_t, ReliableSource*>& Sources() {
  static auto& sources = *new std::map<int64_t, ReliableSource*>;
  return sources;
}

int64_t NumberOf(absl::string_view text) {
  int64_t number = 0;
  CHECK(absl::SimpleAtoi(text, &number)) << "'" << text << "' is no number";
  return number;
}

}  // namespace

std::string SentRecord::ToLine() const {
  return absl::StrCat(source, ".", number, ".", attempt, " ", record.first, "=", record.second);
}

SentRecord SentRecord::OfLine(const std::string& line) {
  const std::vector<std::string> parts = absl::StrSplit(line, absl::ByAnyChar(". ="));
  CHECK_EQ(parts.size(), 5u) << line;
  return {
      NumberOf(parts[0]), NumberOf(parts[1]), NumberOf(parts[2]), {parts[3], NumberOf(parts[4])}};
}

// ---------------------------------------------------------------------------------------------
// The source.

ReliableSource::ReliableSource(World& world, Network& network, NodeId node, int64_t number,
                               uint64_t seed)
    : world_(world), network_(network), node_(node), number_(number), random_(seed) {
  CHECK(Sources().emplace(number, this).second) << "there is a source " << number << " already";
}

ReliableSource::~ReliableSource() {
  world_.Kill(node_);
  Sources().erase(number_);
}

ReliableSource& ReliableSource::Find(int64_t number) { return *Sources().at(number); }

void ReliableSource::Begin(int64_t interval_micros) {
  interval_micros_ = interval_micros;
  Produce();
}

void ReliableSource::Produce() {
  if (is_ending_) return;
  for (uint64_t left = random_() % (kRecordsAtOnceMax + 1); left > 0; --left) {
    unacknowledged_[record_count_++].record = RandomRecord(random_);
  }
  Send();
  world_.After(world_.Between(1, 2 * interval_micros_), node_, EventKind::kFault,
               [this] { Produce(); });
}

std::shared_ptr<ReliableSource::Connection> ReliableSource::Connect() {
  if (connection_ != nullptr) {
    connection_->in_->Close();
  }
  const NodeId worker = world_.current_node();
  connection_ = std::make_shared<Connection>(*this, network_.Open(node_, worker),
                                             network_.Open(worker, node_));
  network_.Send(connection_->out_, [this, connection = connection_] {
    if (connection != connection_) return;
    for (auto& [number, kept] : unacknowledged_) kept.is_sent = false;
    Send();
  });
  return connection_;
}

void ReliableSource::Send() {
  if (connection_ == nullptr) return;
  auto under_way = std::count_if(unacknowledged_.begin(), unacknowledged_.end(),
                                 [](const auto& kept) { return kept.second.is_sent; });
  std::vector<SentRecord> records;
  const auto send = [&] {
    if (records.empty()) return;
    network_.Send(connection_->in_,
                  [connection = connection_, records = std::exchange(records, {})] {
                    const absl::MutexLock lock(&connection->mutex_);
                    connection->arrived_.push_back(records);
                  });
  };
  for (auto& [number, kept] : unacknowledged_) {
    if (kept.is_sent) continue;
    if (++under_way > kUnderWayMax) break;
    kept.is_sent = true;
    records.push_back({number_, number, ++kept.attempt, kept.record});
    if (records.size() > kRecordsAtOnceMax) send();
  }
  send();
}

void ReliableSource::OnAcknowledged(const std::vector<SentRecord>& records) {
  for (const SentRecord& record : records) {
    if (unacknowledged_.erase(record.number) == 0) continue;
    acknowledged_micros_[record.number] = world_.now_micros();
  }
  Send();
}

// ---------------------------------------------------------------------------------------------
// The receiver.

std::vector<SentRecord> ReliableSource::Connection::Next() {
  const absl::MutexLock lock(&mutex_);
  if (!AwaitUnder(mutex_, absl::Condition(this, &Connection::HasArrived), kNextMax)) return {};
  std::vector<SentRecord> next = std::move(arrived_.front());
  arrived_.pop_front();
  return next;
}

void ReliableSource::Connection::Acknowledge(int64_t stream_id,
                                             const std::vector<SentRecord>& records) {
  const NodeId worker = out_->from();
  if (source_.world_.IsDead(worker)) return;
  if (source_.on_stored_) source_.on_stored_(worker, stream_id, records);
  source_.network_.Send(
      out_, [this_source = &source_, records] { this_source->OnAcknowledged(records); });
}

void ReliableReceiver::OnStart() {
  thread_ = JoinedThread("receives", [this] { Receive(); });
}

void ReliableReceiver::Receive() {
  const auto connection = ReliableSource::Find(source_).Connect();
  while (!IsStopped()) {
    const std::vector<SentRecord> records = connection->Next();
    if (records.empty()) continue;
    std::vector<std::string> lines;
    for (const SentRecord& record : records) lines.push_back(record.ToLine());
    const absl::Status stored = Store(lines);
    if (!stored.ok()) return Restart(std::string(stored.message()));
    connection->Acknowledge(stream_id(), records);
  }
}

}  // namespace millrace::sim
