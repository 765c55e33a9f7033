#include "executor/receiver/socket_text_receiver.h"

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/base/annotate_status.h"
#include "executor/receiver/block_generator.h"
#include "executor/receiver/line_framer.h"

namespace millrace::internal {

namespace {

// Less room is not worth a system call.
constexpr size_t kReadBytesMin = size_t{16} << 10;

std::string Describe(const OversizedLine& line, int64_t line_bytes_max, const std::string& peer) {
  return absl::StrCat("line ", line.line_number, " from ", peer, ", which begins at byte ",
                      line.offset, ", was left out: it has ", line.complete ? "" : "more than ",
                      line.bytes, " bytes, the limit is ", line_bytes_max);
}

}  // namespace

absl::Status SocketTextReceiver::ReadAll(TcpConnection& connection) {
  BlockGenerator& generator = host().generator();
  OpenBlock& block = generator.open_block();
  const int64_t line_bytes_max = host().line_bytes_max();
  LineFramer framer(
      block, line_bytes_max,
      [&](size_t bytes, int64_t lines) { generator.PublishRecords(bytes, lines); },
      [&] { return generator.records_at_once(); },
      [&](const OversizedLine& line) {
        ReportError(Describe(line, line_bytes_max, connection.peer_name()));
      });
  absl::StatusOr<size_t> received = 0;
  while (true) {
    received = connection.Receive(block.Room(kReadBytesMin));
    if (!received.ok() || *received == 0) break;
    block.Fill(*received);
    framer.Take();
  }
  if (received.ok()) {
    framer.End();
    return absl::UnavailableError(absl::StrCat(connection.peer_name(), " closed the connection"));
  }
  const size_t unfinished = framer.Abandon();
  if (unfinished == 0 || absl::IsCancelled(received.status())) return received.status();
  return AnnotateStatus(received.status(),
                        absl::StrCat("a line was left out after ", unfinished, " bytes of it"));
}

}  // namespace millrace::internal
