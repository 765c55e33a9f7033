// Declaring input streams: the part that does not depend on the record type. Light, for user
// programs include it.
#ifndef MILLRACE_CLIENT_SOURCE_INPUTS_H_
#define MILLRACE_CLIENT_SOURCE_INPUTS_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "client/dstream/stream_ref.h"
#include "driver/batch/streaming_handle.h"

namespace millrace {

// Which files of its directory a file stream takes.
struct FileStreamOptions {
  // Of the file's name without its directory. Without a filter: all whose names do not begin with
  // `.` or `_`, the marks of files that are still being written.
  std::function<bool(std::string_view file_name)> filter = {};
  // Only files that are modified after the stream was made, not those of the last minute before it
  // (millrace.streaming.fileStream.minRememberDuration).
  bool new_files_only = true;
};

namespace internal {

// A receiver stream. `kind` as in "Socket stream [0]"; `receiver_class` as in "SocketReceiver-0".
// `read` is the leaf that reads blocks of records of `type`.
StreamRef AddReceiver(const Operation& operation, const std::shared_ptr<StreamGraph>& graph,
                      std::string kind, std::string receiver_class, ReceiverSpec spec,
                      OperatorRef read, const RecordTypeOperators& type);

StreamRef AddGenerated(const Operation& operation, const std::shared_ptr<StreamGraph>& graph,
                       std::string kind, GenerateDataSet generate,
                       IsRepeatable repeatable = IsRepeatable::kNo);

struct InputFile {
  std::string path;
  int64_t bytes = 0;
};
// Makes the data set of the files of one batch.
using ReadFiles = std::function<RddRef(const std::vector<InputFile>&)>;
// The files that come into `directory`, which may have wildcards (see ExpandGlob). `now`: when the
// stream is made.
StreamRef AddFiles(const Operation& operation, const std::shared_ptr<StreamGraph>& graph,
                   const std::string& directory, const FileStreamOptions& options, Time now,
                   ReadFiles read);

// Lines of text: pieces of files, each skipped with a warning when its file cannot be read.
RddRef ReadTextFiles(const ContextRef& context, const OperatorRef& op,
                     const RecordTypeOperators& type, const std::vector<InputFile>& files);
OperatorRef TextFilesOperator(const std::string& label);
// Whole files, one a partition.
RddRef ReadWholeFiles(const ContextRef& context, const OperatorRef& op,
                      const RecordTypeOperators& type, const std::vector<InputFile>& files);

// `receiver` names its factory. A host or port that no socket can have is an error of the graph.
ReceiverSpec SocketReceiverSpec(const Operation& operation, StreamGraph& graph,
                                const char* receiver, const std::string& host, int port,
                                StorageLevel level);

}  // namespace internal
}  // namespace millrace

#endif  // MILLRACE_CLIENT_SOURCE_INPUTS_H_
