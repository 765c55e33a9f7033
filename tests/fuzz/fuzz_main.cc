// The entry of libFuzzer, for the one target that is linked into the program. With
// --write_seeds=DIRECTORY it writes the target's seeds there and does no more.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "glog/logging.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/message_script.h"

namespace {

const millrace::internal::FuzzTarget& TheTarget() {
  static const auto& targets =
      *new std::vector<const millrace::internal::FuzzTarget*>(millrace::internal::FuzzTargets());
  CHECK_EQ(targets.size(), 1u);
  return *targets[0];
}

// Makes the target's corpus anew.
void WriteSeeds(const std::filesystem::path& directory) {
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  for (const auto& [name, bytes] : TheTarget().seeds()) {
    std::ofstream(directory / name, std::ios::binary) << bytes;
  }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr std::string_view kWriteSeeds = "--write_seeds=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = (*argv)[i];
    if (!argument.starts_with(kWriteSeeds)) continue;
    WriteSeeds(argument.substr(kWriteSeeds.size()));
    std::exit(0);
  }
  // What is logged about wrong input costs more than the run, and hides what was found.
  FLAGS_minloglevel = google::GLOG_FATAL;
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  TheTarget().run({reinterpret_cast<const char*>(data), size});
  return 0;
}

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

// Changed bytes alone would seldom be a message any more: most of the time a field is changed.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  std::minstd_rand random(seed);
  const auto prototypes = TheTarget().prototypes;
  if (prototypes == nullptr || random() % 8 == 0) return LLVMFuzzerMutate(data, size, max_size);
  const std::string changed = millrace::internal::MutateScript(
      {reinterpret_cast<const char*>(data), size}, prototypes(), random);
  if (changed.empty() || changed.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, changed.data(), changed.size());
  return changed.size();
}
