// Values that tasks add to and the program reads.
#ifndef MILLRACE_CLIENT_RDD_ACCUMULATOR_H_
#define MILLRACE_CLIENT_RDD_ACCUMULATOR_H_

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/rdd/accumulator_book.h"
#include "client/rdd/context_state.h"
#include "common/function/shippable.h"
#include "common/plan/operator_registry.h"
#include "common/record/codec.h"
#include "common/record/schema.h"
#include "executor/task/task_node.h"

namespace millrace {
namespace internal {

// The program's side of an accumulator, shared by its handles there: registered with the driver
// until the last of them goes. Thread-safe.
class AccumulatorHome {
 public:
  static std::shared_ptr<AccumulatorHome> Make(const ContextRef& context, std::string name,
                                               std::unique_ptr<AccumulatedParts> parts);
  virtual ~AccumulatorHome() = default;

  virtual int64_t id() const = 0;
  virtual const std::string& name() const = 0;
  // Runs `f` while no update is merged.
  virtual void Locked(const std::function<void()>& f) = 0;
};

// The batch on whose behalf this thread of the program runs; -1: none.
int64_t BatchOfThread();

// An accumulator's value in the program. For one that checkpoints may have, also what jobs outside
// batches have added to it, what batches have that ended, and what those have that run: so a
// checkpoint has each batch once.
template <class A>
class TypedParts final : public AccumulatedParts {
 public:
  using Merge = A (*)(A, A);

  TypedParts(A zero, Merge merge, bool is_saved)
      : zero_(std::move(zero)), merge_(merge), is_saved_(is_saved), value_(zero_) {}

  bool Take(std::string_view update, int64_t batch_time_ms) override {
    A part{};
    if (!DecodeFromBytes(update, part)) return false;
    Add(std::move(part), batch_time_ms);
    return true;
  }
  void Add(A part, int64_t batch_time_ms) {
    if (batch_time_ms >= 0 && batch_time_ms <= ended_until_ms_) return;
    if (!is_saved_) {
      value_ = merge_(std::move(value_), std::move(part));
      return;
    }
    value_ = merge_(std::move(value_), A(part));
    MergeInto(batch_time_ms < 0 ? of_others_ : of_running_[batch_time_ms], std::move(part));
  }
  void EndBatches(int64_t until_ms) override {
    ended_until_ms_ = until_ms;
    while (!of_running_.empty() && of_running_.begin()->first <= until_ms) {
      auto ended = of_running_.extract(of_running_.begin());
      if (ended.mapped()) MergeInto(of_ended_, *std::move(ended.mapped()));
    }
  }
  std::string SaveEnded() const override {
    return of_ended_ ? EncodeToString(*of_ended_) : std::string();
  }
  bool RestoreEnded(std::string_view saved) override {
    Reset(of_others_);
    if (saved.empty()) return true;
    A value{};
    if (!DecodeFromBytes(saved, value)) return false;
    value_ = merge_(std::move(value_), A(value));
    of_ended_ = std::move(value);
    return true;
  }
  std::string schema() const override { return SchemaOf<A>(); }

  const A& Value() const { return value_; }
  void Reset(std::optional<A> of_others = std::nullopt) {
    of_running_.clear();
    of_ended_.reset();
    of_others_ = std::move(of_others);
    value_ = of_others_ ? merge_(zero_, *of_others_) : zero_;
  }

 private:
  void MergeInto(std::optional<A>& sum, A part) const {
    sum = sum ? merge_(*std::move(sum), std::move(part)) : std::move(part);
  }

  const A zero_;
  const Merge merge_;
  const bool is_saved_;
  A value_;
  std::optional<A> of_others_;
  std::optional<A> of_ended_;
  std::map<int64_t, std::optional<A>> of_running_;  // By batch.
  int64_t ended_until_ms_ = -1;
};

[[noreturn]] void ThrowNoAccumulator();

// How two values of an accumulator become one; found by its name where tasks run.
template <class A>
class AccumulatorMerger : public Registered {
 public:
  virtual A Merge(A a, A b) const = 0;
};

template <class A, class F>
class MergeBy : public AccumulatorMerger<A> {
 public:
  A Merge(A a, A b) const override { return F()(std::move(a), std::move(b)); }
};

// What all accumulators are: the program's value, and one in each task that adds to it, which is
// merged into the program's when the task has been committed. So a task that is run again, or twice
// at once, counts once.
template <class A>
class AccumulatorCore {
 public:
  AccumulatorCore() = default;
  template <class F>
  AccumulatorCore(const ContextRef& context, const std::string& name, A zero, F /*merge*/)
      : merger_(Registration<MergeBy<A, F>>::entry().name()), zero_(std::move(zero)) {
    auto parts = std::make_unique<TypedParts<A>>(
        zero_, +[](A a, A b) { return A(F()(std::move(a), std::move(b))); }, !name.empty());
    parts_ = parts.get();
    home_ = AccumulatorHome::Make(context, name, std::move(parts));
    id_ = home_->id();
  }

  void Add(A part) const {
    if (TaskContext* const task = TaskContext::Current()) {
      A& sum = ValueOfTask(*task);
      sum = Merger().Merge(std::move(sum), std::move(part));
    } else {
      Locked([&] { parts_->Add(std::move(part), BatchOfThread()); });
    }
  }
  A Value() const {
    A value = zero_;
    Locked([&] { value = parts_->Value(); });
    return value;
  }
  void Reset() const {
    Locked([&] { parts_->Reset(); });
  }
  std::string name() const { return home_ == nullptr ? std::string() : home_->name(); }

  template <class Archive>
  void serialize(Archive& archive) {
    archive(id_, merger_, zero_);
  }

 private:
  // Does nothing for an empty handle of the program; a task's handle cannot be read.
  template <class F>
  void Locked(F f) const {
    if (home_ != nullptr) return home_->Locked(f);
    if (TaskContext::Current() != nullptr) ThrowNoAccumulator();
  }
  const AccumulatorMerger<A>& Merger() const {
    if (found_merger_ == nullptr) {
      const RegistryEntry* const entry = FindRegistered(merger_);
      if (entry == nullptr) ThrowNoAccumulator();
      found_merger_ = &static_cast<const AccumulatorMerger<A>&>(entry->object());
    }
    return *found_merger_;
  }
  A& ValueOfTask(TaskContext& task) const {
    TaskContext::AccumulatorSlot& slot = task.accumulator(id_);
    if (slot.value == nullptr) {
      auto value = std::make_shared<A>(zero_);
      slot.encode = [value] { return EncodeToString(*value); };
      slot.value = std::move(value);
    }
    return *static_cast<A*>(slot.value.get());
  }

  int64_t id_ = 0;
  std::string merger_;
  A zero_{};
  mutable const AccumulatorMerger<A>* found_merger_ = nullptr;
  // In the program alone.
  std::shared_ptr<AccumulatorHome> home_;
  TypedParts<A>* parts_ = nullptr;  // Of the home; guarded by home_->Locked.
};

template <class N>
struct Totals {
  N sum = 0;
  int64_t count = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(sum, count);
  }
};
struct AddTotals {
  template <class N>
  Totals<N> operator()(Totals<N> a, Totals<N> b) const {
    return {a.sum + b.sum, a.count + b.count};
  }
};
struct Concatenate {
  template <class T>
  std::vector<T> operator()(std::vector<T> a, std::vector<T> b) const {
    if (a.empty()) return b;
    a.insert(a.end(), std::make_move_iterator(b.begin()), std::make_move_iterator(b.end()));
    return a;
  }
};

}  // namespace internal

// Made by Context::LongAccumulator and Context::DoubleAccumulator. A handle: copies stand for one
// accumulator. Functions of tasks get it bound and may Add:
//   auto errors = context.LongAccumulator("errors");
//   lines.Foreach(millrace::BindFront(
//       [](const millrace::LongAccumulator& errors, std::string_view line) {
//         if (millrace::Contains(line, "ERROR")) errors.Add(1);
//       }, errors));
// The program reads: what committed tasks have added.
template <class N>
class NumberAccumulator {
 public:
  NumberAccumulator() = default;
  NumberAccumulator(const internal::ContextRef& context, const std::string& name)
      : core_(context, name, {}, internal::AddTotals()) {}

  // In tasks, and in the program.
  void Add(N number) const { core_.Add({number, 1}); }
  N Value() const { return core_.Value().sum; }
  N Sum() const { return core_.Value().sum; }
  // How often something was added.
  int64_t Count() const { return core_.Value().count; }
  // NaN while nothing was added.
  double Avg() const {
    const internal::Totals<N> totals = core_.Value();
    return static_cast<double>(totals.sum) / static_cast<double>(totals.count);
  }
  bool IsZero() const { return core_.Value().count == 0; }
  // Back to nothing added.
  void Reset() const { core_.Reset(); }
  std::string name() const { return core_.name(); }

  template <class Archive>
  void serialize(Archive& archive) {
    archive(core_);
  }

 private:
  internal::AccumulatorCore<internal::Totals<N>> core_;
};
// Of int64_t, and of double.
using LongAccumulator = NumberAccumulator<int64_t>;
using DoubleAccumulator = NumberAccumulator<double>;

// Collects what tasks add, in no order.
template <class T>
class CollectionAccumulator {
 public:
  CollectionAccumulator() = default;
  CollectionAccumulator(const internal::ContextRef& context, const std::string& name)
      : core_(context, name, {}, internal::Concatenate()) {}

  void Add(T value) const {
    std::vector<Owned<T>> one;
    one.push_back(internal::ToOwned<T>(std::move(value)));
    core_.Add(std::move(one));
  }
  std::vector<Owned<T>> Value() const { return core_.Value(); }
  bool IsZero() const { return core_.Value().empty(); }
  void Reset() const { core_.Reset(); }
  std::string name() const { return core_.name(); }

  template <class Archive>
  void serialize(Archive& archive) {
    archive(core_);
  }

 private:
  internal::AccumulatorCore<std::vector<Owned<T>>> core_;
};

// Brings together what tasks add by a function of the user's, which has neither captures nor data:
// (T, T) -> T, associative and commutative. Each task starts from `zero`, and so does the program.
template <class T>
class Accumulator {
 public:
  Accumulator() = default;
  template <class F>
  Accumulator(const internal::ContextRef& context, const std::string& name, T zero, F merge)
      : core_(context, name, std::move(zero), merge) {
    static_assert(std::is_empty_v<F> && std::is_default_constructible_v<F>,
                  "Accumulator: the merge function must be without captures and data: it may use "
                  "nothing but its two arguments");
    static_assert(std::is_invocable_r_v<T, const F&, T, T>,
                  "Accumulator: the merge function must take (T, T) and return T");
  }

  void Add(T value) const { core_.Add(std::move(value)); }
  T Value() const { return core_.Value(); }
  void Reset() const { core_.Reset(); }
  std::string name() const { return core_.name(); }

  template <class Archive>
  void serialize(Archive& archive) {
    archive(core_);
  }

 private:
  internal::AccumulatorCore<T> core_;
};

}  // namespace millrace

#endif  // MILLRACE_CLIENT_RDD_ACCUMULATOR_H_
