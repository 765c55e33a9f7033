// What the program logged_records has been told is safe, and what it has put out.
#ifndef MILLRACE_TESTS_INTEGRATION_LOGGED_RECORDS_H_
#define MILLRACE_TESTS_INTEGRATION_LOGGED_RECORDS_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/commands.h"

namespace millrace {

// In a directory where the program's checkpoint and its outputs are.
class LoggedRecords {
 public:
  explicit LoggedRecords(const std::string& directory) : directory_(directory) {
    for (const char* name : {"output", "safe"}) std::filesystem::create_directories(Path(name));
  }

  Command ProgramWith(Command settings) const {
    settings.push_back(Setting("streaming.receiver.writeAheadLog.enable=true"));
    return ProgramWithoutLog(settings);
  }
  Command ProgramWithoutLog(Command settings) const {
    Command arguments = {Path("checkpoint"), Path("output"), Path("safe")};
    arguments.push_back(Setting("streaming.gracefulStopTimeout=60s"));
    arguments.insert(arguments.end(), settings.begin(), settings.end());
    return Program("logged_records", arguments);
  }

  std::set<std::string> Safe() const {
    std::set<std::string> records;
    for (const auto& entry : std::filesystem::directory_iterator(Path("safe"))) {
      std::ifstream file(entry.path());
      // A last line without its end was being written.
      for (std::string line; std::getline(file, line) && !file.eof();) records.insert(line);
    }
    return records;
  }
  // How often each record is in the output of batches that have ended.
  std::map<std::string, int> Output() const {
    std::map<std::string, int> counts;
    for (const auto& batch : std::filesystem::directory_iterator(Path("output"))) {
      // What a driver that was killed had not given its name yet is no output.
      const bool has_name = !batch.path().filename().string().starts_with(".");
      if (!has_name || !std::filesystem::exists(batch.path() / "_SUCCESS")) continue;
      for (const auto& part : std::filesystem::directory_iterator(batch)) {
        std::ifstream file(part.path());
        for (std::string line; std::getline(file, line);) ++counts[line];
      }
    }
    return counts;
  }
  void Check() const {
    const std::set<std::string> safe = Safe();
    const std::map<std::string, int> output = Output();
    std::vector<std::string> lost;
    for (const std::string& record : safe) {
      if (!output.contains(record)) lost.push_back(record);
    }
    EXPECT_THAT(lost, ::testing::IsEmpty()) << lost.size() << " of " << safe.size();
    std::vector<std::string> repeated;
    for (const auto& [record, count] : output) {
      if (count > 1) repeated.push_back(record);
    }
    EXPECT_THAT(repeated, ::testing::IsEmpty())
        << repeated.size() << " of " << output.size() << ", the first one in "
        << (repeated.empty() ? "" : BatchesOf(repeated.front()));
    EXPECT_FALSE(safe.empty());
  }

 private:
  std::string BatchesOf(const std::string& record) const {
    std::string batches;
    for (const auto& batch : std::filesystem::directory_iterator(Path("output"))) {
      for (const auto& part : std::filesystem::directory_iterator(batch)) {
        std::ifstream file(part.path());
        for (std::string line; std::getline(file, line);) {
          if (line == record) batches += part.path().string() + " ";
        }
      }
    }
    return batches;
  }
  std::string Path(const std::string& name) const { return directory_ + "/" + name; }

  const std::string directory_;
};

}  // namespace millrace

#endif  // MILLRACE_TESTS_INTEGRATION_LOGGED_RECORDS_H_
