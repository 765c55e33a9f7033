// Runs a block of the guide: guide_blocks NAME [arguments of the block's own main]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "tests/guide/frame.h"

namespace millrace::guide {
namespace {

std::map<std::string, Block::Main>& Mains() {
  static std::map<std::string, Block::Main>& mains = *new std::map<std::string, Block::Main>;
  return mains;
}
std::map<std::string, Block::Function>& Functions() {
  static auto& functions = *new std::map<std::string, Block::Function>;
  return functions;
}

int Run(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  if (const auto main = Mains().find(name); main != Mains().end()) {
    return main->second(argc - 1, argv + 1);
  }
  const auto function = Functions().find(name);
  if (function == Functions().end()) {
    std::fprintf(stderr, "the guide has no block '%s'\n", name.c_str());
    return 2;
  }
  testing::StreamHarness h(std::chrono::seconds(1), {.checkpoint_dir = "checkpoint"});
  function->second(h);
  return 0;
}

}  // namespace

Block::Block(const char* name, Main main) { Mains()[name] = main; }
Block::Block(const char* name, Function function) { Functions()[name] = function; }

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

void PrintRecords(const char* name, Time time, const std::vector<std::string>& records) {
  std::string line;
  for (const std::string& record : records) line += (line.empty() ? "" : ", ") + record;
  std::printf("%s at %g s: %s\n", name, static_cast<double>(time.ms()) / 1000,
              line.empty() ? "nothing" : line.c_str());
}

}  // namespace millrace::guide

int main(int argc, char** argv) { return millrace::guide::Run(argc, argv); }
