#include <cstdio>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "common/base/status_macros.h"
#include "tests/golden/functions.h"
#include "tests/golden/operations.h"

namespace millrace::golden {
namespace {

void AddRecords(Operations& operations) {
  using In = const DStream<double>&;
  operations.Add<double>("Map reciprocal",
                         [](In in, Arguments&) { return in.Map([](double x) { return 1 / x; }); });
  operations.Add<double>("Map with_one", [](In in, Arguments&) {
    return in.Map([](double x) { return DoubleInt(x, 1); });
  });
  // The text form.
  operations.Add<double>(
      "Map to_text", [](In in, Arguments&) { return in.Map([](double x) { return ToText(x); }); });
  operations.Add<double>("Reduce sum",
                         [](In in, Arguments&) { return in.Reduce(std::plus<double>()); });
  operations.Add<double>("Reduce max", [](In in, Arguments&) { return in.Reduce(Max()); });
}

void AddDataSets(Operations& operations) {
  using In = const DStream<double>&;
  operations.Add<double>("Transform sorted", [](In in, Arguments&) {
    return in.Transform(
        [](const RDD<double>& rdd) { return rdd.SortBy([](double x) { return x; }); });
  });
  operations.Add<double>("Transform sorted_descending", [](In in, Arguments&) {
    return in.Transform([](const RDD<double>& rdd) {
      return rdd.SortBy([](double x) { return x; }, /*ascending=*/false);
    });
  });
  operations.Add<double>("Transform distinct", [](In in, Arguments&) {
    return in.Transform([](const RDD<double>& rdd) { return rdd.Distinct(); });
  });
}

void AddKeys(Operations& operations) {
  operations.Add<DoubleInt>("Join", [](const DStream<DoubleInt>& in, Arguments& args) {
    return in.Join(args.NextStreamOf<DoubleInt>());
  });
  operations.Add<DoubleInt>("Count",
                            [](const DStream<DoubleInt>& in, Arguments&) { return in.Count(); });
  operations.Add<DoubleInt>("SortByKey", [](const DStream<DoubleInt>& in, Arguments&) {
    return in.Transform([](const RDD<DoubleInt>& rdd) { return rdd.SortByKey(); });
  });
}

absl::Status PrintExtremes(const RDD<double>& rdd) {
  ASSIGN_OR_RETURN(const double least, rdd.Min());
  ASSIGN_OR_RETURN(const double greatest, rdd.Max());
  ASSIGN_OR_RETURN(const std::vector<double> bottom, rdd.TakeOrdered(2));
  ASSIGN_OR_RETURN(const std::vector<double> top, rdd.Top(2));
  std::printf("min %s max %s bottom %s top %s\n", ToText(least).c_str(), ToText(greatest).c_str(),
              ToText(bottom).c_str(), ToText(top).c_str());
  return absl::OkStatus();
}

}  // namespace

void AddDoubleOperations(Operations& operations) {
  AddRecords(operations);
  AddDataSets(operations);
  AddKeys(operations);
  // A line a batch: Min, Max, TakeOrdered(2), Top(2).
  operations.AddOutput<double>(
      "ForeachRDD print_extremes", [](const DStream<double>& in, Arguments&) {
        in.ForeachRDD([](const RDD<double>& rdd) { return PrintExtremes(rdd); });
      });
}

}  // namespace millrace::golden
