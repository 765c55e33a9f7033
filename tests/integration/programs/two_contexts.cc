// Counts the lines of two servers, one streaming run after the other, each with a context of its
// own; a run ends when a line says so: two_contexts PORT PORT
#include <millrace/millrace.h>

#include <cstdio>
#include <cstdlib>

using namespace std::chrono_literals;

namespace {

int CountLines(int port) {
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("TwoContexts").SetMaster("local[1]"),
                                 100ms);
  auto lines = ssc.SocketTextStream("localhost", port);
  lines.ForeachRDD(
      [&ssc, port, count = 0](const millrace::RDD<std::string_view>& rdd) mutable -> absl::Status {
        auto all = rdd.Collect();
        if (!all.ok()) return all.status();
        for (const std::string& line : *all) {
          if (line == "end") {
            std::printf("%d lines from port %d\n", count, port);
            std::fflush(stdout);
            ssc.Stop({.graceful = true});
          }
          ++count;
        }
        return absl::OkStatus();
      });
  return ssc.Run();
}

}  // namespace

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  if (argc != 3) return 2;
  const int first = CountLines(std::atoi(argv[1]));
  return first != 0 ? first : CountLines(std::atoi(argv[2]));
}
