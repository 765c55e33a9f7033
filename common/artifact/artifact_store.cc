#include "common/artifact/artifact_store.h"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "glog/logging.h"

namespace millrace {

namespace {

absl::Status NoDigest(const std::string& text) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", text.substr(0, 80), "' is not a SHA-256 of 64 hexadecimal digits"));
}

}  // namespace

absl::Status ArtifactStore::MakeExecutable(const std::string& path) {
  std::error_code error;
  std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  if (error) return absl::UnknownError("cannot make '" + path + "' executable");
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ArtifactStore>> ArtifactStore::Open(FileSystem& fs,
                                                                   Options options) {
  std::unique_ptr<ArtifactStore> store(new ArtifactStore(fs, std::move(options)));
  const std::string& dir = store->options_.dir;
  RETURN_IF_ERROR(fs.CreateDirs(dir));
  ASSIGN_OR_RETURN(const std::vector<FileInfo> files, fs.List(dir));
  const absl::MutexLock lock(&store->mutex_);
  for (const FileInfo& file : files) {
    if (file.is_dir) continue;
    if (!IsSha256Hex(file.name)) {
      RETURN_IF_ERROR(fs.Delete(dir + "/" + file.name));
      continue;
    }
    store->artifacts_[file.name] = {.size_bytes = file.size_bytes,
                                    .last_used_ms = file.modified_ms};
    store->bytes_used_ += file.size_bytes;
  }
  return store;
}

absl::StatusOr<std::unique_ptr<ArtifactStore::Upload>> ArtifactStore::BeginUpload(
    const std::string& sha256, int64_t size_bytes) {
  if (!IsSha256Hex(sha256)) return NoDigest(sha256);
  if (size_bytes < 0) {
    return absl::InvalidArgumentError(absl::StrCat("a size of ", size_bytes, " bytes"));
  }
  std::unique_ptr<Upload> upload;
  {
    const absl::MutexLock lock(&mutex_);
    RETURN_IF_ERROR(MakeRoom(size_bytes));
    bytes_used_ += size_bytes;
    // From here on its destructor gives the room back.
    upload.reset(new Upload(*this, sha256, size_bytes));
    upload->path_ = absl::StrCat(PathFor(sha256), ".", ++uploads_, ".tmp");
  }
  ASSIGN_OR_RETURN(upload->file_, fs_.OpenForWrite(upload->path_, WriteMode::kTruncate));
  return upload;
}

absl::Status ArtifactStore::MakeRoom(int64_t bytes) {
  // The size is a peer's word: sums with it may overflow, and nothing goes for what never fits.
  const auto is_full = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return bytes > options_.bytes_max - bytes_used_;
  };
  std::vector<std::pair<int64_t, std::string>> by_age;
  for (const auto& [sha256, artifact] : artifacts_) {
    const bool is_fresh = artifact.last_used_ms + kFreshMs > options_.now_ms();
    if (!is_fresh && !in_use_.contains(sha256)) by_age.emplace_back(artifact.last_used_ms, sha256);
  }
  std::sort(by_age.begin(), by_age.end());
  for (const auto& [last_used_ms, sha256] : by_age) {
    if (!is_full() || bytes > options_.bytes_max) break;
    RETURN_IF_ERROR(fs_.Delete(PathFor(sha256)));
    bytes_used_ -= artifacts_[sha256].size_bytes;
    artifacts_.erase(sha256);
  }
  if (is_full()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the artifact store has no room for ", bytes >> 10,
                     " KiB: ", bytes_used_ >> 10, " KiB of its ", options_.bytes_max >> 10,
                     " KiB are in use; end applications or raise --artifact_bytes_max"));
  }
  return absl::OkStatus();
}

bool ArtifactStore::Has(const std::string& sha256) {
  const absl::MutexLock lock(&mutex_);
  const auto it = artifacts_.find(sha256);
  if (it == artifacts_.end()) return false;
  it->second.last_used_ms = options_.now_ms();
  return true;
}

absl::StatusOr<std::string> ArtifactStore::PathOf(const std::string& sha256) {
  if (!IsSha256Hex(sha256)) return NoDigest(sha256);
  if (!Has(sha256)) {
    return absl::NotFoundError(absl::StrCat("the artifact store has no file with the SHA-256 ",
                                            sha256, "; submit the application again"));
  }
  return PathFor(sha256);
}

void ArtifactStore::SetInUse(std::set<std::string> sha256) {
  const absl::MutexLock lock(&mutex_);
  in_use_ = std::move(sha256);
}

int64_t ArtifactStore::bytes_used() const {
  const absl::MutexLock lock(&mutex_);
  return bytes_used_;
}

absl::Status ArtifactStore::Keep(Upload& upload) {
  const std::string path = PathFor(upload.sha256_);
  RETURN_IF_ERROR(options_.make_executable(upload.path_));
  const absl::MutexLock lock(&mutex_);
  RETURN_IF_ERROR(fs_.Rename(upload.path_, path));
  const auto [it, is_new] = artifacts_.try_emplace(upload.sha256_);
  it->second = {.size_bytes = upload.size_bytes_, .last_used_ms = options_.now_ms()};
  if (!is_new) bytes_used_ -= upload.size_bytes_;
  upload.path_.clear();
  return fs_.SyncDir(options_.dir);
}

void ArtifactStore::Drop(const Upload& upload) {
  if (upload.file_ != nullptr) {
    const absl::Status status = fs_.Delete(upload.path_);
    LOG_IF(WARNING, !status.ok()) << "an unfinished artifact stays: " << status;
  }
  const absl::MutexLock lock(&mutex_);
  bytes_used_ -= upload.size_bytes_;
}

ArtifactStore::Upload::~Upload() {
  if (!path_.empty()) store_.Drop(*this);
}

absl::Status ArtifactStore::Upload::Append(std::string_view bytes) {
  if (static_cast<int64_t>(file_->size_bytes() + bytes.size()) > size_bytes_) {
    return absl::InvalidArgumentError(
        absl::StrCat("more bytes came than the ", size_bytes_, " that were announced"));
  }
  digest_.Update(bytes);
  return file_->Append(bytes);
}

absl::Status ArtifactStore::Upload::Commit() {
  if (static_cast<int64_t>(file_->size_bytes()) != size_bytes_) {
    return absl::InvalidArgumentError(absl::StrCat(file_->size_bytes(), " bytes came of the ",
                                                   size_bytes_, " that were announced"));
  }
  if (digest_.FinishHex() != sha256_) {
    return absl::InvalidArgumentError(
        absl::StrCat("the bytes that came are not those of the SHA-256 ", sha256_,
                     ": the file changed while it was sent, or the connection is broken"));
  }
  RETURN_IF_ERROR(file_->Sync());
  RETURN_IF_ERROR(file_->Close());
  return store_.Keep(*this);
}

}  // namespace millrace
