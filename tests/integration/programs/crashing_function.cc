// usage: crashing_function PORT
// A line "crash" kills the process in which it is looked at.
#include <millrace/millrace.h>

#include <csignal>
#include <cstdio>
#include <string_view>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("CrashingFunction"), 100ms);
  ssc.SocketTextStream("127.0.0.1", std::stoi(argv[1]))
      .Filter([](std::string_view line) {
        if (line != "crash") return true;
        std::fprintf(stderr, "about to crash\n");
        std::raise(SIGSEGV);
        return false;
      })
      .Print();
  return ssc.Run();
}
