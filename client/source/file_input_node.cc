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

void FileInputNode::LookOutside() {
  FileSystem& fs = *graph().context()->fs;
  found_.reset();
  const auto directories = ExpandGlob(fs, directory_);
  if (!directories.ok()) {
    Console::Get().WriteLines([&] { LOG(WARNING) << label() << ": " << directories.status(); });
    return;
  }
  found_.emplace();
  for (const std::string& directory : *directories) {
    auto children = fs.List(directory);
    if (children.ok()) {
      found_->push_back({directory, *std::move(children)});
    } else {
      Console::Get().WriteLines([&] { LOG(WARNING) << label() << ": " << children.status(); });
    }
  }
}

void FileInputNode::BeginBatch(Time batch_time, const std::vector<ReceivedBlock>& /*blocks*/) {
  if (!is_needed()) return;
  const bool is_made = taken_by_batch_.contains(batch_time) || batch_time <= earlier_until_;
  std::vector<InputFile>& files = taken_by_batch_[batch_time];
  if (!is_made) files = TakeNewFiles(batch_time);
  Report(batch_time, files);
}

absl::StatusOr<RddRef> FileInputNode::Compute(Time time) {
  const auto known = taken_by_batch_.find(time);
  if (known != taken_by_batch_.end()) return read_(known->second);
  // Asked for before its batch, or when it is forgotten, or it could not be made.
  if (time > graph().last_batch_time()) graph().MarkProvisional();
  return read_({});
}

std::vector<InputFile> FileInputNode::TakeNewFiles(Time time) {
  std::vector<InputFile> taken;
  if (!found_) return taken;
  const Time window_end =
      last_looked_ ? std::min(time, *last_looked_ + graph().batch_interval()) : time;
  const Time oldest = std::max(window_.ignore_before, window_end - window_.remember);
  looked_before_ = last_looked_.value_or(time - graph().batch_interval());
  last_looked_ = time;
  later_.reset();
  for (const Directory& directory : *found_) {
    for (const FileInfo& child : directory.children) {
      std::string path = JoinPath(directory.path, child.name);
      const Time modified(child.modified_ms);
      if (modified <= oldest || !IsWanted(child, path)) continue;
      if (modified > time) {
        later_ = std::min(modified, later_.value_or(modified));
        continue;
      }
      taken_.insert(path);
      taken.push_back({std::move(path), child.size_bytes});
    }
  }
  return taken;
}

bool FileInputNode::IsWanted(const FileInfo& file, const std::string& path) const {
  if (file.is_dir || taken_.contains(path)) return false;
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

// A batch without files, too: what is moved in behind it must not come into it.
bool FileInputNode::HasChosen(Time batch_time) const {
  return taken_by_batch_.contains(batch_time);
}

bool FileInputNode::HasInput(Time batch_time) const {
  const auto taken = taken_by_batch_.find(batch_time);
  return taken != taken_by_batch_.end() && !taken->second.empty();
}

void FileInputNode::Save(proto::InputCheckpoint& to) const {
  to.set_ignore_before_ms(window_.ignore_before.ms());
  if (last_looked_) to.set_looked_until_ms(last_looked_->ms());
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
  earlier_until_ = last_looked_ = graph().last_batch_time();
  // What batches since had was put off: it is for the next one, however old it is by then.
  if (from.has_looked_until_ms()) {
    last_looked_ = std::min(*last_looked_, Time(from.looked_until_ms()));
  }
  for (const proto::InputBatch& batch : from.batches()) {
    std::vector<InputFile>& files = taken_by_batch_[Time(batch.time_ms())];
    for (const proto::InputFile& file : batch.files()) {
      files.push_back({file.path(), file.size_bytes()});
      taken_.insert(file.path());
    }
  }
  return absl::OkStatus();
}

void FileInputNode::PutOff(Time batch_time) {
  const auto batch = taken_by_batch_.find(batch_time);
  if (batch == taken_by_batch_.end()) return;
  for (const InputFile& file : batch->second) taken_.erase(file.path);
  taken_by_batch_.erase(batch);
  if (last_looked_ == batch_time) last_looked_ = looked_before_;
}

void FileInputNode::Restart() {
  InputNode::Restart();
  taken_by_batch_.clear();
  taken_.clear();
  earlier_until_.reset();
  last_looked_.reset();
}

void FileInputNode::ForgetBefore(Time batch_time) {
  InputNode::ForgetBefore(batch_time);
  const Time looked = std::min(batch_time, last_looked_.value_or(batch_time));
  const auto end = taken_by_batch_.upper_bound(
      std::min(looked - window_.remember, graph().ForgettableInputs(remember())));
  for (auto it = taken_by_batch_.begin(); it != end; ++it) {
    for (const InputFile& file : it->second) taken_.erase(file.path);
  }
  taken_by_batch_.erase(taken_by_batch_.begin(), end);
}

}  // namespace millrace::internal
