#include "executor/operator/lines.h"

#include <bit>
#include <utility>
#include <vector>

#include "common/text/byte_scan.h"

namespace millrace::internal {

bool LineCutter::Cut(std::string_view text, size_t* consumed) {
  constexpr size_t kWindowBytes = 4096;
  uint64_t masks[ScanBlockCount(kWindowBytes)];
  size_t line_start = 0;
  size_t after_return = std::string_view::npos;  // Where a \n would belong to the \r before it.
  for (size_t window = 0; window < text.size(); window += kWindowBytes) {
    const size_t size = std::min(text.size() - window, kWindowBytes);
    MatchEither(text.data() + window, size, '\n', '\r', masks);
    for (size_t block = 0; block < ScanBlockCount(size); ++block) {
      for (uint64_t mask = masks[block]; mask != 0; mask &= mask - 1) {
        const size_t end =
            window + block * kScanBlockBytes + static_cast<size_t>(std::countr_zero(mask));
        if (end == after_return && text[end] == '\n') {
          line_start = end + 1;
          continue;
        }
        if (!Emit(text.substr(line_start, end - line_start))) return false;
        line_start = end + 1;
        if (text[end] == '\r') after_return = end + 1;
      }
    }
  }
  *consumed = line_start;
  return true;
}

bool BlockLinesOperator::Compute(TaskNode& node, AnySink* out) const {
  ChunkSink<std::string_view>* const sink = SinkOf<std::string_view>(out);
  if (sink == nullptr) return FailWrongSink(node);
  const absl::StatusOr<std::vector<Buffer>> blocks = node.Blocks();
  if (!blocks.ok()) return node.task().Fail(blocks.status());
  LineCutter cutter(*sink);
  for (const Buffer& block : *blocks) {
    if (node.task().cancelled()) return false;
    size_t consumed = 0;
    if (!cutter.Cut(block.view(), &consumed)) return false;
    const std::string_view rest = block.view().substr(consumed);
    if (!rest.empty() && !cutter.Emit(rest)) return false;
  }
  return cutter.Flush();
}

}  // namespace millrace::internal
