#include "common/fs/left_outputs.h"

#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/fs/path.h"

namespace millrace {
namespace {

constexpr std::string_view kSuffix = ".tmp";

// As AtomicOutput makes them: ".NAME.ATTEMPT.tmp", no dot in ATTEMPT. Empty: it is none of these.
std::string NameOf(std::string_view staging) {
  if (!staging.starts_with('.') || !staging.ends_with(kSuffix)) return "";
  staging = staging.substr(1, staging.size() - 1 - kSuffix.size());
  const size_t dot = staging.rfind('.');
  return dot == std::string_view::npos ? "" : std::string(staging.substr(0, dot));
}

std::string Renamed(const std::string& staging) {
  return absl::StrCat(staging.substr(0, staging.size() - kSuffix.size()), "-left",
                      std::string(kSuffix));
}

}  // namespace

absl::StatusOr<LeftOutputs::Left> LeftOutputs::Look(const std::string& directory) {
  Left left;
  const absl::StatusOr<std::vector<FileInfo>> files = fs_.List(directory);
  if (absl::IsNotFound(files.status())) return left;
  RETURN_IF_ERROR(files.status());
  for (const FileInfo& file : *files) {
    std::string name = file.is_dir ? NameOf(file.name) : "";
    if (!name.empty()) left.emplace(std::move(name), file.name);
  }
  return left;
}

absl::Status LeftOutputs::Remove(const std::string& path) {
  const std::string directory(DirName(path));
  std::vector<std::string> stagings;
  {
    const std::lock_guard lock(lock_);
    auto left = left_.find(directory);
    if (left == left_.end()) {
      ASSIGN_OR_RETURN(Left found, Look(directory));
      left = left_.emplace(directory, std::move(found)).first;
    }
    const auto [begin, end] = left->second.equal_range(std::string(BaseName(path)));
    for (auto it = begin; it != end; ++it) stagings.push_back(it->second);
    left->second.erase(begin, end);
  }
  for (const std::string& staging : stagings) {
    const std::string renamed = JoinPath(directory, Renamed(staging));
    const absl::Status status = fs_.Rename(JoinPath(directory, staging), renamed);
    if (absl::IsNotFound(status)) continue;  // Its writer was not dead, and had it named.
    RETURN_IF_ERROR(status);
    RETURN_IF_ERROR(fs_.DeleteRecursively(renamed));
  }
  return absl::OkStatus();
}

}  // namespace millrace
