// The smallest records of a data set.
#ifndef MILLRACE_EXECUTOR_OPERATOR_TAKE_ORDERED_H_
#define MILLRACE_EXECUTOR_OPERATOR_TAKE_ORDERED_H_

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "executor/operator/operator_base.h"

namespace millrace::internal {

// `less`, the other way round.
template <class Less>
struct Reversed {
  Less less;

  template <class A, class B>
  requires std::is_invocable_v<const Less&, const B&, const A&>
  bool operator()(const A& a, const B& b) const { return less(b, a); }
  template <class Archive>
  void serialize(Archive& archive) {
    if constexpr (!std::is_empty_v<Less>) archive(less);
  }
};

// Keeps the `n` first of the records that it is offered, by `less`: a heap, the last of them on
// top.
template <class T, class Less>
class FirstRecords {
 public:
  FirstRecords(uint64_t n, Less less) : n_(n), less_(std::move(less)) {}

  template <class Record>
  void Offer(Record&& record) {
    if (n_ == 0) return;
    if (heap_.size() == n_) {
      if (!Before(record, heap_.front())) return;
      std::pop_heap(heap_.begin(), heap_.end(), HeapOrder());
      heap_.pop_back();
    }
    heap_.push_back(ToOwned<std::remove_cvref_t<Record>>(std::forward<Record>(record)));
    std::push_heap(heap_.begin(), heap_.end(), HeapOrder());
  }
  std::vector<Owned<T>> TakeSorted() {
    std::sort_heap(heap_.begin(), heap_.end(), HeapOrder());
    return std::move(heap_);
  }

 private:
  template <class A, class B>
  bool Before(const A& a, const B& b) const {
    return static_cast<bool>(CallWith2(less_, a, b));
  }
  auto HeapOrder() const {
    return [this](const Owned<T>& a, const Owned<T>& b) { return Before(a, b); };
  }

  const uint64_t n_;
  const Less less_;
  std::vector<Owned<T>> heap_;
};

// Root that returns the partition's `n` first records by `less`, sorted. Params: less, uint64 n.
template <class T, class Less>
class TakeOrderedOperator : public Operator {
 public:
  bool Compute(TaskNode& node, AnySink* /*out*/) const override {
    Decoder params(node.params());
    Less less = DecodeFunction<Less>(params);
    const auto n = params.GetFixed<uint64_t>();
    if (params.failed()) return FailWrongParams(node);
    Taker taker(node, FirstRecords<T, Less>(n, std::move(less)));
    if (!node.RunInput(taker)) return false;
    Encoder encoder;
    for (const Owned<T>& record : taker.first.TakeSorted()) Encode(encoder, record);
    node.task().SetResult(encoder.ToString());
    return true;
  }

 private:
  struct Taker : ChunkSink<T> {
    Taker(TaskNode& node, FirstRecords<T, Less> first_records)
        : ChunkSink<T>(node), first(std::move(first_records)) {}
    bool keeps_views() const override { return false; }
    bool Consume(T* records, size_t count) override {
      for (size_t i = 0; i < count; ++i) first.Offer(std::move(records[i]));
      return true;
    }
    FirstRecords<T, Less> first;
  };
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_OPERATOR_TAKE_ORDERED_H_
