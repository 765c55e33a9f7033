// Random samples of a data set.
#ifndef MILLRACE_EXECUTOR_OPERATOR_SAMPLE_H_
#define MILLRACE_EXECUTOR_OPERATOR_SAMPLE_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "executor/operator/operator_base.h"
#include "executor/operator/random.h"

namespace millrace::internal {

struct SampleParams {
  bool with_replacement = false;
  double fraction = 0;  // The expected number of times that a record is taken.
  uint64_t seed = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(with_replacement, fraction, seed);
  }
};

// How often each record of one partition is taken, in order.
class SampleCounts {
 public:
  SampleCounts(const SampleParams& params, int partition);
  // For the next record.
  uint32_t Next();

 private:
  uint32_t Poisson();

  const SampleParams params_;
  const double exp_minus_fraction_;
  Random random_;
};

// Params: SampleParams.
template <class T>
class SampleOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* out) const override {
    ChunkSink<T>* const sink = SinkOf<T>(out);
    if (sink == nullptr) return FailWrongSink(node);
    SampleParams params;
    if (!DecodeFromBytes(node.params(), params)) return FailWrongParams(node);
    Sampler sampler(node, *sink, params);
    return node.RunInput(sampler);
  }

 private:
  struct Sampler : Kernel<T, T> {
    Sampler(TaskNode& node, ChunkSink<T>& out, const SampleParams& params)
        : Kernel<T, T>(node, out), counts(params, node.task().partition()), buffer(out) {}
    bool Consume(T* records, size_t count) override {
      for (size_t i = 0; i < count; ++i) {
        uint32_t times = counts.Next();
        for (; times > 1; --times) {
          if (!buffer.Emplace(std::as_const(records[i]))) return false;
        }
        if (times == 1 && !buffer.Emplace(std::move(records[i]))) return false;
      }
      return buffer.Flush();
    }
    SampleCounts counts;
    ChunkBuffer<T> buffer;
  };
};

// The number of a partition's records, and some of their keys, each as likely as any other.
template <class K>
struct KeySample {
  int64_t record_count = 0;
  std::vector<Owned<K>> keys;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(record_count, keys);
  }
};

// Root that returns a KeySample of no more than `size` keys. Params: uint64 size, uint64 seed.
template <class K, class V>
class SampleKeysOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Decoder params(node.params());
    const auto size = params.GetFixed<uint64_t>();
    const auto seed = params.GetFixed<uint64_t>();
    if (params.failed() || size == 0) return FailWrongParams(node);
    Reservoir reservoir(node, size, seed);
    if (!node.RunInput(reservoir)) return false;
    node.task().SetResult(EncodeToString(reservoir.sample));
    return true;
  }

 private:
  struct Reservoir : ChunkSink<std::pair<K, V>> {
    Reservoir(TaskNode& node, uint64_t size, uint64_t seed)
        : ChunkSink<std::pair<K, V>>(node),
          size(size),
          random(seed, static_cast<uint64_t>(node.task().partition())) {}
    bool keeps_views() const override { return false; }
    bool Consume(std::pair<K, V>* records, size_t count) override {
      for (size_t i = 0; i < count; ++i) Offer(records[i].first);
      return true;
    }
    void Offer(const K& key) {
      ++sample.record_count;
      if (sample.keys.size() < size) {
        sample.keys.push_back(ToOwned<K>(key));
        return;
      }
      const uint64_t place = random.Below(static_cast<uint64_t>(sample.record_count));
      if (place < size) sample.keys[place] = ToOwned<K>(key);
    }
    const uint64_t size;
    Random random;
    KeySample<K> sample;
  };
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_SAMPLE_H_
