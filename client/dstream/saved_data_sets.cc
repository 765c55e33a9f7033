#include "client/dstream/saved_data_sets.h"

#include <xxhash.h>

#include <algorithm>
#include <set>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/dstream/state_node.h"
#include "client/dstream/stream_graph.h"
#include "client/rdd/lineage.h"
#include "client/rdd/save.h"
#include "common/base/status_macros.h"
#include "common/fs/atomic_output.h"
#include "common/fs/path.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

// "KEY-TIME-PARTITIONS"
struct Name {
  std::string key;
  Time time{0};
  int num_partitions = 0;
};

std::optional<Name> Parse(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '-');
  int64_t time_ms = 0;
  Name name;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[1], &time_ms) ||
      !absl::SimpleAtoi(parts[2], &name.num_partitions) || name.num_partitions < 0) {
    return std::nullopt;
  }
  name.key = parts[0];
  name.time = Time(time_ms);
  return name;
}

std::string ToText(const Name& name) {
  return absl::StrCat(name.key, "-", name.time.ms(), "-", name.num_partitions);
}

// Records of another type are those of another stream.
std::string KeyFor(const std::string& id, const std::string& schema) {
  const std::string text = absl::StrCat(id, "\n", schema);
  return absl::StrCat(absl::Hex(XXH3_64bits(text.data(), text.size()), absl::kZeroPad16));
}

RddRef ReadFiles(const ContextRef& context, const std::string& path, const DataSetFormat& format,
                 const Name& name) {
  std::vector<std::string> files;
  files.reserve(static_cast<size_t>(name.num_partitions));
  for (int i = 0; i < name.num_partitions; ++i) files.push_back(JoinPath(path, PartFileName(i)));
  RddRef data_set = MakeSplits(context, format.read, *format.type, std::move(files));
  data_set->batch_time_ms = name.time.ms();
  return data_set;
}

absl::Status CheckWhole(FileSystem& fs, const std::string& path, int num_partitions) {
  ASSIGN_OR_RETURN(const std::vector<FileInfo> files, fs.List(path));
  std::set<std::string> names;
  for (const FileInfo& file : files) names.insert(file.name);
  for (int i = 0; i < num_partitions; ++i) {
    if (names.contains(PartFileName(i))) continue;
    return absl::NotFoundError(absl::StrCat("'", JoinPath(path, PartFileName(i)), "' is missing"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SavedDataSets::Open(const std::map<const DStreamNode*, std::string>& ids) {
  for (const auto& [stream, id] : ids) {
    const bool is_saved = stream->user_set_checkpoint_interval() && graph_.IsNeeded(*stream) &&
                          dynamic_cast<const StateNode*>(stream) == nullptr &&
                          stream->format().write != nullptr;
    if (is_saved) keys_[stream] = KeyFor(id, stream->format().schema);
  }
  const absl::StatusOr<std::vector<FileInfo>> files = fs_.List(directory_);
  if (absl::IsNotFound(files.status())) return absl::OkStatus();
  RETURN_IF_ERROR(files.status());
  const absl::MutexLock lock(&mutex_);
  for (const FileInfo& file : *files) {
    const std::optional<Name> name = Parse(file.name);
    const bool is_known = name && std::any_of(keys_.begin(), keys_.end(), [&](const auto& key) {
                            return key.second == name->key;
                          });
    if (is_known) {
      there_.emplace(Place(name->key, name->time), file.name);
    } else {
      of_nobody_.push_back(file.name);
    }
  }
  return absl::OkStatus();
}

void SavedDataSets::Made(const DStreamNode& stream, Time time, const RddRef& data_set) {
  const auto key = keys_.find(&stream);
  const bool is_due = key != keys_.end() && data_set != nullptr &&
                      !graph_.IsOfEarlierDriver(time) &&
                      ((time - graph_.zero_time()) % *stream.checkpoint_interval()).count() == 0;
  if (is_due) due_.push_back({key->second, time, data_set, stream.format()});
}

void SavedDataSets::Save(const ContextRef& context, const Due& due) {
  const Name name{due.key, due.time, due.data_set->num_partitions};
  const std::string path = JoinPath(directory_, ToText(name));
  const absl::Status status = SaveFiles(context, due.data_set, due.format.write, path);
  if (!status.ok()) {
    LOG(ERROR) << "the data set of batch " << due.time.ms() << " ms cannot be saved: " << status;
    return;
  }
  RddRef saved = ReadFiles(context, path, due.format, name);
  saved->partitioner = due.data_set->partitioner;
  saved->offset_ranges = due.data_set->offset_ranges;
  const absl::MutexLock lock(&mutex_);
  const Place place(due.key, due.time);
  there_.emplace(place, ToText(name));
  saved_[place] = std::move(saved);
}

RddRef SavedDataSets::TakeSaved(const DStreamNode& stream, Time time) {
  const auto key = keys_.find(&stream);
  if (key == keys_.end()) return nullptr;
  const absl::MutexLock lock(&mutex_);
  const auto saved = saved_.extract(Place(key->second, time));
  return saved.empty() ? nullptr : saved.mapped();
}

RddRef SavedDataSets::FindEarlier(const DStreamNode& stream, Time time) {
  const auto key = keys_.find(&stream);
  if (key == keys_.end() || !graph_.IsOfEarlierDriver(time)) return nullptr;
  std::vector<std::string> names;
  {
    const absl::MutexLock lock(&mutex_);
    const auto [begin, end] = there_.equal_range(Place(key->second, time));
    for (auto it = begin; it != end; ++it) names.push_back(it->second);
  }
  for (const std::string& text : names) {
    const std::string path = JoinPath(directory_, text);
    const Name name = *Parse(text);
    const absl::Status whole = CheckWhole(fs_, path, name.num_partitions);
    if (whole.ok()) return ReadFiles(graph_.context(), path, stream.format(), name);
    LOG(WARNING) << stream.label() << ": what was saved in batch " << ToString(time)
                 << " is not all there: " << whole;
  }
  return nullptr;
}

std::vector<std::string> SavedDataSets::TakeForgotten(Time written_completed) {
  const absl::MutexLock lock(&mutex_);
  std::vector<std::string> names = std::exchange(of_nobody_, {});
  for (const auto& [stream, key] : keys_) {
    const Time forgotten = std::min(graph_.ForgettableInputs(stream->remember()),
                                    written_completed - stream->remember());
    const auto begin = there_.lower_bound(Place(key, Time(INT64_MIN)));
    const auto end = there_.upper_bound(Place(key, forgotten));
    for (auto it = begin; it != end; ++it) names.push_back(it->second);
    there_.erase(begin, end);
    saved_.erase(saved_.lower_bound(Place(key, Time(INT64_MIN))),
                 saved_.upper_bound(Place(key, forgotten)));
  }
  for (std::string& name : names) name = JoinPath(directory_, name);
  return names;
}

}  // namespace millrace::internal
