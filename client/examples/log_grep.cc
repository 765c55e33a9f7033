// Finds the lines of a log that contain a word, and saves them.
//
//   nc -lk 9999
//   scripts/run-example log_grep localhost 9999 ERROR /tmp/errors
//
// prints up to ten matching lines each second, and writes all of a batch's to the directory
// /tmp/errors-TIME.
#include <millrace/millrace.h>

#include <cstdio>
#include <cstdlib>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  const int port = argc == 4 || argc == 5 ? std::atoi(argv[2]) : 0;
  if (port <= 0) {
    std::fprintf(stderr, "usage: log_grep HOST PORT WORD [OUTPUT_PREFIX]\n");
    return 2;
  }
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("LogGrep"), 1s);

  auto lines = ssc.SocketTextStream(argv[1], port);
  auto matches = lines.Filter(millrace::BindFront(
      [](const std::string& word, std::string_view line) { return millrace::Contains(line, word); },
      argv[3]));
  matches.Print();
  if (argc == 5) matches.SaveAsTextFiles(argv[4]);

  return ssc.Run();
}
