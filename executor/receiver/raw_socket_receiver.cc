#include "executor/receiver/raw_socket_receiver.h"

#include <array>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/memory/buffer.h"

namespace millrace::internal {

namespace {

uint32_t BigEndian(const std::array<char, 4>& bytes) {
  uint32_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

}  // namespace

absl::Status RawSocketReceiver::ReadAll(TcpConnection& connection) {
  int64_t offset = 0;
  while (true) {
    std::array<char, 4> head;
    absl::StatusOr<size_t> first = connection.Receive(absl::MakeSpan(head));
    RETURN_IF_ERROR(first.status());
    if (*first == 0) {
      return absl::UnavailableError(absl::StrCat(connection.peer_name(), " closed the connection"));
    }
    const auto in_frame = [&](absl::Status status) {
      if (!absl::IsOutOfRange(status)) return status;
      return absl::UnavailableError(absl::StrCat(connection.peer_name(),
                                                 " closed the connection within the frame at byte ",
                                                 offset, ", which is lost"));
    };
    RETURN_IF_ERROR(in_frame(connection.ReceiveAll(absl::MakeSpan(head).subspan(*first))));
    const uint32_t size = BigEndian(head);
    if (size > kFrameBytesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat(connection.peer_name(), " sent a frame of ", size, " bytes at byte ", offset,
                       ", the limit is ", kFrameBytesMax, "; the connection is given up"));
    }
    if (size > 0) {
      const Slab frame(size);
      RETURN_IF_ERROR(in_frame(connection.ReceiveAll(absl::MakeSpan(frame.data(), size))));
      RETURN_IF_ERROR(StoreEncodedBlock(frame.Slice(0, size), /*record_count=*/-1));
    }
    offset += static_cast<int64_t>(head.size()) + size;
  }
}

}  // namespace millrace::internal
