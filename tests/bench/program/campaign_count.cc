// The Yahoo streaming benchmark's job on one core.
#include "tests/bench/plain/campaign_count.h"

#include <millrace/millrace.h>

#include <functional>
#include <tuple>
#include <unordered_map>

#include "absl/strings/str_format.h"
#include "tests/bench/program/programs.h"
#include "tests/bench/program/stopwatch.h"
#include "tests/bench/report/contest.h"

namespace millrace::bench {
namespace {

constexpr int64_t kEvents = 2'000'000;

struct CampaignTotalsRecord {
  CampaignTotals totals;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(totals.views, totals.counters, totals.checksum);
  }
};

using Counter = std::pair<int64_t, int64_t>;                                  // (campaign, window)
using EventRecord = std::tuple<std::string_view, std::string_view, int64_t>;  // ad, type, time
using AdAndTime = std::pair<std::string_view, int64_t>;

EventRecord ParseEventRecord(std::string_view line) {
  const Event event = ParseEvent(line);
  return {event.ad, event.type, event.time_ms};
}

struct TransparentHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using CampaignOfAd = std::unordered_map<std::string, int64_t, TransparentHash, std::equal_to<>>;

absl::StatusOr<double> TimeMillrace(const Context& context, const Broadcast<CampaignOfAd>& table,
                                    const std::string& path, const CampaignTotals& expected) {
  const Stopwatch watch;
  const auto totals =
      context.TextFile(path)
          .Map(Fn<&ParseEventRecord>)
          .Filter([](const EventRecord& event) { return std::get<1>(event) == "view"; })
          .Map([](const EventRecord& event) {
            return AdAndTime(std::get<0>(event), std::get<2>(event));
          })
          .FlatMap<std::pair<Counter, int64_t>>(BindFront(
              [](const Broadcast<CampaignOfAd>& table, const AdAndTime& view,
                 Emitter<std::pair<Counter, int64_t>>& emit) {
                const auto campaign = table.Value().find(view.first);
                if (campaign == table.Value().end()) return;
                emit({{campaign->second, view.second / kWindowMillis}, 1});
              },
              table))
          .ReduceByKey(std::plus<>())
          .Aggregate(
              CampaignTotalsRecord(),
              [](CampaignTotalsRecord sum, const std::pair<Counter, int64_t>& count) {
                sum.totals.Add(count.first.first, count.first.second, count.second);
                return sum;
              },
              [](CampaignTotalsRecord a, const CampaignTotalsRecord& b) {
                a.totals.views += b.totals.views;
                a.totals.counters += b.totals.counters;
                a.totals.checksum += b.totals.checksum;
                return a;
              });
  if (!totals.ok()) return totals.status();
  const double seconds = watch.Seconds();
  if (totals->totals != expected) return absl::InternalError("wrong counts");
  return seconds;
}

}  // namespace

absl::StatusOr<std::vector<Figure>> CampaignCount(const BenchOptions& options) {
  const absl::StatusOr<std::string> path = EventFile(BENCH_DATA_DIR, kEvents);
  if (!path.ok()) return path.status();
  const absl::StatusOr<CampaignTotals> expected = CountCampaigns(*path);
  if (!expected.ok()) return expected.status();
  const Context context(Conf().SetAppName("CampaignCount").SetMaster("local[1]"));
  CampaignOfAd campaign_of;
  for (const auto& [ad, campaign] : Campaigns()) campaign_of.emplace(ad, campaign);
  const auto table = context.Broadcast(campaign_of);
  const auto medians =
      MedianSeconds({{"loop",
                      [&]() -> absl::StatusOr<double> {
                        const Stopwatch watch;
                        const absl::StatusOr<CampaignTotals> totals = CountCampaigns(*path);
                        if (!totals.ok()) return totals.status();
                        if (*totals != *expected) return absl::InternalError("wrong counts");
                        return watch.Seconds();
                      }},
                     {"local[1]", [&] { return TimeMillrace(context, table, *path, *expected); }}},
                    options.runs);
  if (!medians.ok()) return medians.status();
  const double plain = medians->at(0);
  const double ours = medians->at(1);
  return std::vector<Figure>{
      {plain / ours, absl::StrFormat("plain %.2f M events/s, Millrace %.2f M",
                                     kEvents / plain * 1e-6, kEvents / ours * 1e-6)}};
}

}  // namespace millrace::bench
