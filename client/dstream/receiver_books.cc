#include "client/dstream/receiver_books.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/fs/path.h"
#include "common/log/block_log.h"
#include "common/log/write_ahead_log.h"
#include "driver/receiver/received_block_tracker.h"
#include "proto/checkpoint.pb.h"

namespace millrace::internal {
namespace {

constexpr int kStartBits = ReceivedBlockTracker::kStartBits;
constexpr int64_t kStartsOnWorkersMax = 64;
constexpr size_t kUnheardRangesMax = 64;
// Sequences are 63 bits.
constexpr int64_t kStartsMax = int64_t{1} << (63 - kStartBits);

int64_t StartOf(const ReceivedBlock& block) { return block.id.sequence >> kStartBits; }

}  // namespace

ReceiverBooks::ReceiverBooks(LoggingRuns runs, const std::string& id, int64_t first_start)
    : runs_(std::move(runs)),
      name_(absl::StrCat(absl::Hex(XXH3_64bits(id.data(), id.size()), absl::kZeroPad16))),
      first_start_(first_start) {}

std::string ReceiverBooks::directory() const {
  return JoinPath(runs_.DirectoryOf(runs_.own), name_);
}

int64_t ReceiverBooks::first_sequence() const { return end_start_ << kStartBits; }

std::string ReceiverBooks::DirectoryOf(int64_t run, int64_t start) const {
  return JoinPath(JoinPath(runs_.DirectoryOf(run), name_), absl::StrCat(start));
}

absl::Status ReceiverBooks::Restore(const proto::ReceiverBooks& saved) {
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
  return RestoreUnheard(saved);
}

absl::Status ReceiverBooks::RestoreUnheard(const proto::ReceiverBooks& saved) {
  int64_t last_end = 0;
  for (const proto::StartRange& range : saved.unheard()) {
    const auto listed = starts_.lower_bound(range.begin());
    const bool has_listed = listed != starts_.end() && listed->first < range.end();
    const bool can_be =
        range.begin() >= last_end && range.end() > range.begin() && range.end() <= end_start_;
    if (!can_be || has_listed) {
      return absl::DataLossError(absl::StrCat("starts ", range.begin(), " to ", range.end(),
                                              " of its receiver cannot be, where ", end_start_,
                                              " have begun"));
    }
    unheard_.Append(range.begin(), range.end());
    last_end = range.end();
  }
  return absl::OkStatus();
}

absl::StatusOr<ReceivedBlock> ReceiverBooks::RestoreBlock(int64_t stream_id,
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

void ReceiverBooks::KnowEarlierStarts(int64_t end_start, bool may_count) {
  if (end_start <= end_start_ || end_start >= kStartsMax) return;
  if (may_count) KnowUnheard(end_start_, end_start);
  end_start_ = end_start;
}

void ReceiverBooks::KnowUnheard(int64_t begin, int64_t end) {
  for (auto listed = starts_.lower_bound(begin); listed != starts_.end() && listed->first < end;
       ++listed) {
    unheard_.Append(begin, listed->first);
    begin = listed->first + 1;
  }
  unheard_.Append(begin, end);
}

ReceiverBooks::Blocks ReceiverBooks::TakeOver(const Blocks& held) const {
  Blocks taken;
  for (const ReceivedBlock& block : held) {
    const auto start = starts_.find(StartOf(block));
    const bool is_new =
        start == starts_.end()
            ? unheard_.Contains(StartOf(block))
            : start->second.run == 0 && block.id.sequence > start->second.assigned_sequence;
    if (is_new && !block.log_place.has_value()) taken.push_back(block);
  }
  return taken;
}

TakenOverStarts ReceiverBooks::StartsOnWorkers() const {
  TakenOverStarts known{.assigned = {}, .unheard = unheard_};
  for (const auto& [number, start] : starts_) {
    if (start.run == 0) known.assigned[number] = start.assigned_sequence;
  }
  return known;
}

bool ReceiverBooks::IsDone(int64_t start, int64_t done_below) const {
  const auto known = starts_.find(start);
  if (known != starts_.end()) return known->second.is_ended;
  return start < done_below && !unheard_.Contains(start);
}

ReceiverBooks::Segments ReceiverBooks::NamedSegments(const Batches& batches) const {
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

absl::Status ReceiverBooks::AddHoles(FileSystem& fs, Segments& named) const {
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

absl::StatusOr<std::set<std::string>> ReceiverBooks::MissingSegments(FileSystem& fs,
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

absl::StatusOr<ReceiverBooks::Blocks> ReceiverBooks::ReadEarlier(FileSystem& fs, int64_t stream_id,
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
  if (recovers) KnowUnheard(done_below, end_start_);
  return found;
}

absl::Status ReceiverBooks::ReadRun(FileSystem& fs, int64_t stream_id, int64_t run,
                                    int64_t done_below, bool recovers, Blocks& found) {
  const std::string of_stream = JoinPath(runs_.DirectoryOf(run), name_);
  ASSIGN_OR_RETURN(const std::vector<int64_t> numbers, ListNumbered(fs, of_stream, ""));
  for (const int64_t number : numbers) {
    end_start_ = std::max(end_start_, number + 1);
    const std::string directory = DirectoryOf(run, number);
    earlier_directories_.insert(directory);
    if (!recovers || IsDone(number, done_below)) continue;
    unheard_.Remove(number);
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
void ReceiverBooks::KnowStartsUpTo(int64_t start) {
  for (; end_start_ <= start; ++end_start_) starts_[end_start_].run = runs_.own;
}

ReceiverBooks::Start* ReceiverBooks::Hear(int64_t start) {
  KnowStartsUpTo(start);
  if (unheard_.Contains(start)) {
    unheard_.Remove(start);
    return &starts_[start];
  }
  const auto known = starts_.find(start);
  return known == starts_.end() ? nullptr : &known->second;
}

void ReceiverBooks::Assign(const Blocks& blocks) {
  for (const ReceivedBlock& block : blocks) {
    Start* const start = Hear(StartOf(block));
    // Of a batch that is made once more.
    if (start == nullptr || block.id.sequence <= start->assigned_sequence) continue;
    start->assigned_sequence = block.id.sequence;
    if (!block.log_place.has_value()) continue;
    start->assigned_segment = std::max(start->assigned_segment, block.log_place->segment);
  }
}

void ReceiverBooks::Expect(const Blocks& blocks) {
  for (const ReceivedBlock& block : blocks) {
    Start* const start = Hear(StartOf(block));
    if (start == nullptr) continue;
    start->expected_sequence = std::max(start->expected_sequence, block.id.sequence);
  }
}

void ReceiverBooks::End(const std::vector<int64_t>& starts) {
  for (const int64_t number : starts) {
    if (Start* const start = Hear(number)) start->is_ended = true;
  }
}

void ReceiverBooks::SaveBlock(const ReceivedBlock& block, proto::InputBlock& to) {
  to.set_sequence(block.id.sequence);
  to.set_record_count(block.record_count);
  to.set_size_bytes(block.size_bytes);
  to.set_metadata(block.metadata);
  if (!block.log_place.has_value()) return;
  to.set_segment(block.log_place->segment);
  to.set_offset(block.log_place->offset);
  to.set_logged_bytes(block.log_place->size_bytes);
}

void ReceiverBooks::Save(const Batches& batches, proto::ReceiverBooks& to) {
  std::set<int64_t> read;  // By batches.
  for (const auto& [time, blocks] : batches) {
    for (const ReceivedBlock& block : blocks) read.insert(StartOf(block));
  }
  std::erase_if(starts_, [&](const auto& entry) {
    return entry.second.is_done() && !read.contains(entry.first);
  });
  ForgetOldStarts(read);
  unheard_.KeepLast(kUnheardRangesMax);
  to.set_end_start(end_start_);
  for (const auto& [begin, end] : unheard_.ranges()) {
    proto::StartRange& saved = *to.add_unheard();
    saved.set_begin(begin);
    saved.set_end(end);
  }
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
void ReceiverBooks::ForgetOldStarts(const std::set<int64_t>& read) {
  int64_t kept = 0;
  for (auto start = starts_.end(); start != starts_.begin();) {
    --start;
    const bool is_old = start->second.run == 0 && ++kept > kStartsOnWorkersMax;
    if (is_old && !read.contains(start->first)) start = starts_.erase(start);
  }
}

std::vector<NeededLog> ReceiverBooks::Needed(const Batches& batches) const {
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
