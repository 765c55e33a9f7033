// Map, Filter and FlatMap: one record at a time, in order, within its partition.
#ifndef MILLRACE_EXECUTOR_OPERATOR_MAP_H_
#define MILLRACE_EXECUTOR_OPERATOR_MAP_H_

#include <ranges>
#include <type_traits>
#include <utility>

#include "executor/operator/operator_base.h"

namespace millrace::internal {

// Params: f.
template <class T, class F>
class MapOperator : public Operator {
 public:
  using Out = RecordResultOf<F, T>;

  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<Out>* const sink = SinkOf<Out>(out);
    if (sink == nullptr) return FailWrongSink(node);
    Decoder params(node.params());
    MapKernel kernel(node, *sink, DecodeFunction<F>(params));
    if (params.failed()) return FailWrongParams(node);
    return node.RunInput(kernel) && kernel.buffer.Flush();
  }

 private:
  struct MapKernel : Kernel<T, Out> {
    MapKernel(TaskNode& node, ChunkSink<Out>& out, F function)
        : Kernel<T, Out>(node, out), buffer(out), f(std::move(function)) {}

    bool Consume(T* records, size_t count) override {
      typename ChunkBuffer<Out>::Appender appender(buffer);
      for (size_t i = 0; i < count; ++i) {
        if constexpr (kIsStatusOr<ResultOf<F, T>>) {
          auto result = CallWith(f, records[i]);
          if (!result.ok()) return this->node_.task().Fail(result.status());
          if (!appender.Emplace(*std::move(result))) return false;
        } else {
          if (!appender.Emplace(CallWith(f, records[i]))) return false;
        }
      }
      return appender.Flush();
    }

    ChunkBuffer<Out> buffer;
    const F f;
  };
};

// Keeps the records for which f is true. Params: f.
template <class T, class F>
class FilterOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<T>* const sink = SinkOf<T>(out);
    if (sink == nullptr) return FailWrongSink(node);
    Decoder params(node.params());
    FilterKernel kernel(node, *sink, DecodeFunction<F>(params));
    if (params.failed()) return FailWrongParams(node);
    return node.RunInput(kernel);
  }

 private:
  struct FilterKernel : Kernel<T, T> {
    FilterKernel(TaskNode& node, ChunkSink<T>& out, F function)
        : Kernel<T, T>(node, out), f(std::move(function)) {}

    // The chunk is compacted in place.
    bool Consume(T* records, size_t count) override {
      size_t kept = 0;
      for (size_t i = 0; i < count; ++i) {
        bool keep;
        auto verdict = CallPredicate(f, std::as_const(records[i]));
        if constexpr (kIsStatusOr<decltype(verdict)>) {
          if (!verdict.ok()) return this->node_.task().Fail(verdict.status());
          keep = *verdict;
        } else {
          keep = static_cast<bool>(verdict);
        }
        if constexpr (std::is_trivially_copyable_v<T>) {
          records[kept] = records[i];
          kept += keep ? 1 : 0;
        } else if (keep) {
          if (kept != i) records[kept] = std::move(records[i]);
          ++kept;
        }
      }
      return kept == 0 || this->out_.Push(records, kept);
    }

    const F f;
  };
};

// A range that walks itself faster than its iterators can (see Split).
template <class R>
concept SelfWalking = requires(R& range) {
  range.ForEach([](const std::ranges::range_value_t<R>&) { return true; });
};

// f makes a range of records of each record. Params: f.
template <class T, class F>
class FlatMapOperator : public Operator {
 public:
  using Range = RecordResultOf<F, T>;
  using Out = RangeRecord<Range>;

  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<Out>* const sink = SinkOf<Out>(out);
    if (sink == nullptr) return FailWrongSink(node);
    Decoder params(node.params());
    FlatMapKernel kernel(node, *sink, DecodeFunction<F>(params));
    if (params.failed()) return FailWrongParams(node);
    return node.RunInput(kernel) && kernel.buffer.Flush();
  }

 private:
  struct FlatMapKernel : Kernel<T, Out> {
    FlatMapKernel(TaskNode& node, ChunkSink<Out>& out, F function)
        : Kernel<T, Out>(node, out), buffer(out), f(std::move(function)) {}

    bool Consume(T* records, size_t count) override {
      Appender appender(buffer);
      for (size_t i = 0; i < count; ++i) {
        if constexpr (kIsStatusOr<ResultOf<F, T>>) {
          auto range = CallWith(f, records[i]);
          if (!range.ok()) return this->node_.task().Fail(range.status());
          if (!EmitAll(*range, appender)) return false;
        } else {
          auto&& range = CallWith(f, records[i]);
          if (!EmitAll(range, appender)) return false;
        }
      }
      // What views the input chunk's bytes must be gone before those may be reused.
      return this->out_.keeps_views() || appender.Flush();
    }

    using Appender = typename ChunkBuffer<Out>::Appender;

    // A container made for this call alone may be moved from; what a view views may not.
    static constexpr bool kOwnsRange =
        !std::is_reference_v<decltype(CallWith(std::declval<const F&>(), std::declval<T&>()))> &&
        !std::ranges::view<Range> && !SelfWalking<Range>;

    template <class R>
    static bool EmitAll(R& range, Appender& appender) {
      if constexpr (SelfWalking<R>) {
        return range.ForEach([&appender](const Out& record) { return appender.Emplace(record); });
      } else {
        for (auto&& record : range) {
          if constexpr (kOwnsRange) {
            if (!appender.Emplace(std::move(record))) return false;
          } else {
            if (!appender.Emplace(std::forward<decltype(record)>(record))) return false;
          }
        }
        return true;
      }
    }

    ChunkBuffer<Out> buffer;
    const F f;
  };
};

// f puts any number of records into an Emitter for each record. Params: f.
template <class T, class Out, class F>
class EmitMapOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<Out>* const sink = SinkOf<Out>(out);
    if (sink == nullptr) return FailWrongSink(node);
    Decoder params(node.params());
    EmitKernel kernel(node, *sink, DecodeFunction<F>(params));
    if (params.failed()) return FailWrongParams(node);
    return node.RunInput(kernel) && kernel.emitter.Flush();
  }

 private:
  struct EmitKernel : Kernel<T, Out> {
    EmitKernel(TaskNode& node, ChunkSink<Out>& out, F function)
        : Kernel<T, Out>(node, out), emitter(out), f(std::move(function)) {}

    bool Consume(T* records, size_t count) override {
      for (size_t i = 0; i < count && !emitter.stopped(); ++i) {
        if constexpr (std::is_void_v<decltype(Call(records[i]))>) {
          Call(records[i]);
        } else {
          const absl::Status status = Call(records[i]);
          if (!status.ok()) return this->node_.task().Fail(status);
        }
      }
      return this->out_.keeps_views() ? !emitter.stopped() : emitter.Flush();
    }

    decltype(auto) Call(T& record) {
      if constexpr (std::is_invocable_v<const F&, T&&, Emitter<Out>&>) {
        return f(std::move(record), emitter);
      } else {
        return f(ToOwned(std::move(record)), emitter);
      }
    }

    Emitter<Out> emitter;
    const F f;
  };
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_MAP_H_
