// How records move between operators of a task: arrays of one type, one virtual call an array.
#ifndef MILLRACE_EXECUTOR_OPERATOR_CHUNK_SINK_H_
#define MILLRACE_EXECUTOR_OPERATOR_CHUNK_SINK_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <typeinfo>

namespace millrace::internal {

// Sources and operators that buffer their output push at most this many records at a time: enough
// to hide a virtual call and a clock reading, few enough to stay in the first-level cache.
inline constexpr size_t kChunkRecords = 1024;

class TaskNode;

// Charges the time until its end to `node`, and takes `records` into its count. While it lives, an
// error or exception is blamed on `node`.
class OperatorScope {
 public:
  OperatorScope(TaskNode& node, size_t records);
  ~OperatorScope();
  OperatorScope(const OperatorScope&) = delete;
  OperatorScope& operator=(const OperatorScope&) = delete;

 private:
  TaskNode& node_;
  TaskNode* const outer_;
};

// A consumer of records whose type is known only to its subclass.
class AnySink {
 public:
  virtual ~AnySink() = default;
  AnySink(const AnySink&) = delete;
  AnySink& operator=(const AnySink&) = delete;

  const std::type_info& record_type() const { return record_type_; }

  // Whether views in pushed records may be looked at after Push has returned. Where they are not
  // (the sink encodes, counts, or copies what it keeps), a source may reuse the bytes they view.
  virtual bool keeps_views() const { return true; }

 protected:
  explicit AnySink(const std::type_info& record_type) : record_type_(record_type) {}

 private:
  const std::type_info& record_type_;
};

// Consumes records of one type on behalf of operator `consumer`. One task, one thread.
template <class T>
class ChunkSink : public AnySink {
 public:
  explicit ChunkSink(TaskNode& consumer) : AnySink(typeid(T)), consumer_(consumer) {}

  // Takes `count` records, which the sink may change or move from; nothing refers to them after
  // the call but views of bytes that live as long as the task. False: push no more, because the
  // task failed (its TaskContext knows why) or because the sink has all that it wants.
  [[nodiscard]] bool Push(T* records, size_t count) {
    const OperatorScope scope(consumer_, count);
    return Consume(records, count);
  }

 private:
  virtual bool Consume(T* records, size_t count) = 0;

  TaskNode& consumer_;
};

// nullptr when `sink` takes records of another type: the plan does not fit this program.
template <class T>
ChunkSink<T>* SinkOf(AnySink* sink) {
  if (sink == nullptr || sink->record_type() != typeid(T)) return nullptr;
  return static_cast<ChunkSink<T>*>(sink);
}

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_CHUNK_SINK_H_
