#include "tests/bench/report/figure.h"

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace millrace::bench {
namespace {

std::string Quantity(double value, const std::string& unit) {
  return absl::StrFormat("%.*f %s", value < 10 ? 2 : 1, value, unit);
}

void PrintRow(const std::string& what, const std::string& measured, const std::string& bar,
              const std::string& verdict, const std::string& detail) {
  absl::PrintF("| %-62s | %10s | %12s | %-6s | %s |\n", what, measured, bar, verdict, detail);
  std::fflush(stdout);
}

bool PrintFigure(const Row& row, const Figure& figure) {
  const bool met = row.bar.Met(figure.value);
  const char* const sign = row.bar.kind == Bar::Kind::kAtLeast ? ">= " : "<= ";
  PrintRow(row.what, Quantity(figure.value, row.bar.unit),
           absl::StrCat(sign, Quantity(row.bar.bound, row.bar.unit)), met ? "met" : "MISSED",
           figure.detail);
  return met;
}

}  // namespace

absl::StatusOr<bool> PrintTable(const std::vector<Measurement>& measurements,
                                const BenchOptions& options) {
  PrintRow("what", "measured", "bar", "", "medians");
  PrintRow("---", "---:", "---:", "---", "---");
  bool all_met = true;
  absl::Status first_error;
  for (const Measurement& measurement : measurements) {
    const absl::StatusOr<std::vector<Figure>> figures = measurement.measure(options);
    if (!figures.ok()) {
      std::fprintf(stderr, "%s: %s\n", measurement.name.c_str(),
                   figures.status().ToString().c_str());
      first_error.Update(figures.status());
      continue;
    }
    for (size_t i = 0; i < measurement.rows.size(); ++i) {
      all_met = PrintFigure(measurement.rows[i], figures->at(i)) && all_met;
    }
  }
  if (!first_error.ok()) return first_error;
  return all_met;
}

}  // namespace millrace::bench
