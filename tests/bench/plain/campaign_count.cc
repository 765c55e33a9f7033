#include "tests/bench/plain/campaign_count.h"

#include <charconv>
#include <cstdio>
#include <cstring>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/bench/plain/files.h"
#include "tests/bench/text/random.h"

namespace millrace::bench {
namespace {

constexpr int64_t kFirstMillis = 1'357'008'430'000;
constexpr const char* kEventTypes[] = {"view", "click", "purchase"};
constexpr const char* kAdTypes[] = {"banner", "modal", "sponsored-search", "mail", "mobile"};

std::string Identifier(Random& random) {
  return absl::StrFormat("%016x%016x", random.Next(), random.Next());
}

absl::Status WriteEvents(const std::string& path, int64_t events) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
  const auto campaigns = Campaigns();
  Random random(/*seed=*/2);
  std::vector<std::string> pages;
  for (int i = 0; i < 100; ++i) pages.push_back(Identifier(random));
  bool written = true;
  for (int64_t i = 0; i < events && written; ++i) {
    const std::string line =
        absl::StrCat(Identifier(random), " ", pages[random.Below(100)], " ",
                     campaigns[random.Below(static_cast<uint32_t>(campaigns.size()))].first, " ",
                     kAdTypes[random.Below(5)], " ", kEventTypes[random.Below(3)], " ",
                     kFirstMillis + i / 10, "\n");
    written = std::fwrite(line.data(), 1, line.size(), file) == line.size();
  }
  if (std::fclose(file) != 0 || !written) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::pair<std::string, int64_t>> Campaigns() {
  Random random(/*seed=*/1);
  std::vector<std::pair<std::string, int64_t>> campaigns;
  for (int64_t campaign = 0; campaign < kCampaigns; ++campaign) {
    for (int ad = 0; ad < kAdsOfCampaign; ++ad) {
      campaigns.emplace_back(Identifier(random), campaign);
    }
  }
  return campaigns;
}

absl::StatusOr<std::string> EventFile(const std::string& directory, int64_t events) {
  return FileWrittenOnce(directory, absl::StrCat("events-v1-", events, ".txt"),
                         [events](const std::string& path) { return WriteEvents(path, events); });
}

Event ParseEvent(std::string_view line) {
  constexpr int kFields = 6;
  std::string_view fields[kFields];
  for (int i = 0; i < kFields; ++i) {
    const void* const found = std::memchr(line.data(), ' ', line.size());
    const size_t size = found == nullptr
                            ? line.size()
                            : static_cast<size_t>(static_cast<const char*>(found) - line.data());
    fields[i] = line.substr(0, size);
    if (found == nullptr) break;
    line.remove_prefix(size + 1);
  }
  Event event{fields[2], fields[4], 0};
  const std::string_view time = fields[5];
  if (std::from_chars(time.data(), time.data() + time.size(), event.time_ms).ec != std::errc()) {
    event.type = {};
  }
  return event;
}

absl::StatusOr<CampaignTotals> CountCampaigns(const std::string& path) {
  const absl::StatusOr<MappedFile> file = MappedFile::Open(path);
  if (!file.ok()) return file.status();
  absl::flat_hash_map<std::string, int64_t> campaign_of;
  for (const auto& [ad, campaign] : Campaigns()) campaign_of.emplace(ad, campaign);
  absl::flat_hash_map<std::pair<int64_t, int64_t>, int64_t> counts;
  std::string_view text = file->bytes();
  while (!text.empty()) {
    const size_t size = std::min(text.find('\n'), text.size());
    const Event event = ParseEvent(text.substr(0, size));
    text.remove_prefix(std::min(size + 1, text.size()));
    if (event.type != "view") continue;
    const auto campaign = campaign_of.find(absl::string_view(event.ad.data(), event.ad.size()));
    if (campaign != campaign_of.end()) {
      ++counts[{campaign->second, event.time_ms / kWindowMillis}];
    }
  }
  CampaignTotals totals;
  for (const auto& [counter, count] : counts) totals.Add(counter.first, counter.second, count);
  return totals;
}

}  // namespace millrace::bench
