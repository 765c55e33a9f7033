#include "tests/golden/operations.h"

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/golden/case_file.h"

namespace millrace::golden {
namespace {

absl::Status Wrong(const Step& step, const AnyStream& in, const std::string& what) {
  return absl::InvalidArgumentError(
      absl::StrCat(absl::StrJoin(step, " "), " of a stream of ", in.type(), ": ", what));
}

// Calls the entry with the most words of `step` in its name.
template <class Table, class Call>
absl::Status CallEntry(const Table& table, const AnyStream& in, const Step& step, CaseScope& scope,
                       const Call& call) {
  for (size_t words = step.size(); words > 0; --words) {
    const auto it = table.find(
        {absl::StrJoin(step.begin(), step.begin() + static_cast<long>(words), " "), in.type()});
    if (it == table.end()) continue;
    Arguments args(step, words, scope);
    try {
      call(it->second, args);
    } catch (const WrongCase& wrong) {
      return Wrong(step, in, wrong.what());
    }
    return args.AtEnd() ? absl::OkStatus() : Wrong(step, in, "too many arguments");
  }
  return Wrong(step, in, "there is no such operation");
}

}  // namespace

bool Arguments::Take(const std::string& word) {
  if (AtEnd() || step_[next_] != word) return false;
  ++next_;
  return true;
}

std::string Arguments::NextWord() {
  if (AtEnd()) throw WrongCase("an argument is missing");
  return step_[next_++];
}

int Arguments::NextNumber() {
  int number;
  if (!absl::SimpleAtoi(NextWord(), &number)) throw WrongCase("a number is wanted");
  return number;
}

int Arguments::NumberOr0() {
  int number;
  if (AtEnd() || !absl::SimpleAtoi(step_[next_], &number)) return 0;
  ++next_;
  return number;
}

std::chrono::milliseconds Arguments::NextDuration() {
  const auto duration = ParseDuration(NextWord());
  if (!duration.ok()) throw WrongCase(std::string(duration.status().message()));
  return *duration;
}

AnyStream Arguments::NextStream() {
  const std::string name = NextWord();
  const auto it = scope_.streams.find(name);
  if (it == scope_.streams.end()) throw WrongCase(name + " is no stream");
  return it->second;
}

absl::StatusOr<AnyStream> Operations::Apply(const AnyStream& in, const Step& step,
                                            CaseScope& scope) const {
  if (step[0] == "StateSnapshots") {
    if (!in.snapshots() || step.size() != 1) return Wrong(step, in, "it is of MapWithState alone");
    return in.snapshots()();
  }
  std::optional<AnyStream> out;
  const absl::Status status = CallEntry(
      table_, in, step, scope, [&](const auto& entry, Arguments& args) { out = entry(in, args); });
  if (!status.ok()) return status;
  return *std::move(out);
}

absl::Status Operations::ApplyOutput(const AnyStream& in, const Step& step,
                                     CaseScope& scope) const {
  return CallEntry(outputs_, in, step, scope,
                   [&](const auto& entry, Arguments& args) { entry(in, args); });
}

const Operations& AllOperations() {
  static const Operations& operations = *[] {
    auto* all = new Operations;
    AddRecordOperations(*all);
    AddBatchOperations(*all);
    AddTransformOperations(*all);
    AddKeyOperations(*all);
    AddJoinOperations(*all);
    AddWindowOperations(*all);
    AddUpdateStateOperations(*all);
    AddMapWithStateOperations(*all);
    AddItemOperations(*all);
    AddDoubleOperations(*all);
    AddOutputOperations(*all);
    return all;
  }();
  return operations;
}

}  // namespace millrace::golden
