#include "common/config/properties.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/fs/file_util.h"

namespace millrace {

namespace {

constexpr uint64_t kFileBytesMax = 1 << 20;

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }
std::string_view Std(absl::string_view text) { return {text.data(), text.size()}; }

std::string_view Trim(std::string_view text) { return Std(absl::StripAsciiWhitespace(Absl(text))); }

}  // namespace

absl::StatusOr<Conf> ParseProperties(std::string_view text, std::string_view origin) {
  Conf conf;
  int line_number = 0;
  for (const absl::string_view raw_line : absl::StrSplit(Absl(text), '\n')) {
    ++line_number;
    const std::string_view line = Trim(Std(raw_line));
    if (line.empty() || line.starts_with('#')) continue;
    const size_t key_end = line.find_first_of("= \t");
    std::string_view value;
    if (key_end != std::string_view::npos) {
      value = Trim(line.substr(key_end));
      if (value.starts_with('=')) value = Trim(value.substr(1));
    }
    if (key_end == 0 || value.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(Absl(origin), ":", line_number, ": '", Absl(line),
                       "' is no setting; write 'key value' or 'key = value'"));
    }
    conf.Set(line.substr(0, key_end), value);
  }
  return conf;
}

absl::StatusOr<Conf> ReadPropertiesFile(FileSystem& fs, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(fs, path, kFileBytesMax));
  return ParseProperties(text, path);
}

absl::Status SetFromAssignment(std::string_view assignment, Conf& conf) {
  const size_t equals = assignment.find('=');
  if (equals == 0 || equals == std::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", Absl(assignment), "' is no setting; write KEY=VALUE"));
  }
  conf.Set(Trim(assignment.substr(0, equals)), assignment.substr(equals + 1));
  return absl::OkStatus();
}

}  // namespace millrace
