#include "tests/sim/collected.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace millrace::sim {

Time Collected::last() const {
  Time last(0);
  if (!lines.empty()) last = std::max(last, lines.rbegin()->first);
  if (!errors.empty()) last = std::max(last, errors.rbegin()->first);
  return last;
}

void Collect(const DStream<std::string>& stream, const std::shared_ptr<Collected>& collected,
             const HasEnded& has_ended) {
  stream.ForeachRDD(
      [collected, has_ended](const RDD<std::string>& records, Time time) -> absl::Status {
        absl::StatusOr<Lines> lines = records.Collect();
        if (*has_ended) return lines.status();
        if (!lines.ok()) {
          collected->errors[time] = lines.status();
          return lines.status();
        }
        std::sort(lines->begin(), lines->end());
        collected->lines[time].push_back(*std::move(lines));
        return absl::OkStatus();
      });
}

std::vector<std::string> Compare(const Collected& collected, const Program& program,
                                 const Shape& shape, bool may_repeat, bool may_miss,
                                 const std::function<bool(const absl::Status&)>& may_fail) {
  std::set<Time> ended;
  for (const auto& [time, lines] : collected.lines) ended.insert(time);
  for (const auto& [time, error] : collected.errors) ended.insert(time);
  if (ended.empty()) return {"no batch has ended"};
  std::vector<std::string> wrong;
  std::vector<Time> batches;
  bool was_given_up = false;
  int unknown_left = 0;  // Batches whose windows have one that is not known.
  for (Time time = *ended.begin(); time <= *ended.rbegin(); time = time + shape.batch_interval) {
    batches.push_back(time);
    unknown_left = shape.IsKnown(time) ? std::max(0, unknown_left - 1) : kWindowBatches;
    if (program.accumulates && unknown_left > 0) was_given_up = true;
    const std::string name = absl::StrCat("batch ", time.ms(), " ms ");
    const auto error = collected.errors.find(time);
    const auto lines = collected.lines.find(time);
    const bool has_lines = lines != collected.lines.end();
    const bool has_error = error != collected.errors.end();
    if (program.fails != nullptr && !shape.IsKnown(time)) continue;
    if (program.fails != nullptr && program.fails(shape, time)) {
      if (has_lines || !has_error) wrong.push_back(name + "did not fail");
      continue;
    }
    // One that was cut short may have run again.
    const bool ran_again = has_lines && has_error && absl::IsCancelled(error->second) && may_repeat;
    if (has_error && !ran_again && !may_fail(error->second)) {
      wrong.push_back(absl::StrCat(name, "failed: ", error->second.ToString()));
    }
    if (!has_lines) {
      if (!has_error && !may_miss) wrong.push_back(name + "was left out");
      if (program.accumulates) was_given_up = true;
      continue;
    }
    if (was_given_up || unknown_left > 0) continue;
    if (lines->second.size() > 1 && !may_repeat) {
      wrong.push_back(absl::StrCat(name, "came ", lines->second.size(), " times"));
    }
    Lines expected = program.expected(shape, batches);
    std::sort(expected.begin(), expected.end());
    for (const Lines& seen : lines->second) {
      if (seen == expected) continue;
      wrong.push_back(absl::StrCat(name, "has [", absl::StrJoin(seen, " "), "] and not [",
                                   absl::StrJoin(expected, " "), "]"));
    }
  }
  return wrong;
}

}  // namespace millrace::sim
