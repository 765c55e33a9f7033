// Timing contenders against each other.
#ifndef MILLRACE_TESTS_BENCH_REPORT_CONTEST_H_
#define MILLRACE_TESTS_BENCH_REPORT_CONTEST_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace millrace::bench {

// Runs the job once and returns the seconds that count. Checks its own result: a wrong one is an
// error, not a figure.
struct Contender {
  std::string name;
  std::function<absl::StatusOr<double>()> run;
};

// The median seconds of each contender. They run in turn, `runs` times after one round that does
// not count: figures of one machine drift within minutes, and the first touch of memory is slow.
absl::StatusOr<std::vector<double>> MedianSeconds(const std::vector<Contender>& contenders,
                                                  int runs);

double Median(std::vector<double> values);
// `fraction` of the values are at most the result. 0 < fraction <= 1.
double Quantile(std::vector<double> values, double fraction);

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_REPORT_CONTEST_H_
