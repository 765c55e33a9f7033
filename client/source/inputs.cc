#include "client/source/inputs.h"

#include <algorithm>
#include <utility>

#include "client/dstream/input_node.h"
#include "client/dstream/stream_graph.h"
#include "client/rdd/lineage.h"
#include "client/source/file_input_node.h"
#include "client/source/stream_file_operators.h"
#include "common/config/keys.h"
#include "common/record/codec.h"
#include "executor/receiver/socket_address.h"

namespace millrace::internal {
namespace {

// A larger piece of a text file would take long to be done again when its task fails.
constexpr int64_t kTextSplitBytes = int64_t{32} << 20;

StreamRef AddInput(const std::shared_ptr<StreamGraph>& graph, std::unique_ptr<InputNode> input) {
  DStreamNode* const node = input.get();
  graph->AddInput(std::move(input));
  return {graph, node};
}

RddRef BlocksDataSet(const ContextRef& context, const OperatorRef& read,
                     const RecordTypeOperators& type, const std::vector<ReceivedBlock>& blocks) {
  RddRef data_set = MakeNode(context, read, type, static_cast<int>(blocks.size()));
  for (const ReceivedBlock& block : blocks) {
    SourcePartition partition;
    partition.blocks.push_back(block.id);
    if (block.log_place.has_value()) partition.log_places.push_back(*block.log_place);
    data_set->sources.push_back(std::move(partition));
  }
  return data_set;
}

RddRef SplitsDataSet(const ContextRef& context, const OperatorRef& op,
                     const RecordTypeOperators& type, const std::vector<TextFileSplit>& splits) {
  std::vector<std::string> encoded;
  encoded.reserve(splits.size());
  for (const TextFileSplit& split : splits) encoded.push_back(EncodeToString(split));
  return MakeSplits(context, op, type, std::move(encoded));
}

// How long a file stream remembers what it has read: a multiple of the batch interval.
std::chrono::milliseconds RememberFiles(const StreamGraph& graph) {
  const auto configured = graph.context()
                              ->conf.GetDuration(keys::kFileMinRememberDuration)
                              .value_or(std::chrono::minutes(1));
  const auto interval = graph.batch_interval();
  return interval * ((configured + interval - std::chrono::microseconds(1)) / interval);
}

}  // namespace

StreamRef AddReceiver(const Operation& operation, const std::shared_ptr<StreamGraph>& graph,
                      std::string kind, std::string receiver_class, ReceiverSpec spec,
                      OperatorRef read, const RecordTypeOperators& type) {
  auto make = [context = graph->context(), read = std::move(read),
               &type](const std::vector<ReceivedBlock>& blocks) {
    return BlocksDataSet(context, read, type, blocks);
  };
  return AddInput(graph, std::make_unique<ReceiverInputNode>(*graph, operation, std::move(kind),
                                                             std::move(receiver_class),
                                                             std::move(spec), std::move(make)));
}

StreamRef AddGenerated(const Operation& operation, const std::shared_ptr<StreamGraph>& graph,
                       std::string kind, GenerateDataSet generate, IsRepeatable repeatable) {
  return AddInput(graph, std::make_unique<GeneratedInputNode>(*graph, operation, std::move(kind),
                                                              std::move(generate), repeatable));
}

StreamRef AddFiles(const Operation& operation, const std::shared_ptr<StreamGraph>& graph,
                   const std::string& directory, const FileStreamOptions& options, Time now,
                   ReadFiles read) {
  const FileInputNode::Window window{options.new_files_only ? now : Time(0), RememberFiles(*graph)};
  return AddInput(graph, std::make_unique<FileInputNode>(*graph, operation, directory, options,
                                                         window, std::move(read)));
}

OperatorRef TextFilesOperator(const std::string& label) {
  return MakeSpec<StreamTextFileOperator>("", label, BindingKind::kSplit);
}

RddRef ReadTextFiles(const ContextRef& context, const OperatorRef& op,
                     const RecordTypeOperators& type, const std::vector<InputFile>& files) {
  std::vector<TextFileSplit> splits;
  for (const InputFile& file : files) {
    for (int64_t offset = 0; offset < file.bytes; offset += kTextSplitBytes) {
      splits.push_back({file.path, offset, std::min(kTextSplitBytes, file.bytes - offset)});
    }
  }
  return SplitsDataSet(context, op, type, splits);
}

RddRef ReadWholeFiles(const ContextRef& context, const OperatorRef& op,
                      const RecordTypeOperators& type, const std::vector<InputFile>& files) {
  std::vector<TextFileSplit> splits;
  splits.reserve(files.size());
  for (const InputFile& file : files) splits.push_back({file.path, 0, file.bytes});
  return SplitsDataSet(context, op, type, splits);
}

ReceiverSpec SocketReceiverSpec(const Operation& operation, StreamGraph& graph,
                                const char* receiver, const std::string& host, int port,
                                StorageLevel level) {
  if (host.empty()) graph.AddError(operation, "the host's name is empty");
  if (port < 1 || port > 65535) {
    graph.AddError(operation, absl::StrCat("the port must be 1 to 65535, got ", port));
  }
  ReceiverSpec spec;
  spec.operator_name = receiver;
  spec.params = EncodeToString(SocketAddress{host, port});
  spec.storage_level = level;
  return spec;
}

}  // namespace millrace::internal
