#include "common/rpc/peer_message.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/slice.h>

#include <string>
#include <utility>

namespace millrace::internal {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

// Shorter ones are copied: a reference costs more.
constexpr size_t kReferredBytesMin = 4096;
// Both messages have their bytes there.
constexpr int kBytesField = proto::PutMapOutput::kPiecesFieldNumber;
static_assert(kBytesField == proto::PutBlock::kBuffersFieldNumber);
constexpr size_t kTagBytes = 1;
static_assert(kBytesField < 16 && proto::PeerRequest::kPutBlockFieldNumber < 16);

uint32_t TagOf(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}

size_t SizeOf(const Buffer& buffer) {
  return kTagBytes + CodedOutputStream::VarintSize64(buffer.size()) + buffer.size();
}

size_t SizeOf(const std::vector<Buffer>& bytes) {
  size_t size = 0;
  for (const Buffer& buffer : bytes) size += SizeOf(buffer);
  return size;
}

void AppendHead(std::string& text, int field, size_t size) {
  constexpr size_t kBytesMax = kTagBytes + 10;
  uint8_t head[kBytesMax];
  uint8_t* end = CodedOutputStream::WriteTagToArray(TagOf(field), head);
  end = CodedOutputStream::WriteVarint64ToArray(size, end);
  text.append(reinterpret_cast<const char*>(head), static_cast<size_t>(end - head));
}

grpc::Slice Refer(const Buffer& buffer) {
  auto* const held = new Buffer(buffer);
  return grpc::Slice(
      const_cast<char*>(held->data()), held->size(),
      [](void* released) { delete static_cast<Buffer*>(released); }, held);
}

}  // namespace

size_t PeerMessage::ByteSizeLong() const {
  const size_t own = request.ByteSizeLong();
  if (bytes.empty()) return own;
  const size_t added = SizeOf(bytes);
  return own + kTagBytes + CodedOutputStream::VarintSize64(added) + added;
}

// The message is there twice, without its bytes and with nothing else: whoever parses it merges the
// two, as the encoding of Protocol Buffers says.
grpc::ByteBuffer PeerMessage::ToBytes() const {
  std::vector<grpc::Slice> slices;
  std::string text = request.SerializeAsString();
  const auto flush = [&] {
    if (!text.empty()) slices.emplace_back(text);
    text.clear();
  };
  if (!bytes.empty()) AppendHead(text, request.kind_case(), SizeOf(bytes));
  for (const Buffer& buffer : bytes) {
    AppendHead(text, kBytesField, buffer.size());
    if (buffer.size() < kReferredBytesMin) {
      text.append(buffer.view());
    } else {
      flush();
      slices.push_back(Refer(buffer));
    }
  }
  flush();
  return {slices.data(), slices.size()};
}

}  // namespace millrace::internal
