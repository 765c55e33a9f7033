#include "client/sink/stream_output.h"

#include <algorithm>
#include <utility>

#include "client/rdd/save.h"
#include "client/sink/console.h"

namespace millrace::internal {
namespace {

constexpr size_t kRuleWidth = 43;

}  // namespace

std::string FormatBatch(Time time, const std::vector<std::string>& records, int64_t n) {
  const std::string rule(kRuleWidth, '-');
  std::string text = rule + "\nTime: " + ToString(time) + "\n" + rule + "\n";
  const auto count = static_cast<int64_t>(records.size());
  for (int64_t i = 0; i < std::min(n, count); ++i) {
    text += records[static_cast<size_t>(i)];
    text += '\n';
  }
  if (count > n) text += "...\n";
  text += '\n';
  return text;
}

absl::Status PrintBatch(Time time, const std::vector<std::string>& records, int64_t n) {
  return Console::Get().Print(FormatBatch(time, records, n));
}

std::string OutputPath(const std::string& prefix, const std::string& suffix, Time time) {
  std::string path = prefix.empty() ? "" : prefix + "-";
  path += std::to_string(time.ms());
  if (!suffix.empty()) path += "." + suffix;
  return path;
}

OutputFunction SaveFunction(const StreamRef& stream, OperatorRef root, std::string prefix,
                            std::string suffix) {
  return [context = ContextOf(stream), root = std::move(root), prefix = std::move(prefix),
          suffix = std::move(suffix)](const RddRef& data_set, Time time) {
    return SaveFiles(context, data_set, root, OutputPath(prefix, suffix, time));
  };
}

}  // namespace millrace::internal
