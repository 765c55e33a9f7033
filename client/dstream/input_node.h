// Streams that come from outside the graph.
#ifndef MILLRACE_CLIENT_DSTREAM_INPUT_NODE_H_
#define MILLRACE_CLIENT_DSTREAM_INPUT_NODE_H_

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/dstream/dstream_node.h"
#include "client/dstream/receiver_books.h"
#include "client/dstream/stream_ref.h"
#include "driver/batch/streaming_handle.h"

namespace millrace::proto {
class InputCheckpoint;
}

namespace millrace::internal {

class InputNode : public DStreamNode {
 public:
  // `kind` as in "Socket stream [0]".
  InputNode(StreamGraph& graph, const Operation& operation, std::string kind);

  int input_id() const { return input_id_; }
  std::string display_name() const;
  // Set by the graph when it takes the input.
  void set_input_id(int input_id) { input_id_ = input_id; }

  // An output of the started graph draws on this input.
  bool is_needed() const { return remember() > std::chrono::milliseconds(0); }

  // The run begins: batches will ask from here on. Only of inputs that are needed.
  virtual absl::Status Start() { return absl::OkStatus(); }
  // What the driver must run to feed this input.
  virtual std::optional<ReceiverSpec> receiver() const { return std::nullopt; }
  // How fast the driver allows it to go, where the input asks.
  virtual std::shared_ptr<RateLimit> rate_limit() const { return nullptr; }
  // A batch is about to be made: asks other systems what there is for it. The one call without the
  // graph's lock, for it may take long; what it finds is for BeginBatch, on the same thread. Only
  // of inputs that are needed.
  virtual void LookOutside() {}
  // The batch is about to be made and was given these blocks.
  virtual void BeginBatch(Time /*batch_time*/, const std::vector<ReceivedBlock>& /*blocks*/) {}

  // The batches of an earlier driver can be made again.
  virtual bool is_replayable() const { return false; }
  // What the batch of that time has, be it nothing, is this input's own choice, made by BeginBatch,
  // which must be saved before the batch is acted on.
  virtual bool HasChosen(Time /*batch_time*/) const { return false; }
  // The batch of that time, which is the latest, has something.
  virtual bool HasInput(Time /*batch_time*/) const { return true; }
  // Of batches from `next` on, which comes behind the latest, the first that has something as far
  // as is known; before `next` is `next`.
  virtual std::optional<Time> NextInput(Time /*next*/) const { return std::nullopt; }
  // What its batches had, so that they can be made again by a driver to come.
  virtual void Save(proto::InputCheckpoint& /*to*/) const {}
  // What Save has said: these batches are made as they were. Before the first batch.
  virtual absl::Status Restore(const proto::InputCheckpoint& /*from*/) { return absl::OkStatus(); }
  // What BeginBatch has given the batch could not be saved, so the batch is not made and the next
  // one has it.
  virtual void PutOff(Time /*batch_time*/) {}

 private:
  const std::string kind_;
  int input_id_ = -1;
};

// A stream whose batches are blocks that a receiver stored.
class ReceiverInputNode final : public InputNode {
 public:
  // Makes the data set of one batch: a partition for each block.
  using MakeDataSet = std::function<RddRef(const std::vector<ReceivedBlock>&)>;

  // `spec` lacks what only the graph knows: the stream's id, name and label.
  ReceiverInputNode(StreamGraph& graph, const Operation& operation, std::string kind,
                    std::string receiver_class, ReceiverSpec spec, MakeDataSet make_data_set);

  std::optional<ReceiverSpec> receiver() const override;
  // From here on checkpoints have what batches had of what can be found again: in logs, and if
  // `outlives_driver` on workers. Before Restore. `log`: how the receiver is to log what it
  // receives, in the directory of the books.
  void KeepBooks(ReceiverBooks books, std::optional<ReceiverLogSpec> log, bool outlives_driver);
  // Behind Restore. `recovers` false: what earlier drivers have logged is none of this run's.
  // DataLoss: a file of theirs is missing; `may_lose`: its records are let go of.
  absl::Status ReadEarlierLogs(FileSystem& fs, bool recovers, bool may_lose);
  // Behind that: what workers still have of an earlier driver. What they do not have and is in no
  // log is lost, and batches that need it fail.
  void TakeOver(const EarlierBlocks& held, bool recovers);
  // Null: no books are kept.
  const ReceiverBooks* books() const { return books_ ? &*books_ : nullptr; }
  std::vector<NeededLog> NeededLogs() const;
  // What this driver is to begin with: adds it to that of others.
  void AddRecovered(const ResumePoint& from, RecoveredBlocks& to) const;
  // The driver may drop the blocks of batches up to the returned time, if of all but for this up to
  // `behind`: what was put off is in a later batch than the driver gave it to.
  Time DroppableUntil(Time behind) const;
  // Of its receiver.
  void StartsEnded(const std::vector<int64_t>& starts);

  void BeginBatch(Time batch_time, const std::vector<ReceivedBlock>& blocks) override;
  bool is_replayable() const override { return is_kept_; }
  bool HasChosen(Time batch_time) const override;
  bool HasInput(Time batch_time) const override;
  // Some batch that is remembered has a block of which only workers know.
  bool HasBlocksOutsideLogs() const;
  void Save(proto::InputCheckpoint& to) const override;
  absl::Status Restore(const proto::InputCheckpoint& from) override;
  void PutOff(Time batch_time) override;
  // The blocks are there for as long as they are remembered; a second copy would gain nothing.
  void PersistForReuse() override {}
  void ForgetBefore(Time batch_time) override;
  void ForgetAll() override;

 private:
  absl::StatusOr<RddRef> Compute(Time time) override;
  absl::Status CheckEarlierLogs(FileSystem& fs, bool may_lose);

  const std::string receiver_class_;
  ReceiverSpec spec_;
  const MakeDataSet make_data_set_;
  std::map<Time, std::vector<ReceivedBlock>> blocks_;
  bool is_kept_ = false;  // Somewhere where the next driver finds it.
  // What the driver before has left on workers goes on under this one.
  bool is_taken_over_ = false;
  int64_t saved_stream_id_ = -1;  // By which they know the stream; -1: nothing was saved.
  // Saving forgets what is done with.
  mutable std::optional<ReceiverBooks> books_;
  std::optional<ReceiverBooks> books_before_;  // The latest batch.
  std::vector<ReceivedBlock> earlier_;  // Logged by earlier drivers, and in no batch of theirs.
  std::vector<ReceivedBlock> put_off_;  // For the next batch.
  // Of what was put off, by the batch that has it: the first batch that it was given to.
  std::map<Time, Time> put_off_from_;
  std::optional<Time> put_off_since_;  // The same, of what no batch has yet.
};

// A stream whose data set a function makes when the batch asks for it. One that is not repeatable
// has none in the batches of an earlier driver.
class GeneratedInputNode final : public InputNode {
 public:
  using Generate = GenerateDataSet;

  GeneratedInputNode(StreamGraph& graph, const Operation& operation, std::string kind,
                     Generate generate, IsRepeatable repeatable);

  bool is_replayable() const override { return repeatable_ == IsRepeatable::kYes; }

 private:
  absl::StatusOr<RddRef> Compute(Time time) override;

  const Generate generate_;
  const IsRepeatable repeatable_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_DSTREAM_INPUT_NODE_H_
