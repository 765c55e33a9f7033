// Records travel between workers, keys are compared.
#include <millrace/millrace.h>
#include <millrace/testing.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Of a type each, for the compiler says once what is wrong with one.
template <int n>
struct Plain {
  int64_t id = 0;
};
template <int n>
struct Travels {
  int64_t id = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(id);
  }
};
struct EqualTravels {
  int64_t id = 0;
  friend bool operator==(const EqualTravels&, const EqualTravels&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(id);
  }
};

using Numbers = millrace::DStream<int64_t>;

void Records(const Numbers& numbers) {
  // expect-error: cannot be a record: give it `template <class Archive> void serialize
  WRONG(numbers.Map([](int64_t id) { return Plain<1>{id}; }));
  // expect-error: cannot be a record
  WRONG(numbers.Map(
      [](int64_t id) { return std::pair(id, std::vector<Plain<2>>(1, Plain<2>{id})); }));
  RIGHT(numbers.Map([](int64_t id) { return Travels<1>{id}; }));

  // expect-error: a pointer cannot be a record.*std::string
  WRONG(numbers.Map([](int64_t) { return "text"; }));
  // expect-error: a pointer cannot be a record
  WRONG(numbers.Map([](int64_t id) { return std::make_unique<int64_t>(id); }));
  RIGHT(numbers.Map([](int64_t) { return std::string("text"); }));

  // expect-error: cannot be a record: give it `template <class Archive> void serialize
  WRONG(numbers.FlatMap([](int64_t id) { return std::vector{Plain<5>{id}}; }));
  RIGHT(numbers.FlatMap([](int64_t id) { return std::vector{Travels<1>{id}}; }));

  // expect-error: Map: the function returns nothing.*Foreach
  WRONG(numbers.Map([](int64_t) {}));
  RIGHT(numbers.Map([](int64_t id) { return id; }));
}

template <class Stream>
auto Joined(const Stream& stream) {
  return stream.Join(stream);
}

void Keys(const Numbers& numbers) {
  // expect-error: a key needs operator==.*friend bool operator==
  WRONG(numbers.Map([](int64_t id) { return std::pair(Travels<2>{id}, id); })
            .ReduceByKey([](int64_t a, int64_t b) { return a + b; }));
  // expect-error: a key needs operator==
  WRONG(numbers.Map([](int64_t id) { return std::pair(Travels<3>{id}, id); }).GroupByKey());
  // expect-error: a key needs operator==
  WRONG(Joined(numbers.Map([](int64_t id) { return std::pair(Travels<4>{id}, id); })));
  // expect-error: a key needs operator==
  WRONG(numbers.Map([](int64_t id) { return Travels<5>{id}; }).CountByValue());
  // expect-error: a key needs operator==
  WRONG(numbers.Map([](int64_t id) { return std::pair(std::vector(1, Travels<6>{id}), id); })
            .GroupByKey());
  const auto pairs = numbers.Map([](int64_t id) { return std::pair(EqualTravels{id}, id); });
  RIGHT(pairs.ReduceByKey([](int64_t a, int64_t b) { return a + b; }));
  RIGHT(pairs.GroupByKey());
  RIGHT(pairs.Join(pairs));
  RIGHT(pairs.CountByValue());

  const auto keyed_by_travels =
      numbers.Map([](int64_t id) { return std::pair(Travels<7>{id}, id); });
  // expect-error: a key needs operator==
  WRONG(keyed_by_travels.UpdateStateByKey<int64_t>(
      [](const Travels<7>&, std::span<const int64_t>, std::optional<int64_t> state) {
        return state;
      }));
  RIGHT(pairs.UpdateStateByKey<int64_t>([](const EqualTravels&, std::span<const int64_t>,
                                           std::optional<int64_t> state) { return state; }));
}

void State(const millrace::DStream<std::pair<std::string_view, int64_t>>& pairs) {
  // expect-error: state outlives the batch.*std::string
  WRONG(pairs.UpdateStateByKey<std::string_view>(
      [](std::string_view, std::span<const int64_t>, std::optional<std::string_view> state) {
        return state;
      }));
  RIGHT(
      pairs.UpdateStateByKey<std::string>([](std::string_view, std::span<const int64_t>,
                                             std::optional<std::string> state) { return state; }));
  // expect-error: state outlives the batch.*std::string
  WRONG(pairs.MapWithState(
      millrace::StateSpec([](std::string_view key, std::optional<int64_t>,
                             millrace::State<std::pair<std::string_view, int64_t>>& state) {
        state.Update(std::pair(key, int64_t{1}));
      })));
  // expect-error: cannot be a record: give it `template <class Archive> void serialize
  WRONG(pairs.MapWithState(millrace::StateSpec(
      [](std::string_view, std::optional<int64_t> id, millrace::State<Plain<14>>& state) {
        state.Update(Plain<14>{*id});
      })));
  RIGHT(pairs.MapWithState(millrace::StateSpec(
      [](std::string_view key, std::optional<int64_t>, millrace::State<std::string>& state) {
        state.Update(std::string(key));
      })));
}

void DataSets(const millrace::Context& context, const std::vector<Plain<0>>& plain,
              const std::vector<Travels<1>>& travelling) {
  // expect-error: cannot be a record: give it `template <class Archive> void serialize
  WRONG(context.Parallelize(plain));
  RIGHT(context.Parallelize(travelling));
  // expect-error: cannot be a record: give it `template <class Archive> void serialize
  WRONG(context.Broadcast(Plain<16>()));
  RIGHT(context.Broadcast(Travels<1>()));
}

void Tests(millrace::testing::StreamHarness& harness) {
  // expect-error: cannot be a record: give it `template <class Archive> void serialize
  WRONG(harness.Input<Plain<17>>({{Plain<17>()}}));
  RIGHT(harness.Input<Travels<1>>({{Travels<1>()}}));
}
