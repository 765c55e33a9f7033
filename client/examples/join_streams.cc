// Joins two streams by key: orders, and the payments for them that come within 30 seconds.
//
//   nc -lk 9998                                   (orders: "17 book", "18 lamp")
//   nc -lk 9999                                   (payments: "17 12.50")
//   scripts/run-example join_streams localhost 9998 9999
//
// prints paid orders each second, as (17,(book,12.50)).
#include <millrace/millrace.h>

#include <cstdio>
#include <cstdlib>

using namespace std::chrono_literals;

namespace {

// "17 book" -> (17, book)
std::pair<std::string_view, std::string_view> ParseLine(std::string_view line) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return {line, ""};
  return {line.substr(0, space), line.substr(space + 1)};
}

}  // namespace

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  const int orders_port = argc == 4 ? std::atoi(argv[2]) : 0;
  const int payments_port = argc == 4 ? std::atoi(argv[3]) : 0;
  if (orders_port <= 0 || payments_port <= 0) {
    std::fprintf(stderr, "usage: join_streams HOST ORDERS_PORT PAYMENTS_PORT\n");
    return 2;
  }
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("JoinStreams"), 1s);

  auto orders =
      ssc.SocketTextStream(argv[1], orders_port).Map(millrace::Fn<&ParseLine>).Window(30s);
  auto payments = ssc.SocketTextStream(argv[1], payments_port).Map(millrace::Fn<&ParseLine>);
  orders.Join(payments).Print();

  return ssc.Run();
}
