#include "client/rdd/text_file.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "client/rdd/input_files.h"
#include "executor/operator/text_file.h"

namespace millrace::internal {
namespace {

// A larger piece would take long to be done again when its task fails.
constexpr int64_t kSplitBytesMax = int64_t{64} << 20;

int64_t RoundUp(int64_t dividend, int64_t divisor) { return (dividend + divisor - 1) / divisor; }

// As many pieces as the file's share of all bytes.
int64_t PieceCount(int64_t bytes, int64_t total_bytes, int min_partitions) {
  const double share = static_cast<double>(bytes) / static_cast<double>(total_bytes);
  // Where rounding makes a share of 2.0 a little more, that is still two pieces.
  const auto pieces = static_cast<int64_t>(share * min_partitions + 0.999);
  return std::min(bytes, std::max({pieces, int64_t{1}, RoundUp(bytes, kSplitBytesMax)}));
}

void Cut(const InputPath& file, int64_t pieces, std::vector<std::string>& splits) {
  const int64_t longer = file.bytes % pieces;  // So many pieces have a byte more.
  TextFileSplit split{file.path, 0, 0};
  for (int64_t piece = 0; piece < pieces; ++piece) {
    split.length = file.bytes / pieces + (piece < longer ? 1 : 0);
    splits.push_back(EncodeToString(split));
    split.offset += split.length;
  }
}

std::vector<std::string> CutAll(const std::vector<InputPath>& files, int min_partitions) {
  int64_t total_bytes = 0;
  for (const InputPath& file : files) total_bytes += file.bytes;
  std::vector<std::string> splits;
  for (const InputPath& file : files) {
    if (file.bytes == 0) continue;
    Cut(file, PieceCount(file.bytes, total_bytes, min_partitions), splits);
  }
  return splits;
}

}  // namespace

RddRef MakeTextFileNode(const ContextRef& context, const std::string& path, int min_partitions,
                        const RecordTypeOperators& type, Location where) {
  const std::string label = OperatorLabel("TextFile", where);
  const auto files = FindInputPaths(*context->fs, path);
  if (!files.ok()) return MakeFailed(context, type, files.status(), label);
  const int wanted = min_partitions > 0 ? min_partitions : context->default_parallelism;
  return MakeSplits(context, MakeSpec<TextFileOperator>("", label, BindingKind::kSplit), type,
                    CutAll(*files, wanted));
}

}  // namespace millrace::internal
