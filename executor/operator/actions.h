// Roots: operators whose result goes back to the driver.
#ifndef MILLRACE_EXECUTOR_OPERATOR_ACTIONS_H_
#define MILLRACE_EXECUTOR_OPERATOR_ACTIONS_H_

#include <cstdint>
#include <utility>

#include "executor/operator/operator_base.h"

namespace millrace::internal {

// Returns the partition's records, encoded; no more than `limit` of them, the first.
// Params: uint64 limit.
template <class T>
class CollectOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Decoder params(node.params());
    Collector collector(node, params.GetFixed<uint64_t>());
    if (params.failed()) return FailWrongParams(node);
    // A limit that is reached ends the input early, which is no failure.
    if (collector.left > 0 && !node.RunInput(collector) && collector.left > 0) return false;
    node.task().SetResult(collector.encoder.ToString());
    return true;
  }

 private:
  struct Collector : ChunkSink<T> {
    Collector(TaskNode& node, uint64_t limit) : ChunkSink<T>(node), left(limit) {}
    bool keeps_views() const override { return false; }
    bool Consume(T* records, size_t count) override {
      const size_t wanted = count < left ? count : static_cast<size_t>(left);
      for (size_t i = 0; i < wanted; ++i) Encode(encoder, records[i]);
      left -= wanted;
      return left > 0;
    }
    Encoder encoder;
    uint64_t left;
  };
};

// Returns the number of the partition's records, as int64.
template <class T>
class CountOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Counter counter(node);
    if (!node.RunInput(counter)) return false;
    node.task().SetResult(EncodeToString(counter.records));
    return true;
  }

 private:
  struct Counter : ChunkSink<T> {
    using ChunkSink<T>::ChunkSink;
    bool keeps_views() const override { return false; }
    bool Consume(T* /*records*/, size_t count) override {
      records += static_cast<int64_t>(count);
      return true;
    }
    int64_t records = 0;
  };
};

// Folds the partition into an A: a = f(a, record). Returns it encoded, or nothing when the
// partition is empty and `only_if_any`. Params: f, A zero, bool only_if_any.
template <class T, class A, class F>
class AggregateOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Decoder params(node.params());
    F f = DecodeFunction<F>(params);
    Folder folder(node, std::move(f));
    Decode(params, folder.value);
    Decode(params, folder.only_if_any);
    if (params.failed()) return FailWrongParams(node);
    if (!node.RunInput(folder)) return false;
    if (folder.any || !folder.only_if_any) node.task().SetResult(EncodeToString(folder.value));
    return true;
  }

 private:
  struct Folder : ChunkSink<T> {
    Folder(TaskNode& node, F function) : ChunkSink<T>(node), f(std::move(function)) {}
    bool Consume(T* records, size_t count) override {
      for (size_t i = 0; i < count; ++i) {
        A next = OwnedAs<A>(CallWith2(f, std::move(value), std::move(records[i])));
        value = std::move(next);
      }
      any = any || count > 0;
      return true;
    }
    const F f;
    A value{};
    bool only_if_any = false;
    bool any = false;
  };
};

// reduce: the first record starts, f(V, V) goes on. Returns nothing for an empty partition.
// Params: f.
template <class T, class F>
class ReduceOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Decoder params(node.params());
    Folder folder(node, DecodeFunction<F>(params));
    if (params.failed()) return FailWrongParams(node);
    if (!node.RunInput(folder)) return false;
    if (folder.value.has_value()) node.task().SetResult(EncodeToString(*folder.value));
    return true;
  }

 private:
  struct Folder : ChunkSink<T> {
    Folder(TaskNode& node, F function) : ChunkSink<T>(node), f(std::move(function)) {}
    bool Consume(T* records, size_t count) override {
      size_t i = 0;
      if (!value.has_value() && count > 0) value.emplace(ToOwned<T>(std::move(records[i++])));
      for (; i < count; ++i) FoldInto<T>(f, *value, std::move(records[i]));
      return true;
    }
    const F f;
    std::optional<Owned<T>> value;
  };
};

// Calls f for each record, for what it does elsewhere. Params: f.
template <class T, class F>
class ForeachOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Decoder params(node.params());
    Caller caller(node, DecodeFunction<F>(params));
    if (params.failed()) return FailWrongParams(node);
    return node.RunInput(caller);
  }

 private:
  struct Caller : ChunkSink<T> {
    Caller(TaskNode& node, F function) : ChunkSink<T>(node), node(node), f(std::move(function)) {}
    bool Consume(T* records, size_t count) override {
      for (size_t i = 0; i < count; ++i) {
        if constexpr (std::is_void_v<decltype(CallWith(f, records[i]))>) {
          CallWith(f, records[i]);
        } else {
          absl::Status status = CallWith(f, records[i]);
          if (!status.ok()) return node.task().Fail(std::move(status));
        }
      }
      return true;
    }
    TaskNode& node;
    const F f;
  };
};

// Returns the values of one key, encoded. Params: Owned<K> key.
template <class K, class V>
class LookupOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Finder finder(node);
    if (!DecodeFromBytes(node.params(), finder.key)) return FailWrongParams(node);
    if (!node.RunInput(finder)) return false;
    node.task().SetResult(finder.encoder.ToString());
    return true;
  }

 private:
  struct Finder : ChunkSink<std::pair<K, V>> {
    using ChunkSink<std::pair<K, V>>::ChunkSink;
    bool keeps_views() const override { return false; }
    bool Consume(std::pair<K, V>* records, size_t count) override {
      for (size_t i = 0; i < count; ++i) {
        if (IsKey(records[i].first)) Encode(encoder, records[i].second);
      }
      return true;
    }
    bool IsKey(const K& candidate) const {
      if constexpr (requires { candidate == key; }) {
        return candidate == key;
      } else {
        return ToOwned<K>(candidate) == key;
      }
    }
    Owned<K> key{};
    Encoder encoder;
  };
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_ACTIONS_H_
