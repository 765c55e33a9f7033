// Whether records are lost on their way from sources through receivers, or counted twice.
#ifndef MILLRACE_TESTS_SIM_RECEIVED_CHECK_H_
#define MILLRACE_TESTS_SIM_RECEIVED_CHECK_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "tests/sim/records.h"
#include "tests/sim/reliable_source.h"
#include "tests/sim/sim_workers.h"

namespace millrace::sim {

// It sees what no process can see: which workers hold a block at a moment. One that its driver has
// given up holds nothing that counts, however long it lives on.
//
// Of what receivers log before they acknowledge it: nothing excuses that it is in no batch.
//
// Of logs: each record is in one batch, and a batch that comes again has the same records. Of
// reliable sources: what is acknowledged is in a batch unless the last copy was lost with its
// worker, or its batch failed because that had happened to another block of it. At the
// acknowledgement a block has as many copies as its level says, unless something has just gone
// wrong. Each time that a record was sent it is in one batch at most.
//
// Threads: whoever has the turn.
class ReceivedCheck {
 public:
  // The workers of the moment; whether nothing has gone wrong for a while.
  ReceivedCheck(std::function<const SimWorkers&()> workers, std::function<bool()> is_quiet)
      : workers_(std::move(workers)), is_quiet_(std::move(is_quiet)) {}

  // Before the run; `source` is null for a log.
  void Add(const std::shared_ptr<Received>& received, ReliableSource* source);

  // It was given up, or is about to be gone, with all that it holds.
  void OnWorkerEnds(SimWorker& worker);

  // The error is one of a block that is lost, or of what was made of such.
  bool IsOfLostBlock(const absl::Status& error) const;

  bool has_lost_blocks() const { return !lost_blocks_.empty(); }

  // What is wrong, when the run is over.
  std::vector<std::string> Failures() const;

 private:
  struct Input {
    std::shared_ptr<Received> received;
    ReliableSource* source = nullptr;
  };
  using BlockKey = std::pair<int64_t, int64_t>;   // Stream, sequence.
  using RecordKey = std::pair<int64_t, int64_t>;  // Source, number.

  void OnStored(const Received& received, NodeId node, int64_t stream_id,
                const std::vector<SentRecord>& records);
  // But for `other`.
  int CountHolders(const BlockKey& block, const SimWorker* other = nullptr) const;
  void CheckInput(const Input& input, std::vector<std::string>& failures) const;
  static void CheckLog(const Received& log, std::vector<std::string>& failures);

  const std::function<const SimWorkers&()> workers_;
  const std::function<bool()> is_quiet_;
  std::vector<Input> inputs_;
  std::set<BlockKey> lost_blocks_;
  std::set<RecordKey> lost_records_;
  std::vector<std::string> failures_;
};

}  // namespace millrace::sim

#endif  // MILLRACE_TESTS_SIM_RECEIVED_CHECK_H_
