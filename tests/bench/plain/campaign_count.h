// The Yahoo streaming benchmark's job, as a loop: of advertising events keep the views, look up the
// campaign of the advertisement, count the views of each campaign in each ten seconds (of the
// events' own time).
#ifndef MILLRACE_TESTS_BENCH_PLAIN_CAMPAIGN_COUNT_H_
#define MILLRACE_TESTS_BENCH_PLAIN_CAMPAIGN_COUNT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace millrace::bench {

inline constexpr int kCampaigns = 100;
inline constexpr int kAdsOfCampaign = 10;
inline constexpr int64_t kWindowMillis = 10'000;

// (advertisement, campaign) of all advertisements.
std::vector<std::pair<std::string, int64_t>> Campaigns();

// A file of so many events, one a line: user page ad ad_type event_type time_ms. Written if it is
// not there.
absl::StatusOr<std::string> EventFile(const std::string& directory, int64_t events);

struct Event {
  std::string_view ad;
  std::string_view type;
  int64_t time_ms = 0;
};
// Lines that are no events have an empty type.
Event ParseEvent(std::string_view line);

// What a count comes to.
struct CampaignTotals {
  int64_t views = 0;
  int64_t counters = 0;  // (campaign, window) pairs.
  int64_t checksum = 0;

  void Add(int64_t campaign, int64_t window, int64_t count) {
    views += count;
    ++counters;
    checksum += (campaign + 1) * (window % 1'000'003) * count;
  }
  friend bool operator==(const CampaignTotals&, const CampaignTotals&) = default;
};

absl::StatusOr<CampaignTotals> CountCampaigns(const std::string& path);

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_PLAIN_CAMPAIGN_COUNT_H_
