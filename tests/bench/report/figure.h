// One row of the table that ./scripts/bench prints.
#ifndef MILLRACE_TESTS_BENCH_REPORT_FIGURE_H_
#define MILLRACE_TESTS_BENCH_REPORT_FIGURE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace millrace::bench {

struct BenchOptions {
  int runs = 5;
  int64_t text_bytes = 0;
  int latency_seconds = 0;
};

// What was measured: a ratio or a quantity, and how it came about.
struct Figure {
  double value = 0;
  std::string detail;  // "plain 0.61 s, Millrace 0.41 s"
};

struct Bar {
  enum class Kind { kAtLeast, kAtMost };
  Kind kind = Kind::kAtLeast;
  double bound = 0;
  std::string unit;  // "x", "us", "MiB"

  bool Met(double value) const { return kind == Kind::kAtLeast ? value >= bound : value <= bound; }
};

// A measurement fills one row or several: all figures of one run stand together.
struct Row {
  std::string what;
  Bar bar;
};
struct Measurement {
  std::string name;  // What --only selects by.
  std::vector<Row> rows;
  std::function<absl::StatusOr<std::vector<Figure>>(const BenchOptions&)> measure;
};

// Runs the measurements and prints the table. False: a bar was missed. An error: a measurement
// failed, which does not keep the others from being made.
absl::StatusOr<bool> PrintTable(const std::vector<Measurement>& measurements,
                                const BenchOptions& options);

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_REPORT_FIGURE_H_
