#include "client/rdd/text_file.h"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/rdd/glob.h"
#include "common/base/annotate_status.h"
#include "common/base/status_macros.h"
#include "common/fs/file_system.h"
#include "common/fs/path.h"
#include "executor/operator/text_file.h"

namespace millrace::internal {
namespace {

// A larger piece would take long to be done again when its task fails.
constexpr int64_t kSplitBytesMax = int64_t{64} << 20;

struct TextFile {
  std::string path;
  int64_t bytes = 0;
};

// Workers may have other working directories.
std::string AbsolutePath(const std::string& path) {
  if (path.find("://") != std::string::npos) return path;
  return std::filesystem::absolute(path).string();
}

// Markers and unfinished files of writers.
bool IsHidden(const std::string& name) { return name.starts_with('.') || name.starts_with('_'); }

absl::Status AddFiles(FileSystem& fs, const std::string& path, std::vector<TextFile>& files) {
  ASSIGN_OR_RETURN(const FileInfo info, fs.Stat(path));
  if (!info.is_dir) {
    files.push_back({path, info.size_bytes});
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::vector<FileInfo> children, fs.List(path));
  for (const FileInfo& child : children) {
    if (child.is_dir || IsHidden(child.name)) continue;
    files.push_back({JoinPath(path, child.name), child.size_bytes});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<TextFile>> FindFiles(FileSystem& fs, const std::string& path) {
  ASSIGN_OR_RETURN(const std::vector<std::string> matches, ExpandGlob(fs, path));
  if (matches.empty()) return absl::NotFoundError(absl::StrCat("no file matches '", path, "'"));
  std::vector<TextFile> files;
  for (const std::string& match : matches) RETURN_IF_ERROR(AddFiles(fs, match, files));
  return files;
}

// Each file gives as many pieces as its share of all bytes.
std::vector<TextFileSplit> CutIntoSplits(const std::vector<TextFile>& files, int min_partitions) {
  int64_t total = 0;
  for (const TextFile& file : files) total += file.bytes;
  std::vector<TextFileSplit> splits;
  for (const TextFile& file : files) {
    if (file.bytes == 0) continue;
    const double share = static_cast<double>(file.bytes) / static_cast<double>(total);
    auto pieces = static_cast<int64_t>(share * min_partitions + 0.999);
    pieces = std::max({pieces, int64_t{1}, (file.bytes + kSplitBytesMax - 1) / kSplitBytesMax});
    pieces = std::min(pieces, file.bytes);
    const int64_t length = file.bytes / pieces;
    const int64_t longer = file.bytes % pieces;  // So many pieces have a byte more.
    int64_t offset = 0;
    for (int64_t piece = 0; piece < pieces; ++piece) {
      const int64_t piece_length = length + (piece < longer ? 1 : 0);
      splits.push_back({file.path, offset, piece_length});
      offset += piece_length;
    }
  }
  return splits;
}

}  // namespace

RddRef MakeTextFileNode(const ContextRef& context, const std::string& path, int min_partitions,
                        const RecordTypeOperators& type, Location where) {
  const std::string label = OperatorLabel("TextFile", where);
  const auto files = FindFiles(*context->fs, AbsolutePath(path));
  if (!files.ok()) return MakeFailed(context, type, files.status(), label);
  std::vector<std::string> encoded;
  const int wanted = min_partitions > 0 ? min_partitions : context->default_parallelism;
  for (const TextFileSplit& split : CutIntoSplits(*files, wanted)) {
    encoded.push_back(EncodeToString(split));
  }
  return MakeSplits(context, MakeSpec<TextFileOperator>("", label, BindingKind::kSplit), type,
                    std::move(encoded));
}

}  // namespace millrace::internal
