// Operators that see a partition as a whole: MapPartitions, Glom, counts, folds, round-robin
// shuffle.
#ifndef MILLRACE_EXECUTOR_OPERATOR_PARTITION_OPS_H_
#define MILLRACE_EXECUTOR_OPERATOR_PARTITION_OPS_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "executor/operator/keyed.h"
#include "executor/operator/operator_base.h"

namespace millrace {

// The records of one partition, once, in order:
//   for (const T& record : records) ...
template <class T>
class PartitionReader {
 public:
  explicit PartitionReader(std::vector<T>& records) : records_(records) {}

  auto begin() { return records_.begin(); }
  auto end() { return records_.end(); }

 private:
  std::vector<T>& records_;
};

namespace internal {

// All records of the input. Views in them stay valid until the task ends.
template <class T>
struct Gatherer : ChunkSink<T> {
  using ChunkSink<T>::ChunkSink;
  bool Consume(T* pushed, size_t count) override {
    for (size_t i = 0; i < count; ++i) records.push_back(std::move(pushed[i]));
    return true;
  }
  std::vector<T> records;
};

// f([index, ]records, emit), once for each partition. Params: f.
template <class T, class Out, class F>
class MapPartitionsOperator : public Operator {
 public:
  static constexpr bool kTakesIndex =
      std::is_invocable_v<const F&, int, PartitionReader<T>&, Emitter<Out>&>;

  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<Out>* const sink = SinkOf<Out>(out);
    if (sink == nullptr) return FailWrongSink(node);
    Decoder params(node.params());
    const F f = DecodeFunction<F>(params);
    if (params.failed()) return FailWrongParams(node);
    Gatherer<T> gatherer(node);
    if (!node.RunInput(gatherer)) return false;
    PartitionReader<T> reader(gatherer.records);
    Emitter<Out> emitter(*sink);
    if constexpr (std::is_void_v<decltype(Call(f, node, reader, emitter))>) {
      Call(f, node, reader, emitter);
    } else {
      absl::Status status = Call(f, node, reader, emitter);
      if (!status.ok()) return node.task().Fail(std::move(status));
    }
    return emitter.Flush();
  }

 private:
  static decltype(auto) Call(const F& f, TaskNode& node, PartitionReader<T>& reader,
                             Emitter<Out>& emitter) {
    if constexpr (kTakesIndex) {
      return f(node.task().partition(), reader, emitter);
    } else {
      return f(reader, emitter);
    }
  }
};

// Root that calls f(records) once for each partition, for what it does elsewhere. Params: f.
template <class T, class F>
class ForeachPartitionOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Decoder params(node.params());
    const F f = DecodeFunction<F>(params);
    if (params.failed()) return FailWrongParams(node);
    Gatherer<T> gatherer(node);
    if (!node.RunInput(gatherer)) return false;
    PartitionReader<T> reader(gatherer.records);
    if constexpr (std::is_void_v<std::invoke_result_t<const F&, PartitionReader<T>&>>) {
      f(reader);
      return true;
    } else {
      absl::Status status = f(reader);
      return status.ok() || node.task().Fail(std::move(status));
    }
  }
};

// One vector of all records.
template <class T>
class GlomOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<std::vector<T>>* const sink = SinkOf<std::vector<T>>(out);
    if (sink == nullptr) return FailWrongSink(node);
    Gatherer<T> gatherer(node);
    return node.RunInput(gatherer) && sink->Push(&gatherer.records, 1);
  }
};

// Where records of all partitions meet in one partition, they do so under this key.
using SingleKey = char;
inline constexpr SingleKey kSingleKey = 0;

// The partition's number of records, under the single key.
template <class T>
class PartialCountOperator : public Operator {
 public:
  using Out = std::pair<SingleKey, int64_t>;

  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<Out>* const sink = SinkOf<Out>(out);
    if (sink == nullptr) return FailWrongSink(node);
    Counter counter(node);
    if (!node.RunInput(counter)) return false;
    Out result{kSingleKey, counter.records};
    return sink->Push(&result, 1);
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

// The sum of partial counts: always one record, 0 when there is no input.
class SumCountsOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override;
};

// The partition's records folded by f, under the single key; nothing for an empty partition.
// Params: f.
template <class T, class F>
class PartialReduceOperator : public Operator {
 public:
  using Out = std::pair<SingleKey, T>;
  using Policy = ReducePolicy<T, F>;

  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<Out>* const sink = SinkOf<Out>(out);
    if (sink == nullptr) return FailWrongSink(node);
    Decoder params(node.params());
    Folder folder(node, DecodeFunction<Policy>(params));
    if (params.failed()) return FailWrongParams(node);
    if (!node.RunInput(folder)) return false;
    if (!folder.group->has_value()) return true;
    node.task().Keep(folder.group);  // The record pushed may view it.
    Out result{kSingleKey, folder.policy.Emit(**folder.group)};
    return sink->Push(&result, 1);
  }

 private:
  struct Folder : ChunkSink<T> {
    Folder(TaskNode& node, Policy p) : ChunkSink<T>(node), policy(std::move(p)) {}
    bool keeps_views() const override { return false; }
    bool Consume(T* records, size_t count) override {
      size_t i = 0;
      if (!group->has_value() && count > 0) group->emplace(policy.Make(std::move(records[i++])));
      for (; i < count; ++i) policy.Merge(**group, std::move(records[i]));
      return true;
    }
    const Policy policy;
    std::shared_ptr<std::optional<typename Policy::Group>> group =
        std::make_shared<std::optional<typename Policy::Group>>();
  };
};

// Root of a map stage that deals records out to the reduce partitions in turn. Binding: output.
template <class T>
class RoundRobinWriteOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Dealer dealer(node);
    return node.RunInput(dealer) && dealer.buckets.HandOver();
  }

 private:
  struct Dealer : ChunkSink<T> {
    // Every map partition starts elsewhere, or many small ones would all fill the first.
    explicit Dealer(TaskNode& node)
        : ChunkSink<T>(node), buckets(node), next(node.task().partition() % buckets.count()) {}
    bool keeps_views() const override { return false; }
    bool Consume(T* records, size_t count) override {
      for (size_t i = 0; i < count; ++i) {
        Encode(buckets.bucket(next), records[i]);
        next = next + 1 == buckets.count() ? 0 : next + 1;
      }
      return !buckets.failed();
    }
    ShuffleBuckets buckets;
    int next;
  };
};

// Leaf that reads records without hashes. Binding: shuffle.
template <class T>
class ShuffleRecordsOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override {
    return PushEncoded<T>(node, node.ShuffleBuckets(), out);
  }
};

// All inputs, one after the other.
class AlignedUnionOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override;
};

// Computes its input, for what that leaves behind (cached partitions), and passes nothing on.
template <class T>
class DropRecordsOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Dropper dropper(node);
    return node.RunInput(dropper);
  }

 private:
  struct Dropper : ChunkSink<T> {
    using ChunkSink<T>::ChunkSink;
    bool keeps_views() const override { return false; }
    bool Consume(T* /*records*/, size_t /*count*/) override { return true; }
  };
};

// Each record with its index in the whole data set.
// Params: int64 first index of each partition, in a vector.
template <class T>
class ZipWithIndexOperator : public Operator {
 public:
  using Out = std::pair<T, int64_t>;

  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<Out>* const sink = SinkOf<Out>(out);
    if (sink == nullptr) return FailWrongSink(node);
    std::vector<int64_t> first_indices;
    const auto partition = static_cast<size_t>(node.task().partition());
    if (!DecodeFromBytes(node.params(), first_indices) || partition >= first_indices.size()) {
      return FailWrongParams(node);
    }
    Zipper zipper(node, *sink, first_indices[partition]);
    return node.RunInput(zipper);
  }

 private:
  struct Zipper : Kernel<T, Out> {
    Zipper(TaskNode& node, ChunkSink<Out>& out, int64_t first)
        : Kernel<T, Out>(node, out), buffer(out), next(first) {}
    bool Consume(T* records, size_t count) override {
      for (size_t i = 0; i < count; ++i) {
        if (!buffer.Emplace(std::move(records[i]), next++)) return false;
      }
      return buffer.Flush();
    }
    ChunkBuffer<Out> buffer;
    int64_t next;
  };
};

}  // namespace internal
}  // namespace millrace

#endif  // MILLRACE_EXECUTOR_OPERATOR_PARTITION_OPS_H_
