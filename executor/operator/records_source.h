// Leaves that read encoded records, and the loop that decodes them.
#ifndef MILLRACE_EXECUTOR_OPERATOR_RECORDS_SOURCE_H_
#define MILLRACE_EXECUTOR_OPERATOR_RECORDS_SOURCE_H_

#include <string_view>
#include <utility>
#include <vector>

#include "executor/operator/operator_base.h"

namespace millrace::internal {

// Decodes `bytes`, records of T one after the other, into `out`. Views stay valid as long as the
// bytes do. False as Operator::Compute.
template <class T>
bool PushEncoded(TaskNode& node, std::string_view bytes, ChunkSink<T>& out) {
  Decoder decoder(bytes);
  ChunkBuffer<T> buffer(out);
  while (!decoder.done()) {
    const char* const before = decoder.position();
    T record{};
    Decode(decoder, record);
    // A record without bytes would never end.
    if (decoder.failed() || decoder.position() == before) return FailCorruptRecords(node);
    if (!buffer.Emplace(std::move(record))) return false;
    if (node.task().cancelled()) return false;
  }
  return !decoder.failed() && buffer.Flush();
}

template <class T>
bool PushEncoded(TaskNode& node, absl::StatusOr<std::vector<Buffer>> buffers, AnySink* out) {
  ChunkSink<T>* const sink = SinkOf<T>(out);
  if (sink == nullptr) return FailWrongSink(node);
  if (!buffers.ok()) return node.task().Fail(buffers.status());
  for (const Buffer& buffer : *buffers) {
    if (!PushEncoded<T>(node, buffer.view(), *sink)) return false;
  }
  return true;
}

// Received blocks of encoded records. Binding: blocks.
template <class T>
class BlockRecordsOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override {
    return PushEncoded<T>(node, node.Blocks(), out);
  }
};

// Values that the driver sent along. Binding: split, the encoded records.
template <class T>
class ValuesOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<T>* const sink = SinkOf<T>(out);
    if (sink == nullptr) return FailWrongSink(node);
    const absl::StatusOr<std::string_view> split = node.Split();
    if (!split.ok()) return node.task().Fail(split.status());
    return PushEncoded<T>(node, *split, *sink);
  }
};

// A partition of a persisted data set. Binding: cached.
template <class T>
class CachedReadOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override {
    return PushEncoded<T>(node, node.ReadCached(), out);
  }
};

// Keeps a copy of what passes through: the whole partition, even when the consumer stops early.
// Binding: cached.
template <class T>
class CachedWriteOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<T>* const sink = SinkOf<T>(out);
    if (sink == nullptr) return FailWrongSink(node);
    Tee tee(node, *sink);
    if (!node.RunInput(tee)) return false;
    std::vector<Buffer> chunks;
    if (!tee.encoder.empty()) chunks.push_back(tee.encoder.TakeBuffer());
    const absl::Status status = node.WriteCached(std::move(chunks), tee.records);
    if (!status.ok()) return node.task().Fail(status);
    return !tee.sink_done;
  }

 private:
  struct Tee : Kernel<T, T> {
    using Kernel<T, T>::Kernel;
    bool Consume(T* pushed, size_t count) override {
      for (size_t i = 0; i < count; ++i) Encode(encoder, pushed[i]);
      records += static_cast<int64_t>(count);
      if (!sink_done && !this->out_.Push(pushed, count)) sink_done = true;
      return !this->node_.task().failed();
    }

    Encoder encoder;
    int64_t records = 0;
    bool sink_done = false;
  };
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_RECORDS_SOURCE_H_
