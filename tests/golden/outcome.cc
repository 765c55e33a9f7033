#include "tests/golden/outcome.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace millrace::golden {
namespace {

class Comparison {
 public:
  explicit Comparison(const Case& golden) : golden_(golden) {}

  std::string Compare(const Outcome& outcome) {
    CompareFailure("Start()", golden_.start_fails, outcome.start, golden_.line);
    if (golden_.start_fails || !outcome.start.ok()) return differences_;
    CompareFailure("the batches", golden_.batches_fail, outcome.batches, golden_.line);
    for (size_t i = 0; i < golden_.expectations.size(); ++i) {
      CompareStream(golden_.expectations[i], outcome.seen[i]);
    }
    for (size_t i = 0; i < golden_.slices.size(); ++i) {
      CompareSlice(golden_.slices[i], outcome.slices[i]);
    }
    CompareText(golden_.line, "printed", golden_.printed.value_or(""), outcome.printed);
    for (const auto& [path, content] : golden_.files) {
      const auto it = outcome.files.find(path);
      if (it == outcome.files.end()) {
        Add(golden_.line, absl::StrCat("there is no file ", path));
      } else {
        CompareText(golden_.line, path, content, it->second);
      }
    }
    return differences_;
  }

 private:
  void Add(int line, const std::string& difference) {
    absl::StrAppend(&differences_, golden_.file, ":", line, ": ", difference, "\n");
  }

  void CompareFailure(const std::string& what, const std::optional<ExpectedFailure>& expected,
                      const absl::Status& status, int line_of_success) {
    const int line = expected ? expected->line : line_of_success;
    const auto code = expected ? expected->code : absl::StatusCode::kOk;
    if (status.code() != code) {
      Add(line, absl::StrCat(what, " must give ", absl::StatusCodeToString(code), ", and gave ",
                             status.ToString()));
      return;
    }
    if (!expected) return;
    for (const std::string& text : expected->texts) {
      if (!absl::StrContains(status.message(), text)) {
        Add(line, absl::StrCat(what, " must say \"", text, "\", and said: ", status.ToString()));
      }
    }
  }

  void CompareStream(const Expectation& expected, const SeenStream& seen) {
    const int line = expected.chain.line;
    if (!std::is_sorted(seen.times.begin(), seen.times.end())) {
      Add(line, "the batches came in the wrong order");
    }
    std::map<Time, std::vector<Value>> batches;
    for (size_t i = 0; i < seen.times.size(); ++i) {
      if (!batches.emplace(seen.times[i], seen.batches[i]).second) {
        Add(line, absl::StrCat("two data sets at ", ToString(seen.times[i])));
      }
    }
    std::set<Time> times(seen.times.begin(), seen.times.end());
    for (const auto& [time, records] : expected.batches) times.insert(time);
    for (const Time time : times) {
      const std::string wanted = Describe(expected, expected.batches, time);
      const std::string got = Describe(expected, batches, time);
      if (wanted != got) {
        Add(line,
            absl::StrCat("at ", ToString(time), "\n  expected ", wanted, "\n  got      ", got));
      }
    }
    ComparePartitions(expected, seen);
  }

  static std::string Describe(const Expectation& expected,
                              const std::map<Time, std::vector<Value>>& batches, Time time) {
    const auto it = batches.find(time);
    return it == batches.end() ? "no data set" : Describe(it->second, expected.any_order);
  }
  static std::string Describe(const std::vector<Value>& data_set, bool any_order) {
    Value records = Value::List(data_set);
    if (any_order) records = SortLists(std::move(records));
    return absl::StrCat("{ ", ToString(records.elements), " }");
  }
  static std::string Describe(const std::vector<std::vector<Value>>& data_sets, bool any_order) {
    std::string text;
    for (const std::vector<Value>& data_set : data_sets) {
      absl::StrAppend(&text, text.empty() ? "" : " ", Describe(data_set, any_order));
    }
    return text;
  }

  void CompareSlice(const ExpectedSlice& expected, const SeenSlice& seen) {
    if (expected.fails || !seen.ok()) {
      CompareFailure("the slice", expected.fails, seen.status(), expected.line);
      return;
    }
    const std::string wanted = Describe(expected.data_sets, expected.any_order);
    const std::string got = Describe(*seen, expected.any_order);
    if (wanted == got) return;
    Add(expected.line, absl::StrCat("the slice\n  expected ", wanted, "\n  got      ", got));
  }

  void ComparePartitions(const Expectation& expected, const SeenStream& seen) {
    if (!expected.partitions) return;
    std::vector<int> counts = *expected.partitions;
    if (counts.size() == 1) counts.resize(seen.partition_counts.size(), counts[0]);
    if (counts != seen.partition_counts) {
      Add(expected.chain.line,
          absl::StrCat("the numbers of partitions\n  expected ", absl::StrJoin(counts, " "),
                       "\n  got      ", absl::StrJoin(seen.partition_counts, " ")));
    }
  }

  void CompareText(int line, const std::string& what, const std::string& expected,
                   const std::string& got) {
    if (expected == got) return;
    Add(line, absl::StrCat(what, "\n-- expected --\n", expected, "-- got --\n", got, "--"));
  }

  const Case& golden_;
  std::string differences_;
};

}  // namespace

std::string Differences(const Case& golden, const Outcome& outcome) {
  return Comparison(golden).Compare(outcome);
}

}  // namespace millrace::golden
