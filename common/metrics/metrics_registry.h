// The metrics of a process, and their text for Prometheus.
#ifndef MILLRACE_COMMON_METRICS_METRICS_REGISTRY_H_
#define MILLRACE_COMMON_METRICS_METRICS_REGISTRY_H_

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/metrics/instruments.h"

namespace millrace {

// Instruments by name and labels. Whoever counts asks for its instrument once and keeps it:
// counting touches the registry no more.
//
// Names begin with `millrace_`, are made of lower-case words and end in a base unit (`_seconds`,
// `_bytes`); those of counters end in `_total`. One name has one type and one help text.
//
// A name has at most kSeriesMax sets of labels: whatever comes after shares the set
// {overflow="true"}, so that a label with many values costs precision and not the memory.
//
// Threads: any.
class MetricsRegistry {
 public:
  static constexpr size_t kSeriesMax = 10'000;

  std::shared_ptr<Counter> GetCounter(std::string_view name, std::string_view help,
                                      const MetricLabels& labels = {});
  std::shared_ptr<Gauge> GetGauge(std::string_view name, std::string_view help,
                                  const MetricLabels& labels = {});
  // The bounds are those of the first call with this name.
  std::shared_ptr<Histogram> GetHistogram(std::string_view name, std::string_view help,
                                          const std::vector<double>& upper_bounds,
                                          const MetricLabels& labels = {});

  // Forgets every instrument with this label: its application, stream or executor is gone. Who
  // still holds one counts on unseen.
  void RemoveLabelled(const std::string& label, const std::string& value);

  // Prometheus' text format 0.0.4, in the order of names and labels.
  std::string RenderPrometheus() const;

 private:
  using Instrument =
      std::variant<std::shared_ptr<Counter>, std::shared_ptr<Gauge>, std::shared_ptr<Histogram>>;
  struct Family {
    std::string help;
    std::map<MetricLabels, Instrument> series;
    std::vector<double> upper_bounds;  // Histograms.
  };

  template <class T, class Make>
  std::shared_ptr<T> Get(std::string_view name, std::string_view help, const MetricLabels& labels,
                         Make make);

  mutable absl::Mutex mutex_;
  std::map<std::string, Family, std::less<>> families_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_METRICS_METRICS_REGISTRY_H_
