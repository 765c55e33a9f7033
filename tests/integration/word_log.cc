#include "tests/integration/word_log.h"

#include <gtest/gtest.h>
#include <millrace/log_writer.h>

#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

namespace millrace {
namespace {

int64_t Total(const WordLog::Counts& counts) {
  int64_t total = 0;
  for (const auto& [word, count] : counts) total += count;
  return total;
}

}  // namespace

WordLog::WordLog(std::string directory, int64_t interval_ms)
    : directory_(std::move(directory)), interval_ms_(interval_ms) {}

Command WordLog::ProgramArguments(Command settings) const {
  for (const char* name : {"log", "checkpoint", "output"}) {
    settings.push_back(directory_ + "/" + name);
  }
  settings.push_back(std::to_string(interval_ms_));
  return settings;
}

void WordLog::Append(int records) {
  for (int partition = 0; partition < 2; ++partition) {
    auto log = LogWriter::Open(directory_ + "/log", partition);
    ASSERT_TRUE(log.ok()) << log.status();
    std::vector<std::string> words;
    for (int i = 0; i < records; ++i) {
      words.push_back("word" + std::to_string(random_() % 20));
      ++appended_[words.back()];
    }
    const auto offset = log->AppendAll(words);
    ASSERT_TRUE(offset.ok()) << offset.status();
  }
}

int64_t WordLog::appended() const { return Total(appended_); }

int64_t WordLog::counted() const {
  int64_t counted = 0;
  for (const auto& [time, counts] : Read("batch")) counted += Total(counts);
  return counted;
}

std::map<int64_t, WordLog::Counts> WordLog::Read(const std::string& output) const {
  std::map<int64_t, Counts> batches;
  std::error_code none_yet;
  for (const auto& entry : std::filesystem::directory_iterator(directory_ + "/output", none_yet)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(output + "-")) continue;
    EXPECT_TRUE(std::filesystem::exists(entry.path() / "_SUCCESS")) << name;
    Counts& counts = batches[std::stoll(name.substr(output.size() + 1))];
    for (const auto& part : std::filesystem::directory_iterator(entry.path())) {
      std::ifstream lines(part.path());
      for (std::string line; std::getline(lines, line);) {
        const size_t comma = line.find(',');
        counts[line.substr(1, comma - 1)] += std::stoll(line.substr(comma + 1));
      }
    }
  }
  return batches;
}

std::vector<std::string> WordLog::Unnamed() const {
  std::vector<std::string> unnamed;
  std::error_code none_yet;
  for (const auto& entry : std::filesystem::directory_iterator(directory_ + "/output", none_yet)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(".")) unnamed.push_back(name);
  }
  return unnamed;
}

void WordLog::Check() const {
  const std::map<int64_t, Counts> batches = Read("batch");
  const std::map<int64_t, Counts> sums = Read("sums");
  const std::map<int64_t, Counts> last = Read("last");
  const std::map<int64_t, Counts> window = Read("window");
  ASSERT_FALSE(batches.empty());
  Counts all;
  Counts last_of;
  int64_t expected_time = batches.begin()->first;
  for (const auto& [time, counts] : batches) {
    ASSERT_EQ(time, expected_time) << "a batch is missing";
    expected_time += interval_ms_;
    Counts in_window;
    for (int64_t t = time - 3 * interval_ms_; t <= time; t += interval_ms_) {
      const auto batch = batches.find(t);
      if (batch == batches.end()) continue;
      for (const auto& [word, count] : batch->second) in_window[word] += count;
    }
    for (const auto& [word, count] : counts) {
      all[word] += count;
      last_of[word] = time;
    }
    // A program that was killed may have come to the first outputs of its last batch only.
    if (time == batches.rbegin()->first) break;
    EXPECT_EQ(sums.at(time), all) << time;
    EXPECT_EQ(last.at(time), last_of) << time;
    EXPECT_EQ(window.at(time), in_window) << time;
  }
  EXPECT_EQ(all, appended_);
}

}  // namespace millrace
