// Roots that write files: one part file for each partition. Binding: output, the directory.
#ifndef MILLRACE_EXECUTOR_SINK_SAVE_OPERATORS_H_
#define MILLRACE_EXECUTOR_SINK_SAVE_OPERATORS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/record/codec.h"
#include "common/text/text_form.h"
#include "executor/operator/operator_base.h"
#include "executor/sink/object_file.h"
#include "executor/sink/part_writer.h"

namespace millrace::internal {

// Each record's text form and a line end.
template <class T>
class SaveTextOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Writer writer(node);
    return writer.part.Open() && node.RunInput(writer) && writer.Flush() && writer.part.Commit();
  }

 private:
  struct Writer : ChunkSink<T> {
    explicit Writer(TaskNode& node) : ChunkSink<T>(node), part(node) {}
    bool keeps_views() const override { return false; }
    bool Consume(T* records, size_t count) override {
      for (size_t i = 0; i < count; ++i) {
        AppendText(text, records[i]);
        text.push_back('\n');
      }
      return text.size() < kTextBytes || Flush();
    }
    bool Flush() {
      const bool written = part.Append(text);
      text.clear();
      return written;
    }

    static constexpr size_t kTextBytes = size_t{64} << 10;
    PartWriter part;
    std::string text;
  };
};

// The records in frames; see object_file.h.
template <class T>
class SaveObjectsOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Writer writer(node);
    return writer.part.Open() && writer.part.Append(ObjectFileHead()) && node.RunInput(writer) &&
           writer.Flush() && writer.part.Commit();
  }

 private:
  struct Writer : ChunkSink<T> {
    explicit Writer(TaskNode& node) : ChunkSink<T>(node), node(node), part(node) {}
    bool keeps_views() const override { return false; }
    bool Consume(T* records, size_t count) override {
      for (size_t i = 0; i < count; ++i) {
        Encode(encoder, records[i]);
        ++record_count;
        if (encoder.size() >= kObjectFrameBytes && !Flush()) return false;
      }
      return true;
    }
    bool Flush() {
      if (record_count == 0) return true;
      if (encoder.size() > UINT32_MAX) {
        return node.task().Fail(absl::ResourceExhaustedError("a record is larger than 4 GiB"));
      }
      const bool written =
          part.Append(ObjectFrameHead(encoder.view(), record_count)) && part.Append(encoder.view());
      encoder.Clear();
      record_count = 0;
      return written;
    }

    TaskNode& node;
    PartWriter part;
    Encoder encoder;
    uint32_t record_count = 0;
  };
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_SINK_SAVE_OPERATORS_H_
