#include <optional>
#include <stdexcept>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/golden/functions.h"
#include "tests/golden/operations.h"

namespace millrace::golden {
namespace {

using MaybeInt = std::optional<Int>;

// The key with the sum of its values so far.
struct RunningSum {
  TextInt operator()(const Text& key, MaybeInt value, State<Int>& state) const {
    state.Update(state.GetOption().value_or(0) + value.value_or(0));
    return {key, state.Get()};
  }
};

// The same, but an exception at a negative value.
struct RunningSumUnlessNegative {
  TextInt operator()(const Text& key, MaybeInt value, State<Int>& state) const {
    if (*value < 0) throw std::runtime_error("a negative value");
    return RunningSum()(key, value, state);
  }
};

// What the function is given, in words.
struct Describe {
  Text operator()(Time time, const Text& key, MaybeInt value, State<Int>& state) const {
    Text text = absl::StrCat(time.ms(), ":", key);
    absl::StrAppend(&text, ":value=", value ? absl::StrCat(*value) : "none");
    absl::StrAppend(&text, ":state=", state.Exists() ? absl::StrCat(state.Get()) : "none");
    if (state.IsTimingOut()) {
      text += ":timing_out";
    } else {
      state.Update(value.value_or(0));
    }
    return text;
  }
};

// Keeps the first value; nothing comes out but for keys that are new.
struct NewKeys {
  std::optional<Text> operator()(const Text& key, MaybeInt value, State<Int>& state) const {
    if (state.Exists()) return std::nullopt;
    state.Update(*value);
    return key;
  }
};

// Keeps the last value; 0 removes the key. The result says whether there is a state afterwards.
struct RemoveAtZero {
  TextText operator()(const Text& key, MaybeInt value, State<Int>& state) const {
    if (*value == 0) {
      state.Remove();
    } else {
      state.Update(*value);
    }
    return {key, state.Exists() ? "exists" : "removed"};
  }
};

// Changes nothing once there is a state, and lets it time out in silence.
struct TouchOnly {
  std::optional<TextInt> operator()(const Text& key, MaybeInt value, State<Int>& state) const {
    if (state.IsTimingOut()) return TextInt(key, -state.Get());
    if (!state.Exists()) state.Update(*value);
    return std::nullopt;
  }
};

// Puts nothing out.
struct KeepLast {
  void operator()(const Text& /*key*/, MaybeInt value, State<Int>& state) const {
    state.Update(*value);
  }
};

struct GetWithoutState {
  Int operator()(const Text& /*key*/, MaybeInt /*value*/, State<Int>& state) const {
    return state.Get();
  }
};

// The value chooses what goes wrong: 1 updates, 2 removes, after a Remove.
struct AfterRemove {
  Int operator()(const Text& /*key*/, MaybeInt value, State<Int>& state) const {
    state.Update(*value);
    state.Remove();
    if (*value == 1) state.Update(5);
    if (*value == 2) state.Remove();
    return *value;
  }
};

struct UpdateWhileTimingOut {
  Int operator()(const Text& /*key*/, MaybeInt value, State<Int>& state) const {
    state.Update(value.value_or(0));
    return state.Get();
  }
};

// [n] [timeout DURATION] [initial DATA_SET]
template <class F>
void Add(Operations& operations, const std::string& name) {
  operations.Add<TextInt>(name, [](const DStream<TextInt>& in, Arguments& args) {
    auto spec = StateSpec(F()).NumPartitions(args.NumberOr0());
    if (args.Take("timeout")) spec = spec.Timeout(args.NextDuration());
    if (!args.Take("initial")) return in.MapWithState(spec);
    return in.MapWithState(spec.InitialState(args.NextDataSetOf<TextInt>()));
  });
}

}  // namespace

void AddMapWithStateOperations(Operations& operations) {
  Add<RunningSum>(operations, "MapWithState running_sum");
  Add<RunningSumUnlessNegative>(operations, "MapWithState running_sum_unless_negative");
  Add<Describe>(operations, "MapWithState describe");
  Add<NewKeys>(operations, "MapWithState new_keys");
  Add<RemoveAtZero>(operations, "MapWithState remove_at_zero");
  Add<TouchOnly>(operations, "MapWithState touch_only");
  Add<KeepLast>(operations, "MapWithState keep_last");
  Add<GetWithoutState>(operations, "MapWithState get_without_state");
  Add<AfterRemove>(operations, "MapWithState after_remove");
  Add<UpdateWhileTimingOut>(operations, "MapWithState update_while_timing_out");
}

}  // namespace millrace::golden
