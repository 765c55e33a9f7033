// usage: misbehaving_function PORT
// What a line says is done by the process in which it is looked at: "crash", "leak" takes memory
// without end, "loop" never ends.
#include <millrace/millrace.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string_view>

using namespace std::chrono_literals;

namespace {

constexpr size_t kLeakedBytes = size_t{16} << 20;

void Leak() {
  while (true) std::memset(new char[kLeakedBytes], 1, kLeakedBytes);
}

void Loop() {
  static std::atomic<bool> is_over = false;
  while (!is_over.load()) continue;
}

bool Look(std::string_view line) {
  if (line == "crash") {
    std::fprintf(stderr, "about to crash\n");
    std::raise(SIGSEGV);
  }
  if (line == "leak") Leak();
  if (line == "loop") Loop();
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  if (argc != 2) return 2;
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("MisbehavingFunction"), 100ms);
  ssc.SocketTextStream("127.0.0.1", std::stoi(argv[1]))
      .Filter([](std::string_view line) { return Look(line); })
      .Print();
  return ssc.Run();
}
