#include "tests/bench/report/contest.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace millrace::bench {

absl::StatusOr<std::vector<double>> MedianSeconds(const std::vector<Contender>& contenders,
                                                  int runs) {
  std::vector<std::vector<double>> seconds(contenders.size());
  for (int run = -1; run < runs; ++run) {
    for (size_t i = 0; i < contenders.size(); ++i) {
      const absl::StatusOr<double> taken = contenders[i].run();
      if (!taken.ok()) {
        return absl::Status(taken.status().code(),
                            absl::StrCat(contenders[i].name, ": ", taken.status().message()));
      }
      if (run >= 0) seconds[i].push_back(*taken);
    }
  }
  std::vector<double> medians;
  medians.reserve(seconds.size());
  for (std::vector<double>& of_one : seconds) medians.push_back(Median(std::move(of_one)));
  return medians;
}

double Median(std::vector<double> values) { return Quantile(std::move(values), 0.5); }

double Quantile(std::vector<double> values, double fraction) {
  if (values.empty()) return 0;
  const auto rank = static_cast<size_t>(std::ceil(fraction * static_cast<double>(values.size())));
  const size_t index = std::min(values.size(), std::max<size_t>(rank, 1)) - 1;
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index),
                   values.end());
  return values[index];
}

}  // namespace millrace::bench
