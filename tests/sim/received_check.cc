#include "tests/sim/received_check.h"

#include <algorithm>
#include <cstddef>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/record/codec.h"
#include "glog/logging.h"

namespace millrace::sim {
namespace {

using internal::StoreKey;

std::vector<SentRecord> RecordsOf(const std::vector<Buffer>& buffers) {
  std::vector<SentRecord> records;
  for (const Buffer& buffer : buffers) {
    internal::Decoder decoder(std::string_view(buffer.data(), buffer.size()));
    while (!decoder.done()) {
      std::string line;
      internal::Decode(decoder, line);
      CHECK(!decoder.failed()) << "a block is not what was received";
      records.push_back(SentRecord::OfLine(line));
    }
  }
  return records;
}

bool Holds(SimWorker& worker, const StoreKey& key, const SentRecord& record) {
  const auto buffers = worker.worker().blocks().Get(key);
  if (!buffers.ok()) return false;
  const std::vector<SentRecord> records = RecordsOf(*buffers);
  return std::any_of(records.begin(), records.end(), [&](const SentRecord& held) {
    return held.number == record.number && held.attempt == record.attempt;
  });
}

}  // namespace

void ReceivedCheck::Add(const std::shared_ptr<Received>& received, ReliableSource* source) {
  inputs_.push_back({received, source});
  if (source == nullptr) return;
  source->SetOnStored(
      [this, received](NodeId node, int64_t stream_id, const std::vector<SentRecord>& records) {
        OnStored(*received, node, stream_id, records);
      });
}

void ReceivedCheck::OnStored(const Received& received, NodeId node, int64_t stream_id,
                             const std::vector<SentRecord>& records) {
  for (const auto& [id, worker] : workers_().alive()) {
    if (worker->node() != node) continue;
    for (const StoreKey& key : worker->worker().blocks().BlockKeys()) {
      if (key.id != stream_id || !Holds(*worker, key, records.front())) continue;
      const int holders = CountHolders({key.id, key.index});
      if (holders >= CopyCount(received.storage_level) || !is_quiet_()) return;
      failures_.push_back(absl::StrCat(records.front().ToLine(), " is acknowledged, and block ",
                                       key.index, " has ", holders, " copies"));
      return;
    }
  }
  failures_.push_back(absl::StrCat(records.front().ToLine(),
                                   " is acknowledged, and its receiver's worker has it not"));
}

int ReceivedCheck::CountHolders(const BlockKey& block, const SimWorker* other) const {
  const auto& alive = workers_().alive();
  return static_cast<int>(std::count_if(alive.begin(), alive.end(), [&](const auto& entry) {
    const auto& [id, worker] = entry;
    return worker.get() != other && !workers_().is_given_up(id) &&
           worker->worker().blocks().Contains(StoreKey::Block(block.first, block.second));
  }));
}

void ReceivedCheck::OnWorkerEnds(SimWorker& worker) {
  const bool is_logged = !inputs_.empty() && inputs_.front().received->is_logged;
  if (inputs_.empty() || is_logged) return;
  for (const StoreKey& key : worker.worker().blocks().BlockKeys()) {
    const BlockKey block(key.id, key.index);
    if (CountHolders(block, &worker) > 0) continue;
    lost_blocks_.insert(block);
    const auto buffers = worker.worker().blocks().Get(key);
    if (!buffers.ok()) continue;
    for (const SentRecord& record : RecordsOf(*buffers)) {
      lost_records_.insert({record.source, record.number});
    }
  }
}

bool ReceivedCheck::IsOfLostBlock(const absl::Status& error) const {
  const absl::string_view message = error.message();
  if (absl::StrContains(message, "cannot be made again") ||
      absl::StrContains(message, " ms is missing, and ")) {
    return !lost_blocks_.empty();
  }
  return std::any_of(lost_blocks_.begin(), lost_blocks_.end(), [&](const BlockKey& block) {
    return absl::StrContains(
        message, absl::StrCat("block ", block.second, " of stream ", block.first, " is lost"));
  });
}

std::vector<std::string> ReceivedCheck::Failures() const {
  std::vector<std::string> failures = failures_;
  for (const Input& input : inputs_) CheckInput(input, failures);
  return failures;
}

void ReceivedCheck::CheckInput(const Input& input, std::vector<std::string>& failures) const {
  std::map<std::string, Time> batch_of;
  std::set<int64_t> seen;
  for (const auto& [time, lines] : input.received->batches) {
    for (const std::string& line : lines) {
      const auto [other, is_first] = batch_of.emplace(line, time);
      if (!is_first) {
        failures.push_back(absl::StrCat(line, " is in batch ", time.ms(), " ms, and in batch ",
                                        other->second.ms(), " ms"));
      }
      seen.insert(SentRecord::OfLine(line).number);
    }
  }
  for (const Time time : input.received->changed) {
    failures.push_back(
        absl::StrCat("batch ", time.ms(), " ms had other records when it came again"));
  }
  // What else a failed batch had is not known.
  const bool has_failed = std::any_of(
      input.received->errors.begin(), input.received->errors.end(),
      [&](const auto& error) { return !input.received->batches.contains(error.first); });
  if (has_failed) return;
  if (input.source == nullptr) return CheckLog(*input.received, failures);
  for (const auto& [number, micros] : input.source->acknowledged_micros()) {
    if (seen.contains(number) || lost_records_.contains({input.received->source, number})) continue;
    failures.push_back(absl::StrCat("record ", number, " of source ", input.received->source,
                                    " was acknowledged at ", micros, " us and is in no batch"));
  }
}

void ReceivedCheck::CheckLog(const Received& log, std::vector<std::string>& failures) {
  std::map<int64_t, std::set<int64_t>> offsets;  // By partition.
  for (const auto& [time, lines] : log.batches) {
    for (const std::string& line : lines) {
      const SentRecord record = SentRecord::OfLine(line);
      offsets[record.source].insert(record.number);
    }
  }
  for (const auto& [partition, seen] : offsets) {
    const auto missing = *seen.rbegin() + 1 - static_cast<int64_t>(seen.size());
    if (missing == 0) continue;
    failures.push_back(
        absl::StrCat(missing, " records of partition ", partition, " of the log are in no batch"));
  }
}

}  // namespace millrace::sim
