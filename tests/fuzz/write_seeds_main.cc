// write_seeds DIRECTORY: writes the corpora, DIRECTORY/<target>/<seed>, as the product's encoders
// make them today.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/fuzz/fuzz_target.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: write_seeds DIRECTORY\n");
    return 2;
  }
  for (const millrace::internal::FuzzTarget* const target : millrace::internal::FuzzTargets()) {
    const std::filesystem::path directory = std::filesystem::path(argv[1]) / target->name;
    std::filesystem::remove_all(directory);
    std::filesystem::create_directories(directory);
    for (const auto& [name, bytes] : target->seeds()) {
      std::ofstream(directory / name, std::ios::binary) << bytes;
    }
  }
  return 0;
}
