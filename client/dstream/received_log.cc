#include "client/dstream/received_log.h"

#include <xxhash.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/fs/path.h"
#include "common/log/block_log.h"
#include "common/log/write_ahead_log.h"
#include "driver/receiver/received_block_tracker.h"
#include "proto/checkpoint.pb.h"

namespace millrace::internal {
namespace {

constexpr char kRoot[] = "receivedData";
constexpr char kRunPrefix[] = "run-";
constexpr char kSeal[] = "sealed";
constexpr int kStartBits = ReceivedBlockTracker::kStartBits;
// Of runs whose data is gone so many keep their seals, should a worker of theirs still live.
constexpr size_t kSealsKept = 16;
constexpr int kBeginAttempts = 100;
constexpr int64_t kStartsOnWorkersMax = 64;
// Sequences are 63 bits.
constexpr int64_t kStartsMax = int64_t{1} << (63 - kStartBits);

int64_t StartOf(const ReceivedBlock& block) { return block.id.sequence >> kStartBits; }

std::optional<int64_t> NumberOf(absl::string_view name, absl::string_view prefix) {
  int64_t number = 0;
  const bool is_number = absl::ConsumePrefix(&name, prefix) && absl::SimpleAtoi(name, &number);
  if (!is_number || number < 0 || number >= kStartsMax - 1) return std::nullopt;
  return number;
}

// The directories in `directory` whose names are `prefix` and a number, rising. Empty where there
// is none.
absl::StatusOr<std::vector<int64_t>> ListNumbered(FileSystem& fs, const std::string& directory,
                                                  absl::string_view prefix) {
  std::vector<int64_t> numbers;
  const auto files = fs.List(directory);
  if (absl::IsNotFound(files.status())) return numbers;
  RETURN_IF_ERROR(files.status());
  for (const FileInfo& file : *files) {
    const auto number = NumberOf(file.name, prefix);
    if (file.is_dir && number.has_value()) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// Nothing but its seal is left.
absl::StatusOr<bool> IsRunEmpty(FileSystem& fs, const std::string& directory) {
  ASSIGN_OR_RETURN(const std::vector<FileInfo> files, fs.List(directory));
  return std::none_of(files.begin(), files.end(), [](const FileInfo& file) { return file.is_dir; });
}

// Behind this, the directory is ours: two drivers that begin at once have different ones.
absl::Status ClaimRun(FileSystem& fs, const std::string& directory) {
  RETURN_IF_ERROR(fs.CreateDirs(directory));
  ASSIGN_OR_RETURN(const auto file,
                   fs.OpenForWrite(JoinPath(directory, "owner"), WriteMode::kCreateNew));
  RETURN_IF_ERROR(file->Sync());
  RETURN_IF_ERROR(file->Close());
  for (std::string synced = directory; synced.size() > 1; synced = std::string(DirName(synced))) {
    RETURN_IF_ERROR(fs.SyncDir(synced));
    if (BaseName(synced) == kRoot) return fs.SyncDir(std::string(DirName(synced)));
  }
  return absl::OkStatus();
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// Runs.

std::string LoggingRuns::DirectoryOf(int64_t run) const {
  return JoinPath(root, absl::StrFormat("%s%06d", kRunPrefix, run));
}

std::string LoggingRuns::SealOf(int64_t run) const { return JoinPath(DirectoryOf(run), kSeal); }

absl::StatusOr<LoggingRuns> BeginLogging(FileSystem& fs, const std::string& checkpoint_directory,
                                         bool logs) {
  LoggingRuns runs;
  runs.root = JoinPath(checkpoint_directory, kRoot);
  ASSIGN_OR_RETURN(runs.earlier, ListNumbered(fs, runs.root, kRunPrefix));
  const int64_t last = runs.earlier.empty() ? 0 : runs.earlier.back();
  if (!logs) return runs;
  for (int64_t run = last + 1; run <= last + kBeginAttempts; ++run) {
    const absl::Status claimed = ClaimRun(fs, runs.DirectoryOf(run));
    if (absl::IsAlreadyExists(claimed)) continue;
    RETURN_IF_ERROR(claimed);
    runs.own = run;
    return runs;
  }
  return absl::AbortedError(absl::StrCat("other drivers log in '", runs.root, "', too"));
}

absl::Status SealEarlier(FileSystem& fs, const LoggingRuns& runs) {
  for (const int64_t run : runs.earlier) {
    ASSIGN_OR_RETURN(const bool is_sealed, fs.Exists(runs.SealOf(run)));
    if (!is_sealed) RETURN_IF_ERROR(SealLog(fs, runs.SealOf(run)));
  }
  for (size_t i = 0; i + kSealsKept < runs.earlier.size(); ++i) {
    const std::string oldest = runs.DirectoryOf(runs.earlier[i]);
    ASSIGN_OR_RETURN(const bool is_empty, IsRunEmpty(fs, oldest));
    if (!is_empty) break;
    RETURN_IF_ERROR(fs.DeleteRecursively(oldest));
  }
  return absl::OkStatus();
}

// ---------------------------------------------------------------------------------------------
// One stream.

ReceivedLog::ReceivedLog(LoggingRuns runs, const std::string& id, int64_t first_start)
    : runs_(std::move(runs)),
      name_(absl::StrCat(absl::Hex(XXH3_64bits(id.data(), id.size()), absl::kZeroPad16))),
      first_start_(first_start) {}

std::string ReceivedLog::directory() const { return JoinPath(runs_.DirectoryOf(runs_.own), name_); }

int64_t ReceivedLog::first_sequence() const { return end_start_ << kStartBits; }

std::string ReceivedLog::DirectoryOf(int64_t run, int64_t start) const {
  return JoinPath(JoinPath(runs_.DirectoryOf(run), name_), absl::StrCat(start));
}

absl::Status ReceivedLog::Restore(const proto::ReceivedLog& saved) {
  if (saved.end_start() < 0 || saved.end_start() >= kStartsMax) {
    return absl::DataLossError(absl::StrCat(saved.end_start(), " starts of its receiver"));
  }
  end_start_ = saved.end_start();
  for (const proto::LogStart& start : saved.starts()) {
    if (start.start() < 0 || start.start() >= end_start_ || start.run() < 0) {
      return absl::DataLossError(absl::StrCat("the log of start ", start.start(), " of run ",
                                              start.run(), " cannot be, where ", end_start_,
                                              " starts have begun"));
    }
    starts_[start.start()] = {start.run(), start.assigned_sequence(), start.assigned_segment(),
                              start.is_ended(), /*expected_sequence=*/-1};
  }
  return absl::OkStatus();
}

absl::StatusOr<ReceivedBlock> ReceivedLog::RestoreBlock(int64_t stream_id,
                                                        const proto::InputBlock& saved) const {
  const auto start = starts_.find(saved.sequence() >> kStartBits);
  const bool is_logged = saved.logged_bytes() > 0;
  const bool is_known = !is_logged || (start != starts_.end() && start->second.run > 0);
  if (saved.sequence() < 0 || !is_known) {
    return absl::DataLossError(
        absl::StrCat("block ", saved.sequence(), " is of no start that is known"));
  }
  ReceivedBlock block;
  block.id = {stream_id, saved.sequence()};
  block.record_count = saved.record_count();
  block.size_bytes = saved.size_bytes();
  block.metadata = saved.metadata();
  if (is_logged) {
    block.log_place = BlockLogPlace{DirectoryOf(start->second.run, start->first), saved.segment(),
                                    saved.offset(), saved.logged_bytes()};
  }
  return block;
}

ReceivedLog::Blocks ReceivedLog::TakeOver(const Blocks& held, int64_t end_start) {
  // A worker's number: no more starts are listed for it than are kept.
  if (end_start > 0 && end_start < kStartsMax) {
    end_start_ = std::max(end_start_, end_start - kStartsOnWorkersMax);
    KnowStartsUpTo(end_start - 1);
  }
  Blocks taken;
  for (const ReceivedBlock& block : held) {
    const auto start = starts_.find(StartOf(block));
    const bool is_new = !block.log_place.has_value() && start != starts_.end() &&
                        start->second.run == 0 &&
                        block.id.sequence > start->second.assigned_sequence;
    if (is_new) taken.push_back(block);
  }
  return taken;
}

std::map<int64_t, int64_t> ReceivedLog::AssignedOnWorkers() const {
  std::map<int64_t, int64_t> assigned;
  for (const auto& [number, start] : starts_) {
    if (start.run == 0) assigned[number] = start.assigned_sequence;
  }
  return assigned;
}

bool ReceivedLog::IsDone(int64_t start, int64_t done_below) const {
  const auto known = starts_.find(start);
  return known == starts_.end() ? start < done_below : known->second.is_ended;
}

ReceivedLog::Segments ReceivedLog::NamedSegments(const Batches& batches) const {
  Segments named;
  for (const auto& [number, start] : starts_) {
    const bool is_to_read = start.run > 0 && !start.is_ended && start.assigned_segment > 0;
    if (is_to_read) named[DirectoryOf(start.run, number)].insert(start.assigned_segment);
  }
  for (const auto& [time, blocks] : batches) {
    for (const ReceivedBlock& block : blocks) {
      if (!block.log_place.has_value()) continue;
      named[block.log_place->directory].insert(block.log_place->segment);
    }
  }
  return named;
}

absl::Status ReceivedLog::AddHoles(FileSystem& fs, Segments& named) const {
  for (const int64_t run : runs_.earlier) {
    const std::string of_stream = JoinPath(runs_.DirectoryOf(run), name_);
    ASSIGN_OR_RETURN(const std::vector<int64_t> numbers, ListNumbered(fs, of_stream, ""));
    for (const int64_t number : numbers) {
      if (IsDone(number, end_start_)) continue;
      const std::string directory = DirectoryOf(run, number);
      ASSIGN_OR_RETURN(const std::vector<int64_t> there, ListSegments(fs, directory));
      const auto known = starts_.find(number);
      const int64_t assigned = known == starts_.end() ? 0 : known->second.assigned_segment;
      int64_t next = std::max<int64_t>(assigned, 1);
      for (const int64_t segment : there) {
        if (segment < next) continue;
        if (segment > next) named[directory].insert(next);
        next = segment + 1;
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::set<std::string>> ReceivedLog::MissingSegments(FileSystem& fs,
                                                                   const Batches& batches) const {
  Segments named = NamedSegments(batches);
  RETURN_IF_ERROR(AddHoles(fs, named));
  std::set<std::string> missing;
  for (const auto& [directory, segments] : named) {
    ASSIGN_OR_RETURN(const std::vector<int64_t> there, ListSegments(fs, directory));
    for (const int64_t segment : segments) {
      if (std::binary_search(there.begin(), there.end(), segment)) continue;
      missing.insert(JoinPath(directory, SegmentName(segment)));
    }
  }
  return missing;
}

absl::StatusOr<ReceivedLog::Blocks> ReceivedLog::ReadEarlier(FileSystem& fs, int64_t stream_id,
                                                             bool recovers) {
  Blocks found;
  const int64_t done_below = end_start_;
  for (const int64_t run : runs_.earlier) {
    RETURN_IF_ERROR(ReadRun(fs, stream_id, run, done_below, recovers, found));
  }
  std::sort(found.begin(), found.end(), [](const ReceivedBlock& a, const ReceivedBlock& b) {
    return a.id.sequence < b.id.sequence;
  });
  Expect(found);
  end_start_ = std::max(end_start_, first_start_);
  return found;
}

absl::Status ReceivedLog::ReadRun(FileSystem& fs, int64_t stream_id, int64_t run,
                                  int64_t done_below, bool recovers, Blocks& found) {
  const std::string of_stream = JoinPath(runs_.DirectoryOf(run), name_);
  ASSIGN_OR_RETURN(const std::vector<int64_t> numbers, ListNumbered(fs, of_stream, ""));
  for (const int64_t number : numbers) {
    end_start_ = std::max(end_start_, number + 1);
    const std::string directory = DirectoryOf(run, number);
    earlier_directories_.insert(directory);
    if (!recovers || IsDone(number, done_below)) continue;
    Start& start = starts_[number];
    start.run = run;
    start.is_ended = true;  // It is sealed.
    ASSIGN_OR_RETURN(const std::vector<proto::StoredBlock> logged,
                     ListLoggedBlocks(fs, directory, start.assigned_segment));
    for (const proto::StoredBlock& stored : logged) {
      const int64_t sequence = stored.id().sequence();
      if (sequence <= start.assigned_sequence || sequence >> kStartBits != number) continue;
      ReceivedBlock block;
      block.id = {stream_id, sequence};
      block.record_count = stored.record_count();
      block.size_bytes = stored.size_bytes();
      block.metadata = stored.metadata();
      block.log_place =
          BlockLogPlace{directory, stored.id().place().segment(), stored.id().place().offset(),
                        stored.id().place().size_bytes()};
      found.push_back(std::move(block));
    }
  }
  return absl::OkStatus();
}

// ---------------------------------------------------------------------------------------------
// Batches.

// A start of which nothing was heard may have logged something all the same.
void ReceivedLog::KnowStartsUpTo(int64_t start) {
  for (; end_start_ <= start; ++end_start_) starts_[end_start_].run = runs_.own;
}

void ReceivedLog::Assign(const Blocks& blocks) {
  for (const ReceivedBlock& block : blocks) {
    KnowStartsUpTo(StartOf(block));
    const auto start = starts_.find(StartOf(block));
    // Of a batch that is made once more.
    if (start == starts_.end() || block.id.sequence <= start->second.assigned_sequence) continue;
    start->second.assigned_sequence = block.id.sequence;
    if (!block.log_place.has_value()) continue;
    start->second.assigned_segment =
        std::max(start->second.assigned_segment, block.log_place->segment);
  }
}

void ReceivedLog::Expect(const Blocks& blocks) {
  for (const ReceivedBlock& block : blocks) {
    const auto start = starts_.find(StartOf(block));
    if (start == starts_.end()) continue;
    start->second.expected_sequence = std::max(start->second.expected_sequence, block.id.sequence);
  }
}

void ReceivedLog::End(const std::vector<int64_t>& starts) {
  for (const int64_t start : starts) {
    KnowStartsUpTo(start);
    const auto known = starts_.find(start);
    if (known != starts_.end()) known->second.is_ended = true;
  }
}

void ReceivedLog::SaveBlock(const ReceivedBlock& block, proto::InputBlock& to) {
  to.set_sequence(block.id.sequence);
  to.set_record_count(block.record_count);
  to.set_size_bytes(block.size_bytes);
  to.set_metadata(block.metadata);
  if (!block.log_place.has_value()) return;
  to.set_segment(block.log_place->segment);
  to.set_offset(block.log_place->offset);
  to.set_logged_bytes(block.log_place->size_bytes);
}

void ReceivedLog::Save(const Batches& batches, proto::ReceivedLog& to) {
  std::set<int64_t> read;  // By batches.
  for (const auto& [time, blocks] : batches) {
    for (const ReceivedBlock& block : blocks) read.insert(StartOf(block));
  }
  std::erase_if(starts_, [&](const auto& entry) {
    return entry.second.is_done() && !read.contains(entry.first);
  });
  ForgetOldStarts(read);
  to.set_end_start(end_start_);
  for (const auto& [number, start] : starts_) {
    proto::LogStart& saved = *to.add_starts();
    saved.set_start(number);
    saved.set_run(start.run);
    saved.set_assigned_sequence(start.assigned_sequence);
    saved.set_assigned_segment(start.assigned_segment);
    saved.set_is_ended(start.is_done());
  }
}

// A worker that was thought lost may have a copy of a block of any start, and a receiver may be
// started again for ever: what comes later than so many starts is not missed.
void ReceivedLog::ForgetOldStarts(const std::set<int64_t>& read) {
  int64_t kept = 0;
  for (auto start = starts_.end(); start != starts_.begin();) {
    --start;
    const bool is_old = start->second.run == 0 && ++kept > kStartsOnWorkersMax;
    if (is_old && !read.contains(start->first)) start = starts_.erase(start);
  }
}

std::vector<NeededLog> ReceivedLog::Needed(const Batches& batches) const {
  constexpr int64_t kNothing = INT64_MAX;
  std::map<int64_t, int64_t> first;  // Segment, by start.
  for (const auto& [number, start] : starts_) {
    first[number] = start.is_done() || start.run == 0 ? kNothing : start.assigned_segment;
  }
  for (const auto& [time, blocks] : batches) {
    for (const ReceivedBlock& block : blocks) {
      const auto start = first.find(StartOf(block));
      if (!block.log_place.has_value() || start == first.end()) continue;
      start->second = std::min(start->second, block.log_place->segment);
    }
  }
  std::vector<NeededLog> needed;
  for (const auto& [number, segment] : first) {
    if (segment == kNothing) continue;
    needed.push_back({DirectoryOf(starts_.at(number).run, number), segment});
  }
  return needed;
}

}  // namespace millrace::internal
