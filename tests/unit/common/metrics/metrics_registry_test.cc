#include "common/metrics/metrics_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>
#include <vector>

namespace millrace {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MetricsRegistryTest, RendersWhatPrometheusReads) {
  MetricsRegistry registry;
  registry.GetCounter("millrace_records_total", "Records taken in.", {{"stream", "0"}})
      ->Increment(1234567890123);
  registry.GetCounter("millrace_records_total", "Records taken in.", {{"stream", "1"}})
      ->Increment();
  registry.GetGauge("millrace_memory_used_bytes", "Memory in use.")->Set(0.5);
  EXPECT_EQ(registry.RenderPrometheus(),
            "# HELP millrace_memory_used_bytes Memory in use.\n"
            "# TYPE millrace_memory_used_bytes gauge\n"
            "millrace_memory_used_bytes 0.5\n"
            "# HELP millrace_records_total Records taken in.\n"
            "# TYPE millrace_records_total counter\n"
            "millrace_records_total{stream=\"0\"} 1234567890123\n"
            "millrace_records_total{stream=\"1\"} 1\n");
}

TEST(MetricsRegistryTest, HistogramsAreCumulative) {
  MetricsRegistry registry;
  const auto histogram =
      registry.GetHistogram("millrace_delay_seconds", "Delay.", {0.1, 1}, {{"app", "a"}});
  for (const double value : {0.05, 0.1, 0.5, 7.0}) histogram->Observe(value);
  EXPECT_THAT(registry.RenderPrometheus(),
              HasSubstr("# TYPE millrace_delay_seconds histogram\n"
                        "millrace_delay_seconds_bucket{app=\"a\",le=\"0.1\"} 2\n"
                        "millrace_delay_seconds_bucket{app=\"a\",le=\"1\"} 3\n"
                        "millrace_delay_seconds_bucket{app=\"a\",le=\"+Inf\"} 4\n"
                        "millrace_delay_seconds_sum{app=\"a\"} 7.65\n"
                        "millrace_delay_seconds_count{app=\"a\"} 4\n"));
}

TEST(MetricsRegistryTest, EscapesHelpAndLabels) {
  MetricsRegistry registry;
  registry.GetGauge("millrace_x", "a \"b\" \\ \n", {{"path", "c:\\d\n\"e\""}});
  EXPECT_EQ(registry.RenderPrometheus(),
            "# HELP millrace_x a \"b\" \\\\ \\n\n"
            "# TYPE millrace_x gauge\n"
            "millrace_x{path=\"c:\\\\d\\n\\\"e\\\"\"} 0\n");
}

TEST(MetricsRegistryTest, WritesUnusualValuesAsPrometheusDoes) {
  MetricsRegistry registry;
  const auto gauge = registry.GetGauge("millrace_x", "x");
  const auto value_line = [&] {
    const std::string text = registry.RenderPrometheus();
    return text.substr(text.rfind("\nmillrace_x") + 1);
  };
  gauge->Set(std::numeric_limits<double>::infinity());
  EXPECT_EQ(value_line(), "millrace_x +Inf\n");
  gauge->Set(-std::numeric_limits<double>::infinity());
  EXPECT_EQ(value_line(), "millrace_x -Inf\n");
  gauge->Set(std::nan(""));
  EXPECT_EQ(value_line(), "millrace_x NaN\n");
}

TEST(MetricsRegistryTest, GivesTheSameInstrumentForTheSameNameAndLabels) {
  MetricsRegistry registry;
  const auto a = registry.GetCounter("millrace_a_total", "A.", {{"x", "1"}});
  EXPECT_EQ(registry.GetCounter("millrace_a_total", "A.", {{"x", "1"}}), a);
  EXPECT_NE(registry.GetCounter("millrace_a_total", "A.", {{"x", "2"}}), a);
}

TEST(MetricsRegistryTest, CountsEveryIncrementOfEveryThread) {
  MetricsRegistry registry;
  const auto counter = registry.GetCounter("millrace_a_total", "A.");
  const auto histogram = registry.GetHistogram("millrace_b_seconds", "B.", DurationBuckets());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10000; ++i) {
        counter->Increment();
        histogram->Observe(0.5);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter->value(), 40000);
  EXPECT_EQ(histogram->sum(), 20000);
  EXPECT_THAT(registry.RenderPrometheus(), HasSubstr("millrace_b_seconds_count 40000\n"));
}

TEST(MetricsRegistryTest, ForgetsWhatBelongsToALabel) {
  MetricsRegistry registry;
  const auto gone = registry.GetGauge("millrace_a", "A.", {{"app", "1"}, {"stream", "0"}});
  registry.GetGauge("millrace_a", "A.", {{"app", "2"}});
  registry.GetGauge("millrace_b", "B.", {{"app", "1"}});
  registry.RemoveLabelled("app", "1");
  gone->Set(7);  // Harmless.
  const std::string text = registry.RenderPrometheus();
  EXPECT_THAT(text, Not(HasSubstr("app=\"1\"")));
  EXPECT_THAT(text, HasSubstr("millrace_a{app=\"2\"}"));
  EXPECT_THAT(text, Not(HasSubstr("millrace_b")));
}

TEST(MetricsRegistryTest, TooManyLabelsShareOneSeries) {
  MetricsRegistry registry;
  for (size_t i = 0; i < MetricsRegistry::kSeriesMax + 5; ++i) {
    registry.GetCounter("millrace_a_total", "A.", {{"key", std::to_string(i)}})->Increment();
  }
  EXPECT_THAT(registry.RenderPrometheus(), HasSubstr("millrace_a_total{overflow=\"true\"} 5\n"));
}

TEST(MetricsRegistryDeathTest, RefusesNamesThatBreakTheRules) {
  MetricsRegistry registry;
  EXPECT_DEATH(registry.GetCounter("millrace_records", "R."), "counter millrace_records");
  EXPECT_DEATH(registry.GetGauge("records", "R."), "metric records");
  EXPECT_DEATH(registry.GetGauge("millrace_Records", "R."), "metric millrace_Records");
  registry.GetGauge("millrace_a_total", "A.");
  EXPECT_DEATH(registry.GetCounter("millrace_a_total", "A."), "two types");
}

}  // namespace
}  // namespace millrace
