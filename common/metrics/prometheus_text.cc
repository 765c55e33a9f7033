#include "common/metrics/prometheus_text.h"

#include <charconv>
#include <cmath>

namespace millrace::internal {

namespace {

void AppendValue(std::string& text, double value) {
  if (std::isnan(value)) {
    text += "NaN";
  } else if (std::isinf(value)) {
    text += value > 0 ? "+Inf" : "-Inf";
  } else {
    char digits[64];
    const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
    text.append(digits, end);
  }
}

// Backslashes and line ends are escaped everywhere, quotes in label values.
void AppendEscaped(std::string& text, std::string_view raw, bool escape_quotes) {
  for (const char c : raw) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '\\' || (c == '"' && escape_quotes)) text += '\\';
    text += c;
  }
}

void AppendSample(std::string& text, std::string_view name, std::string_view suffix,
                  const MetricLabels& labels, double value) {
  text += name;
  text += suffix;
  char separator = '{';
  for (const auto& [label, label_value] : labels) {
    text += separator;
    text += label;
    text += "=\"";
    AppendEscaped(text, label_value, /*escape_quotes=*/true);
    text += '"';
    separator = ',';
  }
  if (!labels.empty()) text += '}';
  text += ' ';
  AppendValue(text, value);
  text += '\n';
}

void AppendTypeLine(std::string& text, std::string_view name, std::string_view type) {
  text += "# TYPE ";
  text += name;
  text += ' ';
  text += type;
  text += '\n';
}

}  // namespace

void AppendHelp(std::string& text, std::string_view name, std::string_view help) {
  text += "# HELP ";
  text += name;
  text += ' ';
  AppendEscaped(text, help, /*escape_quotes=*/false);
  text += '\n';
}

void AppendType(std::string& text, std::string_view name, const Counter&) {
  AppendTypeLine(text, name, "counter");
}

void AppendType(std::string& text, std::string_view name, const Gauge&) {
  AppendTypeLine(text, name, "gauge");
}

void AppendType(std::string& text, std::string_view name, const Histogram&) {
  AppendTypeLine(text, name, "histogram");
}

void AppendSamples(std::string& text, std::string_view name, const MetricLabels& labels,
                   const Counter& counter) {
  AppendSample(text, name, "", labels, counter.value());
}

void AppendSamples(std::string& text, std::string_view name, const MetricLabels& labels,
                   const Gauge& gauge) {
  AppendSample(text, name, "", labels, gauge.value());
}

void AppendSamples(std::string& text, std::string_view name, const MetricLabels& labels,
                   const Histogram& histogram) {
  const std::vector<double>& bounds = histogram.upper_bounds();
  MetricLabels bucket_labels = labels;
  uint64_t count = 0;
  for (size_t i = 0; i <= bounds.size(); ++i) {
    count += histogram.bucket_count(i);
    std::string& bound = bucket_labels["le"];
    bound.clear();
    AppendValue(bound, i < bounds.size() ? bounds[i] : HUGE_VAL);
    AppendSample(text, name, "_bucket", bucket_labels, static_cast<double>(count));
  }
  AppendSample(text, name, "_sum", labels, histogram.sum());
  // The total of the buckets just written, not of those that others have filled since.
  AppendSample(text, name, "_count", labels, static_cast<double>(count));
}

}  // namespace millrace::internal
