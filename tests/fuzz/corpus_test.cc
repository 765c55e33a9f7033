// Every target on what its corpus holds and on what was ever found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_target.h"

namespace millrace::internal {

// Names of tests are the same in every run.
void PrintTo(const FuzzTarget* target, std::ostream* out) { *out << target->name; }
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<fs::path> FilesOf(const char* folder, const FuzzTarget& target) {
  std::vector<fs::path> files;
  const fs::path directory = fs::path(MILLRACE_FUZZ_FOLDER) / folder / target.name;
  if (!fs::exists(directory)) return files;
  for (const auto& entry : fs::directory_iterator(directory)) files.push_back(entry.path());
  return files;
}

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class CorpusTest : public ::testing::TestWithParam<const FuzzTarget*> {};

// A seed that the product refuses is of an older format: write the corpora anew.
TEST_P(CorpusTest, SeedsAreTakenForRight) {
  const auto files = FilesOf("corpus", *GetParam());
  EXPECT_THAT(files, Not(IsEmpty()));
  for (const fs::path& path : files) EXPECT_TRUE(GetParam()->run(ReadAll(path))) << path;
}

TEST_P(CorpusTest, SeedsCutShortDoNoHarm) {
  for (const fs::path& path : FilesOf("corpus", *GetParam())) {
    const std::string bytes = ReadAll(path);
    const size_t step = bytes.size() / 64 + 1;
    for (size_t size = 0; size < bytes.size(); size += step) {
      GetParam()->run(std::string_view(bytes).substr(0, size));
    }
  }
}

TEST_P(CorpusTest, WhatWasFoundStaysFixed) {
  for (const fs::path& path : FilesOf("found", *GetParam())) {
    SCOPED_TRACE(path);
    GetParam()->run(ReadAll(path));
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, CorpusTest, ::testing::ValuesIn(FuzzTargets()),
                         [](const auto& target) { return std::string(target.param->name); });

}  // namespace
}  // namespace millrace::internal
