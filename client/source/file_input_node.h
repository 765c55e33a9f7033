// Files that come into a directory.
#ifndef MILLRACE_CLIENT_SOURCE_FILE_INPUT_NODE_H_
#define MILLRACE_CLIENT_SOURCE_FILE_INPUT_NODE_H_

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/dstream/input_node.h"
#include "client/source/inputs.h"
#include "common/fs/file_system.h"

namespace millrace::internal {

// The batch at t takes a file of the directory when all of this holds:
//   - the filter takes its name, and it is no directory,
//   - it was modified after `ignore_before`, after t - W, and not after t; W reaches back further
//     where batches before t could not look for files, as while no driver was there, or were put
//     off,
//   - no batch of the last W has taken it,
// with W, how long files are remembered, a multiple of the batch interval. So a file must appear
// complete, with a recent modification time: move it in.
//
// Files are taken when the batch is made, whether or not an output asks for the data set. A batch
// that an earlier driver has made has the files that it had then, be it none.
//
// A directory that cannot be listed costs no batch: its files come when it can be listed again.
class FileInputNode final : public InputNode {
 public:
  struct Window {
    Time ignore_before;
    std::chrono::milliseconds remember;  // W
  };

  FileInputNode(StreamGraph& graph, const Operation& operation, const std::string& directory,
                const FileStreamOptions& options, Window window, ReadFiles read);

  void LookOutside() override;
  void BeginBatch(Time batch_time, const std::vector<ReceivedBlock>& blocks) override;
  void ForgetBefore(Time batch_time) override;
  void Restart() override;
  bool is_replayable() const override { return true; }
  bool HasChosen(Time batch_time) const override;
  bool HasInput(Time batch_time) const override;
  std::optional<Time> NextInput(Time /*next*/) const override { return later_; }
  void Save(proto::InputCheckpoint& to) const override;
  absl::Status Restore(const proto::InputCheckpoint& from) override;
  void PutOff(Time batch_time) override;

 private:
  struct Directory {
    std::string path;
    std::vector<FileInfo> children;
  };

  absl::StatusOr<RddRef> Compute(Time time) override;
  std::vector<InputFile> TakeNewFiles(Time time);
  bool IsWanted(const FileInfo& file, const std::string& path) const;
  void Report(Time time, const std::vector<InputFile>& files) const;

  const std::string directory_;
  const FileStreamOptions options_;
  Window window_;
  // Of the latest batch that another driver made; up to it there is nothing new to take.
  std::optional<Time> earlier_until_;
  // The latest batch that has looked for files and was not put off, and the one before it.
  std::optional<Time> last_looked_;
  Time looked_before_{0};
  std::optional<Time> later_;  // The first of those that were found and are of later batches.
  std::optional<std::vector<Directory>> found_;  // By the LookOutside of this batch.
  const ReadFiles read_;
  // Taken by batches of the last W, and by those that may have to be made again. `taken_` has what
  // all of `taken_by_batch_` have.
  std::map<Time, std::vector<InputFile>> taken_by_batch_;
  std::set<std::string> taken_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_SOURCE_FILE_INPUT_NODE_H_
