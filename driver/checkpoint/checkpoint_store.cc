#include "driver/checkpoint/checkpoint_store.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/mistake.h"
#include "common/base/status_macros.h"
#include "common/fs/file_util.h"
#include "common/fs/path.h"
#include "driver/checkpoint/checkpoint_file.h"

namespace millrace::internal {
namespace {

constexpr char kPrefix[] = "checkpoint-";
constexpr char kOwnerPrefix[] = "owner-";
constexpr char kTemporarySuffix[] = ".tmp";
constexpr char kStateFolder[] = "state";
// One that came before may take a number once more, but not again and again.
constexpr int kSealAttempts = 10;
constexpr uint64_t kFileBytesMax = uint64_t{1} << 30;

std::set<std::string> StatePaths(const proto::Checkpoint& checkpoint) {
  std::set<std::string> paths;
  for (const proto::StateCheckpoint& state : checkpoint.states()) {
    if (!state.path().empty()) paths.insert(state.path());
    for (const proto::SavedState& saved : state.saved()) paths.insert(saved.path());
    paths.insert(state.kept().begin(), state.kept().end());
  }
  return paths;
}

// Paths become directories that are deleted one day: whatever a file says, nothing but a saved
// state may be one.
absl::Status CheckStatePaths(const proto::Checkpoint& checkpoint) {
  for (const std::string& path : StatePaths(checkpoint)) {
    absl::string_view name = path;
    const bool is_in_place = absl::ConsumePrefix(&name, kStateFolder) &&
                             absl::ConsumePrefix(&name, "/") && !name.empty() &&
                             name.front() != '.' && name.find('/') == absl::string_view::npos;
    if (is_in_place) continue;
    return absl::DataLossError(
        absl::StrCat("a state lies in '", path, "', which is no place for one"));
  }
  return absl::OkStatus();
}

}  // namespace

std::string CheckpointStore::state_directory() const { return JoinPath(directory_, kStateFolder); }

std::string CheckpointStore::PathOf(int64_t number) const {
  return JoinPath(directory_, absl::StrCat(kPrefix, number));
}

std::string CheckpointStore::OwnerPath(int64_t owner) const {
  return JoinPath(directory_, absl::StrCat(kOwnerPrefix, owner));
}

absl::StatusOr<std::deque<int64_t>> CheckpointStore::Numbers(const char* prefix) {
  std::deque<int64_t> numbers;
  const auto files = fs_.List(directory_);
  if (absl::IsNotFound(files.status())) return numbers;
  RETURN_IF_ERROR(files.status());
  for (const FileInfo& file : *files) {
    absl::string_view name = file.name;
    int64_t number = 0;
    if (absl::ConsumePrefix(&name, prefix) && absl::SimpleAtoi(name, &number) && number > 0) {
      numbers.push_back(number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

absl::StatusOr<proto::Checkpoint> CheckpointStore::Read(int64_t number) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(fs_, PathOf(number), kFileBytesMax));
  ASSIGN_OR_RETURN(proto::Checkpoint checkpoint, DecodeCheckpoint(bytes));
  RETURN_IF_ERROR(CheckStatePaths(checkpoint));
  return checkpoint;
}

absl::StatusOr<std::optional<proto::Checkpoint>> CheckpointStore::ReadLatest() {
  ASSIGN_OR_RETURN(const std::deque<int64_t> numbers, Numbers(kPrefix));
  if (numbers.empty()) return std::nullopt;
  absl::StatusOr<proto::Checkpoint> latest = Read(numbers.back());
  if (latest.ok()) return *std::move(latest);
  std::string advice =
      "no older checkpoint can be read; to begin anew, use an empty directory or remove this one";
  for (auto number = numbers.rbegin() + 1; number != numbers.rend(); ++number) {
    if (!Read(*number).ok()) continue;
    advice = absl::StrCat("to go on from the last good checkpoint, '", PathOf(*number),
                          "', remove this file");
    break;
  }
  return absl::Status(latest.status().code(),
                      absl::StrCat("checkpoint '", PathOf(numbers.back()),
                                   "' cannot be read: ", latest.status().message(), "; ", advice));
}

absl::Status CheckpointStore::Open() {
  RETURN_IF_ERROR(fs_.CreateDirs(state_directory()));
  kept_.clear();
  ASSIGN_OR_RETURN(const std::deque<int64_t> numbers, Numbers(kPrefix));
  for (const int64_t number : numbers) {
    const absl::StatusOr<proto::Checkpoint> checkpoint = Read(number);
    Kept kept{number, std::nullopt};
    if (checkpoint.ok()) kept.state_paths = StatePaths(*checkpoint);
    kept_.push_back(std::move(kept));
  }
  return absl::OkStatus();
}

// Two drivers may believe that the directory is theirs: one was taken for dead, or somebody has
// started the program twice. A number is given to one file only, so that each checkpoint is made by
// one that knows the one before; and who came before learns by its mark that it must not go on.
// That alone would do no harm, but the new one could come too late time and again: so it takes a
// number first.
absl::Status CheckpointStore::TakeOver() {
  if (owner_ == 0) RETURN_IF_ERROR(Claim());
  absl::Status sealed = absl::AlreadyExistsError("");
  for (int i = 0; i < kSealAttempts && absl::IsAlreadyExists(sealed); ++i) {
    RETURN_IF_ERROR(Open());
    const absl::StatusOr<std::string> latest =
        kept_.empty() ? "" : ReadWholeFile(fs_, PathOf(newest()), kFileBytesMax);
    RETURN_IF_ERROR(latest.status());
    sealed = kept_.empty() ? absl::OkStatus() : Append(*latest, kept_.back().state_paths);
  }
  RETURN_IF_ERROR(sealed);
  RETURN_IF_ERROR(DropOld());
  return RemoveLeftovers();
}

absl::Status CheckpointStore::Claim() {
  ASSIGN_OR_RETURN(const std::deque<int64_t> owners, Numbers(kOwnerPrefix));
  const int64_t mine = owners.empty() ? 1 : owners.back() + 1;
  ASSIGN_OR_RETURN(const auto mark, fs_.OpenForWrite(OwnerPath(mine), WriteMode::kCreateNew));
  RETURN_IF_ERROR(mark->Close());
  for (const int64_t owner : owners) RETURN_IF_ERROR(fs_.DeleteRecursively(OwnerPath(owner)));
  owner_ = mine;
  return absl::OkStatus();
}

// What a run that was cut off has left.
absl::Status CheckpointStore::RemoveLeftovers() {
  ASSIGN_OR_RETURN(const std::vector<FileInfo> files, fs_.List(directory_));
  for (const FileInfo& file : files) {
    const bool was_cut_off = !file.is_dir && absl::StartsWith(file.name, kPrefix) &&
                             absl::EndsWith(file.name, kTemporarySuffix);
    if (was_cut_off) RETURN_IF_ERROR(fs_.Delete(JoinPath(directory_, file.name)));
  }
  const std::optional<std::set<std::string>> needed = NeededStates();
  ASSIGN_OR_RETURN(const std::vector<FileInfo> states, fs_.List(state_directory()));
  for (const FileInfo& state : states) {
    const bool was_cut_off = !state.name.empty() && state.name.front() == '.';
    const std::string path = JoinPath(BaseName(state_directory()), state.name);
    if (!was_cut_off && (!needed || needed->contains(path))) continue;
    RETURN_IF_ERROR(fs_.DeleteRecursively(JoinPath(directory_, path)));
  }
  return absl::OkStatus();
}

absl::Status CheckpointStore::Write(const proto::Checkpoint& checkpoint) {
  if (owner_ == 0) RETURN_IF_ERROR(Claim());
  ASSIGN_OR_RETURN(const bool is_mine, fs_.Exists(OwnerPath(owner_)));
  if (!is_mine) return ReplacedError();
  const absl::Status appended = Append(EncodeCheckpoint(checkpoint), StatePaths(checkpoint));
  if (absl::IsAlreadyExists(appended)) return ReplacedError();
  RETURN_IF_ERROR(appended);
  return DropOld();
}

// AlreadyExists: the number is taken.
absl::Status CheckpointStore::Append(const std::string& bytes,
                                     std::optional<std::set<std::string>> state_paths) {
  const std::string path = PathOf(newest() + 1);
  const std::string temporary = absl::StrCat(path, ".", owner_, kTemporarySuffix);
  absl::Status status = WriteAndSync(fs_, temporary, bytes);
  if (status.ok()) status = fs_.RenameToNew(temporary, path);
  if (!status.ok()) {
    fs_.Delete(temporary).IgnoreError();
    return status;
  }
  kept_.push_back({newest() + 1, std::move(state_paths)});
  return fs_.SyncDir(directory_);
}

absl::Status CheckpointStore::ReplacedError() const {
  return absl::FailedPreconditionError(
      absl::StrCat("another driver writes its checkpoints into '", directory_,
                   "': this one, which did so before, must not any more"));
}

// States that no checkpoint has named yet are none of its business: one may be about to.
absl::Status CheckpointStore::DropOld() {
  std::set<std::string> dropped;
  while (kept_.size() > kKept) {
    RETURN_IF_ERROR(fs_.DeleteRecursively(PathOf(kept_.front().number)));
    if (kept_.front().state_paths) dropped.merge(*kept_.front().state_paths);
    kept_.pop_front();
  }
  const std::optional<std::set<std::string>> needed = NeededStates();
  for (const std::string& path : dropped) {
    if (!needed) continue;
    if (needed->contains(path) && !IsMade(Mistake::kNeededStateRemoved)) continue;
    RETURN_IF_ERROR(fs_.DeleteRecursively(JoinPath(directory_, path)));
  }
  return absl::OkStatus();
}

std::optional<std::set<std::string>> CheckpointStore::NeededStates() const {
  std::set<std::string> needed;
  for (const Kept& kept : kept_) {
    if (!kept.state_paths) return std::nullopt;
    needed.insert(kept.state_paths->begin(), kept.state_paths->end());
  }
  return needed;
}

}  // namespace millrace::internal
