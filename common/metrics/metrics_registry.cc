#include "common/metrics/metrics_registry.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/metrics/prometheus_text.h"

namespace millrace {

namespace {

bool IsLowerCaseName(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

void CheckName(std::string_view name) {
  CHECK(name.starts_with("millrace_") && IsLowerCaseName(name)) << "metric " << name;
}

}  // namespace

template <class T, class Make>
std::shared_ptr<T> MetricsRegistry::Get(std::string_view name, std::string_view help,
                                        const MetricLabels& labels, Make make) {
  CheckName(name);
  absl::MutexLock lock(&mutex_);
  auto found = families_.find(name);
  if (found == families_.end()) {
    found = families_
                .emplace(std::string(name),
                         Family{.help = std::string(help), .series = {}, .upper_bounds = {}})
                .first;
  }
  Family& family = found->second;
  auto series = family.series.find(labels);
  if (series == family.series.end()) {
    const MetricLabels overflow = {{"overflow", "true"}};
    const bool full = family.series.size() >= kSeriesMax;
    if (full) {
      LOG_FIRST_N(WARNING, 10) << "metric " << name << " has more than " << kSeriesMax
                               << " sets of labels; the rest are counted together";
    }
    series = family.series.find(full ? overflow : labels);
    if (series == family.series.end()) {
      series = family.series.emplace(full ? overflow : labels, make(family)).first;
    }
  }
  auto* const instrument = std::get_if<std::shared_ptr<T>>(&series->second);
  CHECK(instrument != nullptr) << "metric " << name << " has two types";
  return *instrument;
}

std::shared_ptr<Counter> MetricsRegistry::GetCounter(std::string_view name, std::string_view help,
                                                     const MetricLabels& labels) {
  CHECK(name.ends_with("_total")) << "counter " << name;
  return Get<Counter>(name, help, labels, [](Family&) { return std::make_shared<Counter>(); });
}

std::shared_ptr<Gauge> MetricsRegistry::GetGauge(std::string_view name, std::string_view help,
                                                 const MetricLabels& labels) {
  return Get<Gauge>(name, help, labels, [](Family&) { return std::make_shared<Gauge>(); });
}

std::shared_ptr<Histogram> MetricsRegistry::GetHistogram(std::string_view name,
                                                         std::string_view help,
                                                         const std::vector<double>& upper_bounds,
                                                         const MetricLabels& labels) {
  return Get<Histogram>(name, help, labels, [&upper_bounds](Family& family) {
    if (family.upper_bounds.empty()) family.upper_bounds = upper_bounds;
    return std::make_shared<Histogram>(family.upper_bounds);
  });
}

void MetricsRegistry::RemoveLabelled(const std::string& label, const std::string& value) {
  absl::MutexLock lock(&mutex_);
  for (auto& [name, family] : families_) {
    std::erase_if(family.series, [&](const auto& series) {
      const auto found = series.first.find(label);
      return found != series.first.end() && found->second == value;
    });
  }
}

std::string MetricsRegistry::RenderPrometheus() const {
  absl::MutexLock lock(&mutex_);
  std::string text;
  for (const auto& [name, family] : families_) {
    if (family.series.empty()) continue;
    internal::AppendHelp(text, name, family.help);
    bool first = true;
    for (const auto& [labels, instrument] : family.series) {
      std::visit(
          [&, &name = name, &labels = labels](const auto& held) {
            if (first) internal::AppendType(text, name, *held);
            internal::AppendSamples(text, name, labels, *held);
          },
          instrument);
      first = false;
    }
  }
  return text;
}

}  // namespace millrace
