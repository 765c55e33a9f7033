// Prometheus' text format, version 0.0.4, piece by piece.
#ifndef MILLRACE_COMMON_METRICS_PROMETHEUS_TEXT_H_
#define MILLRACE_COMMON_METRICS_PROMETHEUS_TEXT_H_

#include <string>
#include <string_view>

#include "common/metrics/instruments.h"

namespace millrace::internal {

// "# HELP name help"
void AppendHelp(std::string& text, std::string_view name, std::string_view help);

// "# TYPE name counter"
void AppendType(std::string& text, std::string_view name, const Counter&);
void AppendType(std::string& text, std::string_view name, const Gauge&);
void AppendType(std::string& text, std::string_view name, const Histogram&);

// "name{label="value"} 17"; of a histogram its cumulative buckets, sum and count.
void AppendSamples(std::string& text, std::string_view name, const MetricLabels& labels,
                   const Counter& counter);
void AppendSamples(std::string& text, std::string_view name, const MetricLabels& labels,
                   const Gauge& gauge);
void AppendSamples(std::string& text, std::string_view name, const MetricLabels& labels,
                   const Histogram& histogram);

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_METRICS_PROMETHEUS_TEXT_H_
