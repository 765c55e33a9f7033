#include "client/source/file_input_node.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/dstream/stream_graph.h"
#include "client/rdd/glob.h"
#include "client/sink/console.h"
#include "common/fs/path.h"
#include "glog/logging.h"
#include "proto/checkpoint.pb.h"

namespace millrace::internal {
namespace {

bool TakenByDefault(std::string_view name) {
  return !name.starts_with('.') && !name.starts_with('_');
}

}  // namespace

FileInputNode::FileInputNode(StreamGraph& graph, const Operation& operation,
                             const std::string& directory, const FileStreamOptions& options,
                             Window window, ReadFiles read)
    : InputNode(graph, operation, "File"),
      directory_(std::filesystem::absolute(directory).string()),
      options_(options),
      window_(window),
      read_(std::move(read)) {}

absl::StatusOr<RddRef> FileInputNode::Compute(Time time) {
  const auto known = taken_by_batch_.find(time);
  if (known != taken_by_batch_.end()) {
    Report(time, known->second);
    return read_(known->second);
  }
  if (graph().IsOfEarlierDriver(time)) return read_({});
  std::vector<InputFile> files = TakeNewFiles(time);
  Report(time, files);
  RddRef data_set = read_(files);
  taken_by_batch_[time] = std::move(files);
  return data_set;
}

std::vector<InputFile> FileInputNode::TakeNewFiles(Time time) {
  std::vector<InputFile> taken;
  const auto directories = ExpandGlob(*graph().context()->fs, directory_);
  if (!directories.ok()) {
    Console::Get().WriteLines([&] { LOG(WARNING) << label() << ": " << directories.status(); });
    return taken;
  }
  for (const std::string& directory : *directories) TakeFrom(directory, time, taken);
  last_batch_before_.reset();
  return taken;
}

void FileInputNode::TakeFrom(const std::string& directory, Time time,
                             std::vector<InputFile>& taken) {
  const auto children = graph().context()->fs->List(directory);
  if (!children.ok()) {
    Console::Get().WriteLines([&] { LOG(WARNING) << label() << ": " << children.status(); });
    return;
  }
  for (const FileInfo& child : *children) {
    std::string path = JoinPath(directory, child.name);
    if (!IsNew(child, path, time)) continue;
    taken_.insert(path);
    taken.push_back({std::move(path), child.size_bytes});
  }
}

bool FileInputNode::IsNew(const FileInfo& file, const std::string& path, Time time) const {
  const Time window_end = last_batch_before_.value_or(time);
  const Time oldest = std::max(window_.ignore_before, window_end - window_.remember);
  const Time modified(file.modified_ms);
  if (file.is_dir || modified <= oldest || modified > time || taken_.contains(path)) return false;
  return options_.filter ? options_.filter(file.name) : TakenByDefault(file.name);
}

void FileInputNode::Report(Time time, const std::vector<InputFile>& files) const {
  StreamInputInfo info;
  info.stream_id = input_id();
  std::string names;
  for (const InputFile& file : files) absl::StrAppend(&names, names.empty() ? "" : "\n", file.path);
  info.metadata["files"] = names;
  info.metadata["Description"] = names;
  graph().ReportInput(time, std::move(info));
}

bool FileInputNode::HasChosen(Time batch_time) const {
  const auto taken = taken_by_batch_.find(batch_time);
  return taken != taken_by_batch_.end() && !taken->second.empty();
}

void FileInputNode::Save(proto::InputCheckpoint& to) const {
  to.set_ignore_before_ms(window_.ignore_before.ms());
  for (const auto& [time, files] : taken_by_batch_) {
    if (files.empty()) continue;
    proto::InputBatch& batch = *to.add_batches();
    batch.set_time_ms(time.ms());
    for (const InputFile& file : files) {
      proto::InputFile& saved = *batch.add_files();
      saved.set_path(file.path);
      saved.set_size_bytes(file.bytes);
    }
  }
}

absl::Status FileInputNode::Restore(const proto::InputCheckpoint& from) {
  window_.ignore_before = Time(from.ignore_before_ms());
  last_batch_before_ = graph().last_batch_time();
  for (const proto::InputBatch& batch : from.batches()) {
    std::vector<InputFile>& files = taken_by_batch_[Time(batch.time_ms())];
    for (const proto::InputFile& file : batch.files()) {
      files.push_back({file.path(), file.size_bytes()});
      taken_.insert(file.path());
    }
  }
  return absl::OkStatus();
}

void FileInputNode::Restart() {
  InputNode::Restart();
  taken_by_batch_.clear();
  taken_.clear();
  last_batch_before_.reset();
}

void FileInputNode::ForgetBefore(Time batch_time) {
  InputNode::ForgetBefore(batch_time);
  const auto end = taken_by_batch_.upper_bound(
      std::min(batch_time - window_.remember, graph().ForgettableInputs(remember())));
  for (auto it = taken_by_batch_.begin(); it != end; ++it) {
    for (const InputFile& file : it->second) taken_.erase(file.path);
  }
  taken_by_batch_.erase(taken_by_batch_.begin(), end);
}

}  // namespace millrace::internal
