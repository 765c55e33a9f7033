// Records on their way out of an operator, pushed on when there is a chunk of them.
#ifndef MILLRACE_EXECUTOR_OPERATOR_CHUNK_BUFFER_H_
#define MILLRACE_EXECUTOR_OPERATOR_CHUNK_BUFFER_H_

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

#include "executor/operator/chunk_sink.h"

namespace millrace::internal {

// Records in a chunk of T: large ones come in smaller chunks, so that a chunk stays in the cache.
template <class T>
inline constexpr size_t kChunkCapacity = std::clamp<size_t>(size_t{24} * 1024 / sizeof(T), 16,
                                                            kChunkRecords);

// One operator's output, on the stack of its Compute. The owner calls Flush at the end.
template <class T>
class ChunkBuffer {
 public:
  explicit ChunkBuffer(ChunkSink<T>& sink)
      : sink_(sink), records_(std::allocator<T>().allocate(kChunkCapacity<T>)), next_(records_) {}
  ~ChunkBuffer() {
    std::destroy(records_, next_);
    std::allocator<T>().deallocate(records_, kChunkCapacity<T>);
  }
  ChunkBuffer(const ChunkBuffer&) = delete;
  ChunkBuffer& operator=(const ChunkBuffer&) = delete;

  // False as ChunkSink::Push.
  template <class... Args>
  bool Emplace(Args&&... args) {
    new (next_) T(std::forward<Args>(args)...);
    ++next_;
    return next_ != records_ + kChunkCapacity<T> || Flush();
  }

  // Appends to a buffer that nothing else appends to meanwhile. The place of the next record stays
  // in a register, where the buffer's own is stored and loaded again for each record.
  class Appender {
   public:
    explicit Appender(ChunkBuffer& buffer) : buffer_(buffer), next_(buffer.next_) {}
    ~Appender() { buffer_.next_ = next_; }
    Appender(const Appender&) = delete;
    Appender& operator=(const Appender&) = delete;

    template <class... Args>
    bool Emplace(Args&&... args) {
      new (next_) T(std::forward<Args>(args)...);
      if (++next_ != buffer_.records_ + kChunkCapacity<T>) return true;
      return Flush();
    }
    [[nodiscard]] bool Flush() {
      buffer_.next_ = std::exchange(next_, buffer_.records_);
      return buffer_.Flush();
    }

   private:
    ChunkBuffer& buffer_;
    T* next_;
  };

  [[nodiscard]] bool Flush() {
    if (next_ == records_) return true;
    // The records are destroyed even if the sink throws.
    T* const end = std::exchange(next_, records_);
    struct Destroyer {
      T* first;
      T* last;
      ~Destroyer() { std::destroy(first, last); }
    } const destroyer{records_, end};
    return sink_.Push(records_, static_cast<size_t>(end - records_));
  }

 private:
  ChunkSink<T>& sink_;
  T* const records_;
  T* next_;
};

}  // namespace millrace::internal

namespace millrace {

// Where a user's function puts its output records, as in
//   lines.FlatMap<std::string>([](std::string_view line, Emitter<std::string>& emit) { ... });
template <class T>
class Emitter {
 public:
  explicit Emitter(internal::ChunkSink<T>& sink) : buffer_(sink) {}

  void operator()(T record) {
    if (!stopped_ && !buffer_.Emplace(std::move(record))) stopped_ = true;
  }
  // Nobody wants more records; what is emitted is thrown away.
  bool stopped() const { return stopped_; }
  // For the operator that owns the emitter.
  bool Flush() { return !stopped_ && buffer_.Flush(); }

 private:
  internal::ChunkBuffer<T> buffer_;
  bool stopped_ = false;
};

}  // namespace millrace

#endif  // MILLRACE_EXECUTOR_OPERATOR_CHUNK_BUFFER_H_
