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

std::shared_ptr<Collected> Collect(const DStream<std::string>& stream) {
  auto collected = std::make_shared<Collected>();
  stream.ForeachRDD([collected](const RDD<std::string>& records, Time time) -> absl::Status {
    absl::StatusOr<Lines> lines = records.Collect();
    if (!lines.ok()) {
      collected->errors[time] = lines.status();
      return lines.status();
    }
    std::sort(lines->begin(), lines->end());
    collected->lines[time].push_back(*std::move(lines));
    return absl::OkStatus();
  });
  return collected;
}

std::vector<std::string> Compare(const Collected& collected, const Program& program,
                                 const Shape& shape,
                                 const std::function<bool(const absl::Status&)>& may_fail) {
  std::set<Time> ended;
  for (const auto& [time, lines] : collected.lines) ended.insert(time);
  for (const auto& [time, error] : collected.errors) ended.insert(time);
  if (ended.empty()) return {"no batch has ended"};
  std::vector<std::string> wrong;
  std::vector<Time> batches;
  for (Time time = *ended.begin(); time <= *ended.rbegin(); time = time + shape.batch_interval) {
    batches.push_back(time);
    const std::string name = absl::StrCat("batch ", time.ms(), " ms ");
    const auto error = collected.errors.find(time);
    if (error != collected.errors.end() && !may_fail(error->second)) {
      wrong.push_back(absl::StrCat(name, "failed: ", error->second.ToString()));
    }
    const auto lines = collected.lines.find(time);
    if (lines == collected.lines.end()) {
      if (error == collected.errors.end()) wrong.push_back(name + "was left out");
      continue;
    }
    if (lines->second.size() > 1) {
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
